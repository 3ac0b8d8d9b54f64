//! What delivery works by: plain data, replaced as a whole on reload.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use std::{fmt, str::FromStr};

use crate::limits;
use crate::model::server_tls::ServerTls;
use crate::model::tracking::Tracking;
use crate::wire::smtp::mailbox::is_domain;

/// What delivery works by, whatever the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a next hop may leave the gateway waiting, at each point. Default 60 s.
    pub delivery_timeout: Duration,
    /// How often the queue is looked through for what nobody announced. Default 2 s.
    pub scan_period: Duration,
    /// From a failed attempt to the next one, before the back-off. Default 600 s.
    pub resend_period: Duration,
    /// How long delivery is tried. Default 5 days.
    pub abandon_time: Duration,
    /// After how long the sender is told that the message is late; zero is never. Default 4 h.
    pub delay_warning: Duration,
    /// Connections to next hops at a time. Default 100.
    pub max_conns: u32,
    /// Of them, connections to one next hop. Default 10.
    pub max_conns_per_site: u32,
    /// Messages on one connection. Default 100.
    pub max_mails_per_conn: u32,
    /// Mail exchangers that are tried for a message in one attempt. Default 5.
    pub max_mx_node_per_mail: u32,
    /// Addresses of one mail exchanger that are tried. Default 4.
    pub max_ips_per_mx_node: u32,
    /// Messages in work at a time: more wait. Default 1,000.
    pub max_load: u32,
    /// `Received:` fields of a message that is going round in circles. Default 50.
    pub max_hops: u32,
    /// Who gets copies of returned mail.
    pub postmaster: Option<String>,
    /// Where mail goes whose resource names no next hop and whose destination is the gateway itself.
    pub default_server: Option<NextHopName>,
    /// What reports say beside that delivery failed.
    pub detail: ReportDetail,
    /// DNS servers; without one, those of the system.
    pub dns_servers: Vec<SocketAddr>,
    /// Whether nobody can meddle on the way to those that are not on this host.
    pub dns_trusted: bool,
}

impl Settings {
    /// Whether what the DNS servers vouch for is to be believed: there are some, and nobody can speak in their place.
    pub fn believes_dns(&self) -> bool {
        let is_near = |server: &SocketAddr| server.ip().to_canonical().is_loopback();
        !self.dns_servers.is_empty() && (self.dns_trusted || self.dns_servers.iter().all(is_near))
    }
}

/// What reports say beside that delivery failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportDetail {
    /// `detailed_smtp_err_mail`: each recipient with its own reason.
    pub smtp: bool,
    /// `detailed_av_err_mail`: what was found in a message.
    pub scan: bool,
    /// `detailed_rb_err_mail`: that a rule did not allow it.
    pub rules: bool,
}

/// How mail of one resource is delivered.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the configuration")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    /// Next hops, tried in this order; empty: the destination that the originator meant to reach.
    pub servers: Vec<NextHopName>,
    /// Whether each recipient's domain says in DNS where its mail goes, in place of `servers`.
    pub use_mx: bool,
    /// The same for reports to senders; empty: see `error_mx`, then the host that brought the mail.
    pub error_servers: Vec<NextHopName>,
    /// Whether the domain of the one who is told says where reports go.
    pub error_mx: bool,
    /// Whether senders are told at all.
    pub notify_sender: bool,
    /// What is asked of TLS.
    pub server_tls: ServerTls,
    /// Whether what domains say about their mail exchangers by MTA-STS counts.
    pub mta_sts: bool,
    /// Whether the packet rules are asked about the gateway's own connections too: from the originator to where the mail
    /// goes now.
    pub check_rule_base: bool,
    /// What is made of attempts that fail.
    pub exception_tracking: Tracking,
}

/// A next hop as it is configured: a name or an address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NextHopName {
    /// Who.
    pub host: HostName,
    /// Where.
    pub port: u16,
}

/// Name or address of a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostName {
    /// An address.
    Address(IpAddr),
    /// A name, in lower case.
    Name(String),
}

/// Port of SMTP.
pub const SMTP_PORT: u16 = 25;

impl Default for Settings {
    fn default() -> Self {
        Self {
            delivery_timeout: Duration::from_mins(1),
            scan_period: Duration::from_secs(2),
            resend_period: Duration::from_mins(10),
            abandon_time: Duration::from_hours(5 * 24),
            delay_warning: Duration::from_hours(4),
            max_conns: 100,
            max_conns_per_site: 10,
            max_mails_per_conn: 100,
            max_mx_node_per_mail: 5,
            max_ips_per_mx_node: 4,
            max_load: 1000,
            max_hops: limits::HOPS,
            postmaster: None,
            default_server: None,
            detail: ReportDetail::default(),
            dns_servers: Vec::new(),
            dns_trusted: false,
        }
    }
}

/// Neither a name nor an address of a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a host such as `mx.example.org`, `192.0.2.25:25` or `[2001:db8::25]:25`")]
pub struct NotAHost(String);

impl FromStr for NextHopName {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        let wrong = || NotAHost(text.chars().take(100).collect());
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Self::of_address(address).ok_or_else(wrong);
        }
        if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Self::of_address(SocketAddr::new(address, SMTP_PORT)).ok_or_else(wrong);
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, port.parse().map_err(|_| wrong())?),
            None => (text, SMTP_PORT),
        };
        let looks_like_an_address = name.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.');
        if port == 0 || name.is_empty() || !is_domain(name) || name.starts_with('[') || looks_like_an_address
        {
            return Err(wrong());
        }
        Ok(Self { host: HostName::Name(name.to_ascii_lowercase()), port })
    }
}

impl NextHopName {
    /// Of an address that can be called.
    fn of_address(address: SocketAddr) -> Option<Self> {
        let ip = address.ip();
        let callable = !ip.is_unspecified() && !ip.is_multicast() && address.port() != 0;
        callable.then(|| Self { host: HostName::Address(ip.to_canonical()), port: address.port() })
    }
}

impl From<SocketAddr> for NextHopName {
    fn from(address: SocketAddr) -> Self {
        Self { host: HostName::Address(address.ip().to_canonical()), port: address.port() }
    }
}

impl fmt::Display for NextHopName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostName::Address(address) => SocketAddr::new(*address, self.port).fmt(f),
            HostName::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_and_written() {
        for (text, written) in [
            ("192.0.2.25", "192.0.2.25:25"),
            ("192.0.2.25:2525", "192.0.2.25:2525"),
            ("2001:db8::25", "[2001:db8::25]:25"),
            ("[2001:db8::25]:465", "[2001:db8::25]:465"),
            ("[2001:db8::25]", "[2001:db8::25]:25"),
            ("MX.example.org", "mx.example.org:25"),
            ("mx.example.org:2525", "mx.example.org:2525"),
        ] {
            assert_eq!(text.parse::<NextHopName>().unwrap().to_string(), written, "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", ":25", "a b", "mx.example.org:0", "mx.example.org:x", "0.0.0.0", "192.0.2.256", "{a,b}"]
        {
            assert!(text.parse::<NextHopName>().is_err(), "{text}");
        }
    }
}
