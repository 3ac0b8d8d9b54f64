//! Exim as it comes from Debian, at either end, from a scratch folder.

use std::fs;
use std::net::IpAddr;

use tempfile::TempDir;

use crate::certificate::Certificate;
use crate::daemon::{Daemon, folder_of, open_folder};
use crate::deadline::{SOON, wait_for};
use crate::netns::NetNs;

/// A running Exim.
#[derive(Debug)]
pub struct Exim {
    // Ended before its folder goes.
    daemon: Daemon,
    folder: TempDir,
}

/// Port on which it takes mail to be sent on, on loopback.
pub const SUBMISSION: u16 = 2525;

impl Exim {
    /// A server on an address, with STARTTLS, that puts every message into one file.
    ///
    /// # Panics
    ///
    /// When it does not get ready.
    pub fn server(namespace: &NetNs, address: IpAddr, certificate: &Certificate) -> Self {
        let folder = open_folder("postern-exim-");
        let path = folder.path();
        fs::write(path.join("cert.pem"), &certificate.pem).expect("the certificate can be written");
        fs::write(path.join("key.pem"), &certificate.key_pem).expect("the key can be written");
        let text = format!(
            "daemon_smtp_ports = 25\nlocal_interfaces = <; {address}\ntls_advertise_hosts = *\ntls_certificate = {0}/cert.pem\n\
             tls_privatekey = {0}/key.pem\n{1}\n\
             begin routers\nall:\n  driver = accept\n  transport = file\n\n\
             begin transports\nfile:\n  driver = appendfile\n  file = {0}/mail/box\n  user = Debian-exim\n",
            path.display(),
            common(&folder)
        );
        Self::start(namespace, folder, &text)
    }

    /// A client that takes mail on [`SUBMISSION`] and delivers it to `next_hop` on port 25, in TLS.
    ///
    /// # Panics
    ///
    /// When it does not get ready.
    pub fn client(namespace: &NetNs, next_hop: IpAddr) -> Self {
        let folder = open_folder("postern-exim-");
        let text = format!(
            "daemon_smtp_ports = {SUBMISSION}\nlocal_interfaces = 127.0.0.1\ntls_advertise_hosts =\n{}\n\
             begin routers\nall:\n  driver = manualroute\n  route_list = * {next_hop}\n  transport = onward\n\n\
             begin transports\nonward:\n  driver = smtp\n  hosts_require_tls = *\n  tls_verify_hosts =\n  tls_try_verify_hosts =\n",
            common(&folder)
        );
        Self::start(namespace, folder, &text)
    }

    fn start(namespace: &NetNs, folder: TempDir, text: &str) -> Self {
        let path = folder.path();
        for name in ["spool", "log", "mail"] {
            folder_of("Debian-exim", &path.join(name));
        }
        let config = path.join("exim.conf");
        fs::write(&config, text).expect("the configuration can be written");
        let arguments = ["-C", config.to_str().expect("a path in UTF-8"), "-bdf", "-q1m"];
        let mut daemon = Daemon::start(namespace, "exim4", &arguments, &path.join("said"));
        let log = path.join("log/main");
        wait_for("Exim", SOON, || {
            assert!(daemon.is_running(), "Exim ended: {}", daemon.log());
            fs::read_to_string(&log).unwrap_or_default().contains("daemon started").then_some(())
        });
        Self { daemon, folder }
    }

    /// Its main log and what it said besides.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log/main")).unwrap_or_default();
        format!("{log}{}", self.daemon.log())
    }

    /// Waits for a line of the log.
    ///
    /// # Panics
    ///
    /// When it does not come in time.
    #[track_caller]
    pub fn wait_for_line(&self, words: &[&str]) -> String {
        wait_for(&format!("a line with {words:?} in Exim's log:\n{}", self.log()), SOON * 3, || {
            let log = self.log();
            log.lines().find(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned)
        })
    }

    /// Its mailbox, all messages in one, with LF line ends and Exim's own fields.
    pub fn mailbox(&self) -> Vec<u8> {
        fs::read(self.folder.path().join("mail/box")).unwrap_or_default()
    }
}

fn common(folder: &TempDir) -> String {
    format!(
        "spool_directory = {0}/spool\nlog_file_path = {0}/log/%s\nprimary_hostname = exim.test\nhost_lookup =\n\
         rfc1413_hosts =\ndeliver_drop_privilege = true\nacl_smtp_rcpt = all\nkeep_environment =\n\
         message_size_limit = 100M\nlog_selector = +tls_peerdn +incoming_port\n\
         \nbegin acl\nall:\n  accept\n",
        folder.path().display()
    )
}
