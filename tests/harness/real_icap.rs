//! c-icap as it comes from Debian, with its virus scan and a clamd behind it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::daemon::{Daemon, open_folder};
use crate::deadline::{wait_for, wait_until};
use crate::netns::NetNs;

/// A running c-icap.
#[derive(Debug)]
pub struct RealIcap {
    // Ended before its folder goes.
    daemon: Daemon,
    folder: TempDir,
}

/// Where the gateway in whose namespace it runs reaches its virus scan.
pub const SERVICE: &str = "icap://127.0.0.1:1344/avscan";

impl RealIcap {
    /// Starts it on the loopback of a namespace.
    ///
    /// # Panics
    ///
    /// When it does not get ready.
    pub fn start(namespace: &NetNs, clamd: &Path) -> Self {
        let folder = open_folder("postern-icap-");
        let path = folder.path();
        fs::write(path.join("c-icap.conf"), configuration(path, clamd))
            .expect("the configuration can be written");
        Self { daemon: run(namespace, path), folder }
    }

    /// Kills it, and starts it again once it was missed; gives when it was back.
    ///
    /// # Panics
    ///
    /// When it does not get ready.
    pub fn kill_and_start(&mut self, namespace: &NetNs, missed: impl FnOnce()) -> Instant {
        self.daemon.signal(Signal::SIGKILL);
        wait_until("c-icap is gone", Duration::from_secs(10), || !listens(namespace));
        // It was killed, and so left them there.
        for left in ["ctl", "pid"] {
            let _ = fs::remove_file(self.folder.path().join(left));
        }
        missed();
        self.daemon = run(namespace, self.folder.path());
        Instant::now()
    }

    /// Sends it, and all that it started, a signal.
    pub fn signal(&self, signal: Signal) {
        self.daemon.signal(signal);
    }
}

fn run(namespace: &NetNs, folder: &Path) -> Daemon {
    let config = folder.join("c-icap.conf");
    let arguments = ["-N", "-f", config.to_str().expect("a path in UTF-8")];
    let mut daemon = Daemon::start(namespace, "c-icap", &arguments, &folder.join("said"));
    wait_for("c-icap", Duration::from_secs(30), || {
        let log = || fs::read_to_string(folder.join("server.log")).unwrap_or_default();
        assert!(daemon.is_running(), "c-icap ended: {}{}", daemon.log(), log());
        listens(namespace).then_some(())
    });
    daemon
}

fn listens(namespace: &NetNs) -> bool {
    namespace.enter(|| std::net::TcpStream::connect(("127.0.0.1", 1344)).is_ok())
}

fn configuration(folder: &Path, clamd: &Path) -> String {
    let modules = "/usr/lib/x86_64-linux-gnu/c_icap";
    format!(
        "PidFile {folder}/pid\nCommandsSocket {folder}/ctl\nStartServers 1\nMaxServers 2\nMinSpareThreads 1\n\
         MaxSpareThreads 6\nThreadsPerChild 4\nPort 127.0.0.1:1344\nTmpDir {folder}\nModulesDir {modules}\n\
         ServicesDir {modules}\nTemplateDir /usr/share/c_icap/templates/\nTemplateDefaultLanguage en\n\
         LoadMagicFile /etc/c-icap/c-icap.magic\nServerLog {folder}/server.log\nAccessLog {folder}/access.log\n\
         Service antivirus_module virus_scan.so\nServiceAlias avscan virus_scan?allow204=on&sizelimit=off&mode=simple\n\
         virus_scan.ScanFileTypes TEXT DATA EXECUTABLE ARCHIVE GIF JPEG MSOFFICE\nvirus_scan.SendPercentData 0\n\
         virus_scan.PassOnError off\nvirus_scan.MaxObjectSize 100M\nvirus_scan.DefaultEngine clamd\n\
         Module common clamd_mod.so\nclamd_mod.ClamdSocket {clamd}\n",
        folder = folder.display(),
        clamd = clamd.display()
    )
}
