//! c-icap as it comes from Debian, with its virus scan and a clamd behind it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::daemon::{Daemon, open_folder};
use crate::deadline::wait_for;
use crate::netns::NetNs;

/// A running c-icap.
#[derive(Debug)]
pub struct RealIcap {
    // Ended before its folder goes.
    #[expect(dead_code, reason = "held for its drop")]
    daemon: Daemon,
    #[expect(dead_code, reason = "held for its drop")]
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
        let config = path.join("c-icap.conf");
        fs::write(&config, configuration(path, clamd)).expect("the configuration can be written");
        let arguments = ["-N", "-f", config.to_str().expect("a path in UTF-8")];
        let mut daemon = Daemon::start(namespace, "c-icap", &arguments, &path.join("said"));
        wait_for("c-icap", Duration::from_secs(30), || {
            assert!(daemon.is_running(), "c-icap ended: {}", daemon.log());
            namespace.enter(|| std::net::TcpStream::connect(("127.0.0.1", 1344)).is_ok()).then_some(())
        });
        Self { daemon, folder }
    }
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
