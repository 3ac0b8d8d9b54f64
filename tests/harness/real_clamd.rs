//! clamd as it comes from Debian, with a private database of one signature.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use crate::daemon::{Daemon, open_folder};
use crate::deadline::wait_for;
use crate::mail;
use crate::netns::NetNs;

/// A running clamd.
#[derive(Debug)]
pub struct RealClamd {
    // Ended before its folder goes.
    #[expect(dead_code, reason = "held for its drop")]
    daemon: Daemon,
    folder: TempDir,
}

/// What clamd calls what it finds.
pub const SIGNATURE: &str = "Postern.Test.Eicar";

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
        let body: Vec<String> = mail::eicar().iter().map(|octet| format!("{octet:02x}")).collect();
        let database = format!("{SIGNATURE}:0:*:{}\n", body.concat());
        fs::write(path.join("db/test.ndb"), database).expect("the database can be written");
        let config = path.join("clamd.conf");
        let text = format!(
            "LocalSocket {0}/clamd.sock\nDatabaseDirectory {0}/db\nForeground yes\nUser root\nBytecode no\nMaxThreads 2\n",
            path.display()
        );
        fs::write(&config, text).expect("the configuration can be written");
        let arguments = ["-c", config.to_str().expect("a path in UTF-8")];
        let mut daemon = Daemon::start(namespace, "clamd", &arguments, &path.join("said"));
        let socket = path.join("clamd.sock");
        wait_for("clamd", Duration::from_secs(30), || {
            assert!(daemon.is_running(), "clamd ended: {}", daemon.log());
            socket.exists().then_some(())
        });
        Self { daemon, folder }
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("clamd.sock")
    }
}
