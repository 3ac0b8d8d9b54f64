//! A network namespace that goes away with its guard.
//!
//! Namespaces are entered with `setns` on a thread of their own, or with `nsenter --net=`; never with
//! `ip netns exec`, which would hide the bpf file system.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CloneFlags, setns};

use crate::command;

/// Prefix of every name this harness gives to a namespace or a folder of pins.
pub const PREFIX: &str = "pt-";

/// A network namespace, removed on drop.
#[derive(Debug)]
pub struct NetNs {
    name: String,
}

impl NetNs {
    /// Makes a namespace with the loopback interface up; `role` ends its name.
    ///
    /// # Panics
    ///
    /// When the kernel refuses.
    pub fn new(role: &str) -> Self {
        let name = unique_name(role);
        command::run("ip", &["netns", "add", &name]);
        let namespace = Self { name };
        namespace.exec("ip", &["link", "set", "lo", "up"]);
        namespace
    }

    /// Its name, as `ip netns` knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for it.
    pub fn path(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(&self.name)
    }

    /// The argument that makes `nsenter` enter it.
    pub fn nsenter_argument(&self) -> String {
        format!("--net={}", self.path().display())
    }

    /// Runs a closure on a new thread inside; sockets made there stay inside.
    ///
    /// # Panics
    ///
    /// When the namespace cannot be entered, or the closure panics.
    pub fn enter<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> T {
        enter(&self.path(), inside)
    }

    /// Runs a tool inside and returns what it printed.
    ///
    /// # Panics
    ///
    /// When the tool fails.
    #[track_caller]
    pub fn exec(&self, program: &str, arguments: &[&str]) -> String {
        self.exec_with_input(program, arguments, "")
    }

    /// Runs a tool inside with text on its standard input.
    ///
    /// # Panics
    ///
    /// When the tool fails.
    #[track_caller]
    pub fn exec_with_input(&self, program: &str, arguments: &[&str], input: &str) -> String {
        let enter = self.nsenter_argument();
        let mut all = vec![enter.as_str(), program];
        all.extend_from_slice(arguments);
        command::run_with_input("nsenter", &all, input)
    }

    /// Runs several `ip` commands inside, one a line.
    ///
    /// # Panics
    ///
    /// When one of them fails.
    #[track_caller]
    pub fn ip(&self, lines: &str) {
        self.exec_with_input("ip", &["-batch", "-"], lines);
    }

    /// Writes `net.*` settings, given as path below `/proc/sys/net` and value.
    ///
    /// # Panics
    ///
    /// When a setting does not exist.
    pub fn set(&self, settings: &[(&str, &str)]) {
        self.enter(|| {
            for (path, value) in settings {
                let file = format!("/proc/sys/net/{path}");
                std::fs::write(&file, value).unwrap_or_else(|error| panic!("{file}: {error}"));
            }
        });
    }

    /// Index of an interface inside.
    ///
    /// # Panics
    ///
    /// When there is none of this name.
    pub fn ifindex(&self, interface: &str) -> u32 {
        self.enter(|| nix::net::if_::if_nametoindex(interface).expect("the interface exists"))
    }

    /// Frames an interface inside has received.
    ///
    /// # Panics
    ///
    /// When there is none of this name.
    pub fn received_frames(&self, interface: &str) -> u64 {
        let text = self.exec("ip", &["-j", "-s", "link", "show", "dev", interface]);
        let links: serde_json::Value = serde_json::from_str(&text).expect("ip prints JSON");
        links[0]["stats64"]["rx"]["packets"].as_u64().expect("ip prints the frames received")
    }
}

impl Drop for NetNs {
    fn drop(&mut self) {
        // A drop must not panic: the test's own panic may be on its way.
        let _ = command::try_run("ip", &["netns", "del", &self.name], "");
    }
}

/// The same for whoever has only the file that stands for the namespace.
pub(crate) fn enter<T: Send>(path: &Path, inside: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            let file = File::open(path).expect("the namespace's file can be opened");
            setns(file, CloneFlags::CLONE_NEWNET).expect("the namespace can be entered");
            inside()
        });
        match thread.join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// A name that no other test on this machine has: prefix, process, number, role.
pub fn unique_name(role: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}{}-{number}-{role}", std::process::id())
}

/// Removes what test processes that were killed have left behind.
pub fn sweep() {
    for folder in ["/run/netns", "/sys/fs/bpf"] {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            let owner = rest.split('-').next().unwrap_or_default();
            if owner.parse::<u32>().is_err() || PathBuf::from("/proc").join(owner).exists() {
                continue;
            }
            if folder == "/run/netns" {
                let _ = command::try_run("ip", &["netns", "del", &name], "");
            } else {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
}
