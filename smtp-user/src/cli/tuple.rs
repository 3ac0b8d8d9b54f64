//! A flow on the command line: `tcp 10.77.1.2:40000 10.77.2.2:25`, `tcp [fd77:1::2]:40000 [fd77:2::2]:25`.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};

use serde::{Serialize, Serializer};

use crate::cli::word::{self, WordError};
use crate::packet_path::flows::Flow;
use crate::policy::predict::{Addresses, MixedFamilies};

/// A flow as seen from the end that opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowTuple {
    /// IP protocol: TCP or UDP.
    pub protocol: u8,
    /// Who opens it.
    pub source: SocketAddr,
    /// Whom to.
    pub destination: SocketAddr,
}

impl FlowTuple {
    /// Reads the three words, which may also be one.
    pub fn parse<S: AsRef<str>>(words: &[S]) -> Result<Self, TupleError> {
        let words: Vec<&str> = words.iter().flat_map(|word| word.as_ref().split_whitespace()).collect();
        let [protocol, source, destination] = words.as_slice() else {
            return Err(TupleError::Words { given: words.len() });
        };
        let protocol = word::protocol(protocol)?;
        let (source, destination) = (endpoint(source)?, endpoint(destination)?);
        Addresses::new(source.ip(), destination.ip())?;
        Ok(Self { protocol, source, destination })
    }

    /// Whether a flow of the table has these two ends, whoever opened it.
    pub fn is_of(&self, flow: &Flow) -> bool {
        let [a, b] = flow.address;
        let [port_a, port_b] = flow.port;
        let ends = (SocketAddr::new(a, port_a), SocketAddr::new(b, port_b));
        flow.protocol == self.protocol
            && (ends == (self.source, self.destination) || ends == (self.destination, self.source))
    }
}

impl fmt::Display for FlowTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", word::protocol_name(self.protocol), self.source, self.destination)
    }
}

impl Serialize for FlowTuple {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why words are not a flow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TupleError {
    /// Something is missing, or too much.
    #[error("a flow is three words, such as `tcp 10.77.1.2:40000 10.77.2.2:25`, not {given}")]
    Words {
        /// How many there are.
        given: usize,
    },
    /// Neither TCP nor UDP.
    #[error(transparent)]
    Protocol(#[from] WordError),
    /// Usually a missing port, or IPv6 without brackets.
    #[error("`{text}` is not an address with a port, such as `10.77.2.2:25` or `[fd77:2::2]:25`{}", hint(suggestion.as_deref()))]
    Endpoint {
        /// What was written.
        text: String,
        /// The same as it was probably meant.
        suggestion: Option<String>,
    },
    /// One end IPv4, the other IPv6.
    #[error(transparent)]
    Families(#[from] MixedFamilies),
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map(|text| format!("; did you mean `{text}`?")).unwrap_or_default()
}

fn endpoint(text: &str) -> Result<SocketAddr, TupleError> {
    text.parse().map_err(|_| TupleError::Endpoint { text: text.to_owned(), suggestion: meant(text) })
}

/// IPv6 without brackets around it; what follows the last colon is taken for the port.
fn meant(text: &str) -> Option<String> {
    let (address, port) = text.rsplit_once(':')?;
    let address: Ipv6Addr = address.parse().ok()?;
    let port: u16 = port.parse().ok()?;
    Some(SocketAddr::new(address.into(), port).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_of_both_families_are_read() {
        for text in ["tcp 10.77.1.2:40000 10.77.2.2:25", "udp [fd77:1::2]:53 [fd77:2::2]:53"] {
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!(FlowTuple::parse(&words).unwrap().to_string(), text);
            assert_eq!(FlowTuple::parse(&[text]).unwrap().to_string(), text);
        }
    }

    #[test]
    fn slips_are_refused_with_what_was_meant() {
        for (text, hint) in [
            ("tcp 10.77.1.2:40000", "three words"),
            ("icmp 10.77.1.2:1 10.77.2.2:25", "not a protocol"),
            ("tpc 10.77.1.2:1 10.77.2.2:25", "did you mean `tcp`?"),
            ("tcp 10.77.1.2 10.77.2.2:25", "`10.77.1.2` is not an address with a port"),
            ("tcp fd77:1::2:40000 [fd77:2::2]:25", "did you mean `[fd77:1::2]:40000`?"),
            ("tcp 10.77.1.2:1 [fd77:2::2]:25", "not of one address family"),
        ] {
            let error = FlowTuple::parse(&[text]).unwrap_err().to_string();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }
}
