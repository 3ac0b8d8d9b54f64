//! Network namespaces of our own: made, entered by a thread for as long as a closure runs, removed.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use nix::sched::{CloneFlags, CpuSet, sched_setaffinity, setns};
use nix::unistd::Pid;

/// A network namespace that goes with this value.
#[derive(Debug)]
pub(crate) struct NetNs {
    name: String,
    handle: File,
}

impl NetNs {
    /// Makes a namespace of this name with its loopback up.
    pub(crate) fn create(name: &str) -> Result<Self> {
        ip(&["netns", "add", name])?;
        let handle = File::open(Path::new("/run/netns").join(name)).context("opening the namespace")?;
        let ns = Self { name: name.to_owned(), handle };
        ip(&["-n", name, "link", "set", "lo", "up"])?;
        Ok(ns)
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs `f` on a thread that stands in this namespace, on any CPU.
    pub(crate) fn run<T: Send>(&self, f: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        thread::scope(|scope| {
            scope
                .spawn(|| self.enter().and_then(|()| f()))
                .join()
                .map_err(|_| anyhow!("a thread panicked"))?
        })
    }

    /// Runs `f` on a thread that stands in this namespace and stays on one CPU.
    pub(crate) fn run_on<T: Send>(&self, cpu: usize, f: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.run(|| {
            pin_to(cpu)?;
            f()
        })
    }

    fn enter(&self) -> Result<()> {
        setns(&self.handle, CloneFlags::CLONE_NEWNET).with_context(|| format!("entering {}", self.name))
    }

    /// Index of an interface in here.
    pub(crate) fn ifindex(&self, device: &str) -> Result<u32> {
        self.run(|| nix::net::if_::if_nametoindex(device).with_context(|| format!("finding {device}")))
    }

    /// Writes a value below `/proc/sys/net`.
    pub(crate) fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = Path::new("/proc/sys/net").join(key);
        self.run(|| fs::write(&path, value).with_context(|| format!("writing {}", path.display())))
    }

    /// Runs a command in here; its output must be uninteresting.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Result<()> {
        self.run(|| quiet(Command::new(program).args(arguments)))
    }
}

impl Drop for NetNs {
    fn drop(&mut self) {
        if let Err(error) = ip(&["netns", "del", &self.name]) {
            eprintln!("left behind: namespace {}: {error:#}", self.name);
        }
    }
}

/// Removes namespaces that runs left behind which were killed outright.
pub(crate) fn sweep() {
    let Ok(folder) = fs::read_dir("/run/netns") else { return };
    for entry in folder.filter_map(Result::ok) {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let pid = name.strip_prefix("pbn-").and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists()) {
            eprintln!("removing {name}, left behind by an earlier run");
            let _ = ip(&["netns", "del", name]);
        }
    }
}

/// Keeps the calling thread, and what it starts, on one CPU.
pub(crate) fn pin_to(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set).context("pinning to a CPU")
}

/// Runs `ip` with these arguments.
pub(crate) fn ip(arguments: &[&str]) -> Result<()> {
    quiet(Command::new("ip").args(arguments))
}

/// Runs a command, and says what it said only when it fails.
pub(crate) fn quiet(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("starting {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// Looks a program up in PATH and the system folders.
pub(crate) fn require(program: &str) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/bin"].map(Into::into);
    if std::env::split_paths(&path).chain(system).any(|folder| folder.join(program).is_file()) {
        return Ok(());
    }
    bail!("{program} is not installed")
}
