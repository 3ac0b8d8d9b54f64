//! What a rule says about protocol and destination port.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::policy::suggest;

/// A protocol and its destination ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Every protocol, with or without ports.
    Any,
    /// Ports of TCP.
    Tcp(PortRange),
    /// Ports of UDP.
    Udp(PortRange),
}

impl Service {
    /// Services with a name: SMTP (RFC 5321), implicit TLS and submission (RFC 8314, RFC 6409).
    pub const NAMED: [(&'static str, Self); 3] = [
        ("smtp", Self::Tcp(PortRange::single(25))),
        ("smtps", Self::Tcp(PortRange::single(465))),
        ("submission", Self::Tcp(PortRange::single(587))),
    ];

    /// Every port of TCP.
    pub const ALL_TCP: Self = Self::Tcp(PortRange::ALL);

    /// Whether every packet of `other` is one of this service.
    pub fn contains(self, other: Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Tcp(ports), Self::Tcp(inner)) | (Self::Udp(ports), Self::Udp(inner)) => {
                ports.contains(inner.first) && ports.contains(inner.last)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = Self::NAMED.iter().find(|(_, service)| service == self) {
            return f.write_str(name);
        }
        let (protocol, ports) = match self {
            Self::Any => return f.write_str("any"),
            Self::Tcp(ports) => ("tcp", ports),
            Self::Udp(ports) => ("udp", ports),
        };
        if *ports == PortRange::ALL { f.write_str(protocol) } else { write!(f, "{protocol}/{ports}") }
    }
}

impl FromStr for Service {
    type Err = ServiceError;

    fn from_str(text: &str) -> Result<Self, ServiceError> {
        recognise(text).unwrap_or_else(|| Err(unknown(text)))
    }
}

impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Ports from a first to a last one, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// Every port.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    /// One port.
    pub const fn single(port: u16) -> Self {
        Self { first: port, last: port }
    }

    /// Ports from `first` to `last`.
    pub fn new(first: u16, last: u16) -> Result<Self, ServiceError> {
        if first <= last { Ok(Self { first, last }) } else { Err(backward("tcp", first, last)) }
    }

    /// First port.
    pub const fn first(self) -> u16 {
        self.first
    }

    /// Last port.
    pub const fn last(self) -> u16 {
        self.last
    }

    /// Whether `port` is in the range.
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }

    fn parse(protocol: &str, text: &str) -> Result<Self, ServiceError> {
        let (first_text, last_text) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (port(first_text)?, port(last_text)?);
        if first <= last { Ok(Self { first, last }) } else { Err(backward(protocol, first, last)) }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// Why a text is not a service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// Neither a name nor a protocol that rules know.
    #[error(
        "`{text}` is not a service; expected `smtp`, `smtps`, `submission`, `tcp/PORT`, `tcp/FIRST-LAST`, \
         the same with `udp`, or `any`"
    )]
    Unknown {
        /// What was written.
        text: String,
        /// What was probably meant.
        suggestion: Option<String>,
    },
    /// Not a number from 0 to 65535.
    #[error("`{text}` is not a port from 0 to 65535")]
    Port {
        /// What was written.
        text: String,
    },
    /// The range ends before it begins.
    #[error("the port range {first}-{last} ends before it begins")]
    Backward {
        /// First port.
        first: u16,
        /// Last port.
        last: u16,
        /// The range the other way round.
        suggestion: String,
    },
}

impl ServiceError {
    /// What to write instead, where that can be told.
    pub fn suggestion(&self) -> Option<String> {
        match self {
            Self::Unknown { suggestion, .. } => suggestion.clone(),
            Self::Port { .. } => None,
            Self::Backward { suggestion, .. } => Some(suggestion.clone()),
        }
    }
}

fn port(text: &str) -> Result<u16, ServiceError> {
    let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| ServiceError::Port { text: text.to_owned() })
}

fn backward(protocol: &str, first: u16, last: u16) -> ServiceError {
    ServiceError::Backward { first, last, suggestion: format!("{protocol}/{last}-{first}") }
}

/// Reads a service; nothing when its name or protocol is not known.
fn recognise(text: &str) -> Option<Result<Service, ServiceError>> {
    if let Some((_, service)) = Service::NAMED.iter().find(|(name, _)| *name == text) {
        return Some(Ok(*service));
    }
    let (protocol, ports) = match text.split_once('/') {
        Some((protocol, ports)) => (protocol, Some(ports)),
        None => (text, None),
    };
    let ranged = match protocol {
        "any" if ports.is_none() => return Some(Ok(Service::Any)),
        "tcp" => Service::Tcp,
        "udp" => Service::Udp,
        _ => return None,
    };
    Some(ports.map_or(Ok(PortRange::ALL), |ports| PortRange::parse(protocol, ports)).map(ranged))
}

/// Turns round `25/tcp`, puts the protocol before a bare port, and corrects near misses.
fn unknown(text: &str) -> ServiceError {
    let lower = text.to_lowercase();
    let swapped = lower.split_once('/').map(|(ports, protocol)| format!("{protocol}/{ports}"));
    let of_any = lower.strip_prefix("any/").map(|ports| format!("tcp/{ports}"));
    let candidates = [Some(lower.clone()), swapped, of_any, Some(format!("tcp/{lower}"))];
    let words = ["smtp", "smtps", "submission", "tcp", "udp", "any"];
    let suggestion = candidates
        .into_iter()
        .flatten()
        .find(|candidate| *candidate != text && matches!(recognise(candidate), Some(Ok(_))))
        .or_else(|| suggest::closest(text, words).map(str::to_owned));
    ServiceError::Unknown { text: text.to_owned(), suggestion }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn services_are_read_and_shown_in_their_shortest_form() {
        for (text, shown) in [
            ("smtp", "smtp"),
            ("tcp/25", "smtp"),
            ("tcp/25-25", "smtp"),
            ("smtps", "smtps"),
            ("submission", "submission"),
            ("tcp/8000-8100", "tcp/8000-8100"),
            ("udp/53", "udp/53"),
            ("tcp", "tcp"),
            ("udp/0-65535", "udp"),
            ("any", "any"),
        ] {
            assert_eq!(text.parse::<Service>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn slips_are_refused_with_what_was_meant() {
        for (text, suggestion) in [
            ("smpt", Some("smtp")),
            ("SMTP", Some("smtp")),
            ("25", Some("tcp/25")),
            ("25/tcp", Some("tcp/25")),
            ("TCP/25", Some("tcp/25")),
            ("tcp/9-8", Some("tcp/8-9")),
            ("udp/9-8", Some("udp/8-9")),
            ("tcp/65536", None),
            ("tcp/", None),
            ("tcp/+25", None),
            ("tcp/1-2-3", None),
            ("any/25", Some("tcp/25")),
            ("icmp", None),
            ("", None),
        ] {
            let error = text.parse::<Service>().unwrap_err();
            assert_eq!(error.suggestion().as_deref(), suggestion, "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn display_round_trips(tcp: bool, a: u16, b: u16) {
            let range = PortRange::new(a.min(b), a.max(b)).unwrap();
            let service = if tcp { Service::Tcp(range) } else { Service::Udp(range) };
            prop_assert_eq!(service.to_string().parse::<Service>().unwrap(), service);
        }
    }
}
