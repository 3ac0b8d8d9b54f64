//! What a test needs of the machine, and what happens when it is not there.
//!
//! A test begins with [`requires_root!`](crate::requires_root). Where something is missing, it prints
//! `SKIPPED <name>: <reason>`, appends `<name>: <reason>` to the file that `POSTERN_SKIP_LOG` names, and
//! returns; the test command counts those lines and says how many there are.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use crate::{command, gateway, netns};

/// The environment variable that names the file which collects skipped tests.
pub const SKIP_LOG: &str = "POSTERN_SKIP_LOG";

/// Returns from the test, aloud, when this machine cannot run it.
#[macro_export]
macro_rules! requires_root {
    () => {{
        fn here() {}
        if let Some(reason) = $crate::privilege::missing() {
            $crate::privilege::skip(std::any::type_name_of_val(&here).trim_end_matches("::here"), reason);
            return;
        }
    }};
}

/// Returns from the test, aloud, when one of these programs is missing.
#[macro_export]
macro_rules! requires_programs {
    ($($program:expr),+ $(,)?) => {{
        fn here() {}
        $(if $crate::privilege::find_program($program).is_none() {
            let name = std::any::type_name_of_val(&here).trim_end_matches("::here");
            $crate::privilege::skip(name, &format!("{} is missing; `cargo xtask setup --tests` brings it", $program));
            return;
        })+
    }};
}

/// Makes a control group, or returns from the test, aloud, when this machine has none.
#[macro_export]
macro_rules! requires_control_group {
    ($controller:expr) => {{
        fn here() {}
        match $crate::control_group::ControlGroup::try_new($controller) {
            Ok(group) => group,
            Err(reason) => {
                let name = std::any::type_name_of_val(&here).trim_end_matches("::here");
                $crate::privilege::skip(name, &reason);
                return;
            }
        }
    }};
}

/// Finds a program in the search path, or among those that were unpacked for the tests.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/bin"].map(PathBuf::from);
    // target/<profile>/deps/end_to_end-… stands three folders below target/peers.
    let test = std::env::current_exe().ok();
    let target = test.as_deref().and_then(|test| test.ancestors().nth(3));
    let unpacked = target.map(|target| target.join("peers/exim/usr/sbin"));
    std::env::split_paths(&own)
        .chain(system)
        .chain(unpacked)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// What this machine lacks for tests with namespaces and kernel programs, if anything.
pub fn missing() -> Option<&'static str> {
    static MISSING: OnceLock<Option<String>> = OnceLock::new();
    MISSING.get_or_init(find_missing).as_deref()
}

/// Says that a test did not run.
///
/// # Panics
///
/// When the file that collects skipped tests cannot be written: a skip must not be lost.
pub fn skip(name: &str, reason: &str) {
    let line = format!("{name}: {reason}\n");
    eprint!("SKIPPED {line}");
    if let Some(path) = std::env::var_os(SKIP_LOG) {
        let written = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .and_then(|mut file| file.write_all(line.as_bytes()));
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

fn find_missing() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("needs root, for namespaces and kernel programs".to_owned());
    }
    for tool in ["ip", "nsenter", "nft", "ethtool", "bpftool"] {
        let found = std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(tool).is_file()));
        if !found {
            return Some(format!("the tool {tool} is missing"));
        }
    }
    netns::sweep();
    let probe = netns::unique_name("probe");
    let output = command::try_run("ip", &["netns", "add", &probe], "");
    let _ = command::try_run("ip", &["netns", "del", &probe], "");
    if !output.status.success() {
        return Some(format!(
            "network namespaces cannot be made: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    if let Err(error) = mount_bpf_file_system() {
        return Some(format!("the bpf file system cannot be mounted at /sys/fs/bpf: {error}"));
    }
    gateway::missing_object()
}

/// Mounts `/sys/fs/bpf` unless that is done; one test process at a time.
fn mount_bpf_file_system() -> std::io::Result<()> {
    let lock = File::create("/run/postern-tests.lock")?;
    let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error)?;
    let target = Path::new("/sys/fs/bpf");
    let folder = File::open(target)?;
    if nix::sys::statfs::fstatfs(folder.as_fd())?.filesystem_type() == BPF_FS_MAGIC
        && statfs(target)?.filesystem_type() == BPF_FS_MAGIC
    {
        return Ok(());
    }
    let none: Option<&str> = None;
    nix::mount::mount(Some("bpf"), target, Some("bpf"), nix::mount::MsFlags::empty(), none)?;
    Ok(())
}
