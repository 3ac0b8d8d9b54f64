//! Postfix as it comes from Debian, at either end, from a scratch folder.

use std::fs;
use std::net::IpAddr;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};
use tempfile::TempDir;

use crate::certificate::Certificate;
use crate::daemon::{Daemon, folder_of, open_folder};
use crate::deadline::{SOON, wait_for};
use crate::netns::NetNs;

/// A running Postfix.
#[derive(Debug)]
pub struct Postfix {
    // Ended before its folder goes.
    daemon: Daemon,
    folder: TempDir,
}

/// Port on which it takes mail to be sent on, on loopback.
pub const SUBMISSION: u16 = 2525;

impl Drop for Postfix {
    fn drop(&mut self) {
        // Its master has a process group of its own, which the daemon's end does not reach.
        let pid = fs::read_to_string(self.folder.path().join("spool/pid/master.pid")).unwrap_or_default();
        if let Ok(pid) = pid.trim().parse() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
    }
}

impl Postfix {
    /// A server for `server.test` on an address, with STARTTLS, that keeps every message in a file.
    ///
    /// # Panics
    ///
    /// When it does not get ready.
    pub fn server(namespace: &NetNs, address: IpAddr, certificate: &Certificate) -> Self {
        let folder = open_folder("postern-postfix-");
        let path = folder.path();
        fs::write(path.join("cert.pem"), &certificate.pem).expect("the certificate can be written");
        fs::write(path.join("key.pem"), &certificate.key_pem).expect("the key can be written");
        folder_of("nobody", &path.join("mail"));
        let nobody = User::from_name("nobody").ok().flatten().expect("there is a user nobody");
        let main = format!(
            "virtual_mailbox_domains = server.test\nvirtual_mailbox_base = {0}/mail\nvirtual_mailbox_maps = static:box/\n\
             virtual_uid_maps = static:{1}\nvirtual_gid_maps = static:{2}\nvirtual_minimum_uid = 1\n\
             smtpd_tls_cert_file = {0}/cert.pem\nsmtpd_tls_key_file = {0}/key.pem\nsmtpd_tls_security_level = may\n\
             smtpd_tls_loglevel = 1\nsmtpd_tls_received_header = yes\nsmtpd_relay_restrictions = reject_unauth_destination\n",
            path.display(),
            nobody.uid,
            nobody.gid
        );
        let inet = match address {
            IpAddr::V4(address) => format!("{address}:25"),
            IpAddr::V6(address) => format!("[{address}]:25"),
        };
        Self::start(namespace, folder, &main, &format!("{inet} inet n - n - - smtpd\n"))
    }

    /// A client that takes mail on [`SUBMISSION`] and delivers it to `next_hop` on port 25, in TLS.
    ///
    /// # Panics
    ///
    /// When it does not get ready.
    pub fn client(namespace: &NetNs, next_hop: IpAddr) -> Self {
        let folder = open_folder("postern-postfix-");
        let main = format!(
            "relayhost = [{next_hop}]:25\nsmtp_tls_security_level = encrypt\nsmtp_tls_loglevel = 1\n\
             smtpd_relay_restrictions = permit_mynetworks, reject\nminimal_backoff_time = 2s\nqueue_run_delay = 2s\n"
        );
        Self::start(namespace, folder, &main, &format!("127.0.0.1:{SUBMISSION} inet n - n - - smtpd\n"))
    }

    fn start(namespace: &NetNs, folder: TempDir, main: &str, inet: &str) -> Self {
        let path = folder.path();
        let etc = path.join("etc");
        fs::create_dir_all(&etc).expect("the folder can be made");
        fs::create_dir_all(path.join("spool")).expect("the folder can be made");
        folder_of("postfix", &path.join("data"));
        let log = path.join("mail.log");
        let common = format!(
            "compatibility_level = 3.6\nqueue_directory = {0}/spool\ndata_directory = {0}/data\nmyhostname = postfix.test\n\
             mydestination =\ninet_interfaces = all\ninet_protocols = all\nmynetworks = 127.0.0.0/8\n\
             smtpd_peername_lookup = no\ndisable_dns_lookups = yes\nsmtp_host_lookup = native\nalias_maps =\nalias_database =\n\
             message_size_limit = 104857600\nvirtual_mailbox_limit = 0\nmailbox_size_limit = 0\n\
             maillog_file = {1}\nmaillog_file_prefixes = {0}\n",
            path.display(),
            log.display()
        );
        fs::write(etc.join("main.cf"), common + main).expect("main.cf can be written");
        fs::write(etc.join("master.cf"), format!("{inet}{SERVICES}{OWN_SERVICES}"))
            .expect("master.cf can be written");
        let arguments = ["-c", etc.to_str().expect("a path in UTF-8"), "start-fg"];
        let mut daemon = Daemon::start(namespace, "postfix", &arguments, &log);
        wait_for("Postfix", SOON, || {
            assert!(daemon.is_running(), "Postfix ended: {}", daemon.log());
            daemon.log().contains("daemon started").then_some(())
        });
        Self { daemon, folder }
    }

    /// Its log.
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// Waits for a line of the log.
    ///
    /// # Panics
    ///
    /// When it does not come in time.
    #[track_caller]
    pub fn wait_for_line(&self, words: &[&str]) -> String {
        wait_for(&format!("a line with {words:?} in Postfix' log:\n{}", self.log()), SOON * 3, || {
            let log = self.log();
            log.lines().find(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned)
        })
    }

    /// Messages in its mailbox, oldest first, with LF line ends and Postfix' own fields.
    pub fn mailbox(&self) -> Vec<Vec<u8>> {
        let folder = self.folder.path().join("mail/box/new");
        let mut files: Vec<_> =
            fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        files.sort();
        files.iter().map(|file| fs::read(file).unwrap_or_default()).collect()
    }

    /// Waits until this many messages are in its mailbox.
    ///
    /// # Panics
    ///
    /// When they do not come in time.
    #[track_caller]
    pub fn wait_for_messages(&self, count: usize) -> Vec<Vec<u8>> {
        wait_for("messages in Postfix' mailbox", SOON * 3, || {
            let messages = self.mailbox();
            (messages.len() >= count).then_some(messages)
        })
    }
}

/// Services that every Postfix here needs, as master.cf has them; each adds its own qmgr and what listens.
pub const SERVICES: &str = "pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
";

/// A queue that is looked through often, mailboxes, and a log in a file.
const OWN_SERVICES: &str = "qmgr unix n - n 1 1 qmgr
virtual unix - n n - - virtual
postlog unix-dgram n - n - 1 postlogd
";
