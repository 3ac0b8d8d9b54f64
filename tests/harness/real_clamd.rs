//! clamd as it comes from Debian, with a private database of one signature.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::daemon::{Daemon, open_folder};
use crate::deadline::{wait_for, wait_until};
use crate::mail;
use crate::netns::NetNs;

/// A running clamd.
#[derive(Debug)]
pub struct RealClamd {
    // Ended before its folder goes.
    daemon: Daemon,
    folder: TempDir,
}

/// What clamd calls what it finds.
pub const SIGNATURE: &str = "Postern.Test.Eicar";
/// What it alone finds.
pub const WORD: &[u8] = b"a word that only clamd knows";
/// What clamd calls that.
pub const WORD_SIGNATURE: &str = "Postern.Test.Word";

impl RealClamd {
    /// Starts it on a local socket.
    ///
    /// # Panics
    ///
    /// When it does not get ready.
    pub fn start(namespace: &NetNs) -> Self {
        let folder = open_folder("postern-clamd-");
        let path = folder.path();
        fs::create_dir_all(path.join("db")).expect("the folder can be made");
        let line = |name: &str, octets: &[u8]| {
            let body: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
            format!("{name}:0:*:{}\n", body.concat())
        };
        let database = line(SIGNATURE, &mail::eicar()) + &line(WORD_SIGNATURE, WORD);
        fs::write(path.join("db/test.ndb"), database).expect("the database can be written");
        let text = format!(
            "LocalSocket {0}/clamd.sock\nDatabaseDirectory {0}/db\nForeground yes\nUser root\nBytecode no\nMaxThreads 2\n",
            path.display()
        );
        fs::write(path.join("clamd.conf"), text).expect("the configuration can be written");
        Self { daemon: run(namespace, path), folder }
    }

    /// Kills it, and starts it again once it was missed; gives when it was back.
    ///
    /// # Panics
    ///
    /// When it does not get ready.
    pub fn kill_and_start(&mut self, namespace: &NetNs, missed: impl FnOnce()) -> Instant {
        self.daemon.signal(Signal::SIGKILL);
        wait_until("clamd is gone", Duration::from_secs(10), || UnixStream::connect(self.socket()).is_err());
        // It was killed, and so left it there.
        let _ = fs::remove_file(self.socket());
        missed();
        self.daemon = run(namespace, self.folder.path());
        Instant::now()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.daemon.signal(signal);
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("clamd.sock")
    }
}

fn run(namespace: &NetNs, folder: &Path) -> Daemon {
    let config = folder.join("clamd.conf");
    let arguments = ["-c", config.to_str().expect("a path in UTF-8")];
    let mut daemon = Daemon::start(namespace, "clamd", &arguments, &folder.join("said"));
    let socket = folder.join("clamd.sock");
    wait_for("clamd", Duration::from_secs(30), || {
        assert!(daemon.is_running(), "clamd ended: {}", daemon.log());
        UnixStream::connect(&socket).is_ok().then_some(())
    });
    daemon
}
