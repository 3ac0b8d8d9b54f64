//! Unbound as it comes from Debian, with one zone that is signed on the spot: a validating resolver of whom the AD bit is
//! to be had.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use tempfile::TempDir;

use crate::daemon::{Daemon, open_folder};
use crate::deadline::{SOON, wait_for};
use crate::netns::NetNs;
use crate::privilege::find_program;

/// A running Unbound.
#[derive(Debug)]
pub struct Unbound {
    // Ended before its folder goes.
    _daemon: Daemon,
    _folder: TempDir,
}

/// Where it listens, inside its namespace.
pub const RESOLVER: &str = "127.0.0.1:5353";

impl Unbound {
    /// With the zone `server.test`, whose records these lines are, signed with a key that it believes. `meddle` changes the
    /// zone behind the signature.
    ///
    /// # Panics
    ///
    /// When the zone cannot be signed, or it does not get ready.
    pub fn start(namespace: &NetNs, records: &str, meddle: impl FnOnce(String) -> String) -> Self {
        let folder = open_folder("postern-unbound-");
        let path = folder.path();
        let zone = format!(
            "server.test. 60 IN SOA ns.server.test. hostmaster.server.test. 1 3600 600 86400 60\n\
             server.test. 60 IN NS ns.server.test.\nns.server.test. 60 IN A 127.0.0.1\n{records}"
        );
        fs::write(path.join("zone"), zone).expect("the zone can be written");
        let run = |program: &str, arguments: &[&str]| {
            let found = find_program(program).unwrap_or_else(|| panic!("{program} is missing"));
            let output = Command::new(found).current_dir(path).args(arguments).output();
            let output = output.unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        let key = run("ldns-keygen", &["-a", "ECDSAP256SHA256", "-k", "server.test"]);
        run("ldns-signzone", &["-f", "signed", "zone", &key]);
        let signed = fs::read_to_string(path.join("signed")).expect("the signed zone can be read");
        fs::write(path.join("signed"), meddle(signed)).expect("the signed zone can be written");
        let address: SocketAddr = RESOLVER.parse().expect("an address");
        let text = format!(
            "server:\n  interface: {0}@{1}\n  do-daemonize: no\n  chroot: \"\"\n  username: \"\"\n  directory: \"{2}\"\n  \
             pidfile: \"\"\n  use-syslog: no\n  verbosity: 1\n  do-not-query-localhost: no\n  local-zone: \"test.\" nodefault\n  \
             trust-anchor-file: \"{2}/{key}.ds\"\nremote-control:\n  control-enable: no\nauth-zone:\n  name: \"server.test.\"\n  \
             zonefile: \"{2}/signed\"\n  for-downstream: no\n  for-upstream: yes\n  fallback-enabled: no\n",
            address.ip(),
            address.port(),
            path.display()
        );
        let config = path.join("unbound.conf");
        fs::write(&config, text).expect("the configuration can be written");
        let config = config.to_str().expect("a path in UTF-8");
        let mut daemon = Daemon::start(namespace, "unbound", &["-d", "-c", config], &path.join("log"));
        wait_for("Unbound", SOON, || {
            assert!(daemon.is_running(), "Unbound ended: {}", daemon.log());
            daemon.log().contains("start of service").then_some(())
        });
        Self { _daemon: daemon, _folder: folder }
    }
}
