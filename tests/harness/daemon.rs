//! A daemon by another hand, in a namespace, with everything it starts, ended on drop.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, User, chown};

use crate::netns::NetNs;
use crate::privilege;

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts a program in a process group of its own; what it says goes to `log`.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[track_caller]
    pub fn start(namespace: &NetNs, program: &str, arguments: &[&str], log: &Path) -> Self {
        let path = privilege::find_program(program).unwrap_or_else(|| panic!("{program} is missing"));
        let output = File::options().create(true).append(true).open(log).expect("the log can be opened");
        let child = Command::new("nsenter")
            .arg(namespace.nsenter_argument())
            .arg(path)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("the log can be shared"))
            .stderr(output)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
        Self { child, log: log.to_owned() }
    }

    /// What it has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a signal to it and everything that it started.
    ///
    /// # Panics
    ///
    /// When nothing of it is there any more.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("a process id");
        killpg(Pid::from_raw(id), signal).expect("the signal can be sent");
    }

    /// Whether it is still there.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} says:\n{}", self.log.display(), self.log());
        }
        if let Ok(id) = i32::try_from(self.child.id()) {
            let _ = killpg(Pid::from_raw(id), Signal::SIGTERM);
        }
        for _ in 0..100 {
            if !self.is_running() {
                break;
            }
            std::thread::park_timeout(std::time::Duration::from_millis(10));
        }
        if let Ok(id) = i32::try_from(self.child.id()) {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

/// Makes a folder that belongs to a user.
///
/// # Panics
///
/// When there is no such user, or the folder cannot be made.
pub fn folder_of(user: &str, path: &Path) {
    std::fs::create_dir_all(path).expect("the folder can be made");
    let user = User::from_name(user).ok().flatten().unwrap_or_else(|| panic!("there is no user {user}"));
    chown(path, Some(user.uid), Some(user.gid)).expect("the folder can be given away");
}

/// A folder in `/tmp` that every user may pass through.
///
/// # Panics
///
/// When it cannot be made.
pub fn open_folder(prefix: &str) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let permissions = std::fs::Permissions::from_mode(0o755);
    tempfile::Builder::new().prefix(prefix).permissions(permissions).tempdir().expect("a folder")
}
