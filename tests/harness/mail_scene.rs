//! An originator's network, a gateway that inspects mail, and a next hop that records it.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::certificate::Certificate;
use crate::control_group::ControlGroup;
use crate::gateway::Gateway;
use crate::mail;
use crate::next_hop::{Delivery, Heard, NextHop, Script};
use crate::originator::Originator;
use crate::records;
use crate::topology::{CLIENT_SIDE, Family, Hook, SERVER_SIDE, Topology};

/// How the gateway is told to inspect mail.
#[derive(Debug)]
pub struct MailConfig {
    folder: TempDir,
    mode: &'static str,
    resource: String,
    tables: String,
    flows: u32,
    hook: Hook,
}

impl MailConfig {
    /// Without TLS toward the originator.
    pub fn plain() -> Self {
        Self::new("client_tls = \"off\"\n")
    }

    /// Without TLS, and with messages taken over by the gateway; what failed is tried again after a second.
    pub fn spooling(spool: &str) -> Self {
        Self::spooling_by(&format!("resend_period = \"1s\"\n{spool}"))
    }

    /// The same with these parameters only.
    pub fn spooling_by(spool: &str) -> Self {
        let config = Self { mode: "spool", ..Self::plain() };
        config.with_tables(&format!("[spool]\n{spool}\n"))
    }

    /// With leaves minted after the next hop's certificate.
    pub fn minting() -> Self {
        Self::new("client_tls = \"mint\"\n")
    }

    /// With a certificate of the protected server.
    ///
    /// # Panics
    ///
    /// When it cannot be written down.
    pub fn imported(certificate: &Certificate) -> Self {
        let mut config = Self::new("");
        let (chain, key) = (config.folder.path().join("chain.pem"), config.folder.path().join("key.pem"));
        std::fs::write(&chain, &certificate.pem).expect("the certificate can be written");
        std::fs::write(&key, &certificate.key_pem).expect("the key can be written");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600))
            .expect("the key can be hidden");
        config.resource = format!(
            "client_tls = {{ certificate = \"{}\", key = \"{}\" }}\n",
            chain.display(),
            key.display()
        );
        config
    }

    fn new(resource: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("postern-mail-").tempdir().expect("a folder");
        Self {
            folder,
            mode: "proxy",
            resource: resource.to_owned(),
            tables: String::new(),
            flows: 2048,
            hook: Hook::Tc,
        }
    }

    /// Adds lines to the resource.
    #[must_use]
    pub fn with(mut self, lines: &str) -> Self {
        self.resource.push_str(lines);
        self.resource.push('\n');
        self
    }

    /// Has a clamd asked, on a local socket.
    #[must_use]
    pub fn with_clamd(self, socket: &Path) -> Self {
        let address = socket.display();
        self.with_tables(&format!("[[engine]]\nname = \"clamd\"\naddress = \"{address}\"\n"))
    }

    /// Adds tables.
    #[must_use]
    pub fn with_tables(mut self, tables: &str) -> Self {
        self.tables.push_str(tables);
        self.tables.push('\n');
        self
    }

    /// Makes room for so many flows of each family.
    #[must_use]
    pub fn with_flows(self, flows: u32) -> Self {
        Self { flows, ..self }
    }

    /// The hook it is for.
    pub fn hook(&self) -> Hook {
        self.hook
    }

    /// Whether the gateway takes messages over.
    pub fn is_spooling(&self) -> bool {
        self.mode == "spool"
    }

    /// Whether it needs an inspection CA.
    pub fn is_minting(&self) -> bool {
        self.resource.contains("\"mint\"")
    }

    /// The folder of everything that the gateway keeps.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The configuration file's text.
    pub fn text(&self) -> String {
        let mut text = format!(
            "[gateway]\ninterfaces = [\"{CLIENT_SIDE}\", \"{SERVER_SIDE}\"]\nhook = \"{}\"\ndata_dir = \"{}\"\n\
             flows_v4 = {flows}\nflows_v6 = {flows}\n\n{}\n",
            self.hook.name(),
            self.folder.path().display(),
            self.tables,
            flows = self.flows
        );
        for (name, service) in [("mail", "\"smtp\", \"smtps\""), ("submission", "\"tcp/587\"")] {
            let _ = write!(
                text,
                "[[rule]]\nname = \"{name}\"\nservice = [{service}]\naction = \"inspect\"\nresource = \"mail\"\n\
                 when_down = \"refuse\"\n\n"
            );
        }
        text.push_str("[[rule]]\nname = \"everything else\"\naction = \"accelerate\"\n\n");
        let _ = write!(text, "[[resource]]\nname = \"mail\"\nmode = \"{}\"\n{}\n", self.mode, self.resource);
        text
    }
}

/// Everything in its place.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The network.
    pub topology: &'a Topology,
    /// The gateway.
    pub gateway: Gateway<'a>,
    /// The next hop on port 25.
    pub next_hop: NextHop,
    /// How the gateway was told to be.
    pub config: &'a MailConfig,
}

/// Makes a network, a gateway and a next hop on IPv4, and lets a test play in it.
pub fn play(config: &MailConfig, script: Script, test: impl FnOnce(&mut Scene<'_>)) {
    let server = SocketAddr::new(Family::V4.server(), 25);
    play_at(config, server, script, Certificate::new("server.test"), test);
}

/// The same with the gateway within control groups.
pub fn play_within(
    groups: &[&ControlGroup],
    config: &MailConfig,
    script: Script,
    test: impl FnOnce(&mut Scene<'_>),
) {
    let topology = Topology::new(config.hook);
    topology.fix_neighbours();
    let next_hop = NextHop::start(&topology.server, SocketAddr::new(Family::V4.server(), 25), script);
    let gateway = Gateway::start_inspecting_within(&topology, config, groups);
    test(&mut Scene { topology: &topology, gateway, next_hop, config });
}

/// The same with the next hop at an address of one's choice, and with a certificate of one's choice.
pub fn play_at(
    config: &MailConfig,
    address: SocketAddr,
    script: Script,
    certificate: Certificate,
    test: impl FnOnce(&mut Scene<'_>),
) {
    let topology = Topology::new(config.hook);
    topology.fix_neighbours();
    let next_hop = NextHop::with_certificate(&topology.server, address, script, certificate);
    let gateway = Gateway::start_inspecting(&topology, config);
    let mut scene = Scene { topology: &topology, gateway, next_hop, config };
    test(&mut scene);
}

impl Scene<'_> {
    /// An originator that has said EHLO.
    #[track_caller]
    pub fn greeted(&self) -> Originator {
        Originator::greeted(&self.topology.client, self.next_hop.address())
    }

    /// An originator that has said EHLO again after STARTTLS.
    #[track_caller]
    pub fn secured(&self) -> Originator {
        Originator::secured(&self.topology.client, self.next_hop.address())
    }

    /// An originator that has only called.
    #[track_caller]
    pub fn called(&self) -> Originator {
        Originator::connect(&self.topology.client, self.next_hop.address())
    }

    /// All records, once there are this many accounts.
    #[track_caller]
    pub fn accounts(&self, count: usize) -> Vec<Value> {
        records::wait_for_accounts(&self.config.folder().join("records"), count)
    }

    /// Fails unless the next hop has exactly these messages, each behind its trace fields, and nothing else of
    /// any message.
    ///
    /// # Panics
    ///
    /// When something else arrived, or does not arrive.
    #[track_caller]
    pub fn expect_arrived(&self, messages: &[&[u8]]) {
        let deliveries = self.next_hop.wait_for_deliveries(messages.len());
        assert_eq!(deliveries.len(), messages.len(), "messages at the next hop: {deliveries:#?}");
        for (delivery, message) in deliveries.iter().zip(messages) {
            trace_fields(delivery, message);
        }
    }

    /// Fails if any connection to the next hop brought EICAR or its base64, a bare CR or LF, or NUL.
    ///
    /// # Panics
    ///
    /// When one did.
    #[track_caller]
    pub fn expect_clean_wire(&self) -> Vec<Heard> {
        let connections = self.next_hop.wait_until_idle();
        for heard in &connections {
            for wire in [&heard.plain, &heard.secured] {
                assert_eq!(stray(wire), None, "a stray octet went out: {:?}", String::from_utf8_lossy(wire));
                let eicar = mail::eicar();
                assert_eq!(mail::find(wire, &eicar), None, "EICAR went out");
                let base64 = mail::base64(&eicar);
                assert_eq!(mail::find(wire, &base64.as_bytes()[..40]), None, "EICAR went out in base64");
            }
        }
        connections
    }
}

/// What the gateway put before a message; fails unless the rest is the message, octet for octet.
///
/// # Panics
///
/// When it is not.
#[track_caller]
pub fn trace_fields(delivery: &Delivery, message: &[u8]) -> String {
    let Some(fields) = delivery.octets.strip_suffix(message) else {
        panic!(
            "the message was changed:\n{:?}\narrived, and this was sent:\n{:?}",
            String::from_utf8_lossy(&delivery.octets),
            String::from_utf8_lossy(message)
        );
    };
    let text = String::from_utf8_lossy(fields).into_owned();
    for line in text.split_inclusive("\r\n") {
        let is_field = line.starts_with("Received: ") || line.starts_with("X-Postern-Session: ");
        let is_folded = line.starts_with([' ', '\t']) && line.trim() != "";
        assert!((is_field || is_folded) && line.ends_with("\r\n"), "this is no trace field: {line:?}");
    }
    assert!(text.contains("X-Postern-Session: ") && text.contains("Received: "), "trace fields: {text:?}");
    text
}

/// Where a bare CR, a bare LF or a NUL stands.
fn stray(octets: &[u8]) -> Option<usize> {
    octets.iter().enumerate().position(|(at, &octet)| match octet {
        b'\r' => octets.get(at + 1) != Some(&b'\n'),
        b'\n' => at == 0 || octets[at - 1] != b'\r',
        0 => true,
        _ => false,
    })
}
