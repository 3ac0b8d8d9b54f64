//! Whom the originator meant to reach.
//!
//! A diverted connection keeps its addresses: the accepted socket's own address is where the originator's first packet
//! was going. An address that is the listener's own means that somebody called the listener itself.

use std::net::SocketAddr;

/// Whom the originator meant to reach.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginalDestination {
    /// Somebody behind the gateway, or the gateway's own address on a mail port.
    Diverted(SocketAddr),
    /// The listener itself, as nobody's mail server is configured to.
    Direct(SocketAddr),
}

impl OriginalDestination {
    /// The address and port in the originator's packets.
    pub const fn address(self) -> SocketAddr {
        match self {
            Self::Diverted(address) | Self::Direct(address) => address,
        }
    }
}

/// Of an accepted socket's own address and of its listener's.
pub fn original_destination(accepted: SocketAddr, listener: SocketAddr) -> OriginalDestination {
    let accepted = canonical(accepted);
    let listener = canonical(listener);
    // Listeners take every address: only the port tells, and it is one that no rule is about.
    let same_address = listener.ip().is_unspecified() || listener.ip() == accepted.ip();
    if accepted.port() == listener.port() && same_address {
        OriginalDestination::Direct(accepted)
    } else {
        OriginalDestination::Diverted(accepted)
    }
}

/// IPv4 as such, whatever the listener's family.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::{OriginalDestination, original_destination};

    #[test]
    fn only_the_listeners_own_port_is_direct() {
        for (accepted, listener, direct) in [
            ("192.0.2.25:25", "0.0.0.0:40025", false),
            ("192.0.2.25:40025", "0.0.0.0:40025", true),
            ("127.0.0.1:40025", "127.0.0.1:40025", true),
            ("192.0.2.25:40025", "127.0.0.1:40025", false),
            ("[2001:db8::25]:465", "[::]:40026", false),
            ("[2001:db8::25]:40026", "[::]:40026", true),
            ("[::ffff:192.0.2.25]:25", "[::]:40026", false),
        ] {
            let found = original_destination(accepted.parse().unwrap(), listener.parse().unwrap());
            assert_eq!(matches!(found, OriginalDestination::Direct(_)), direct, "{accepted} at {listener}");
        }
    }

    #[test]
    fn a_mapped_address_is_given_as_itself() {
        let found =
            original_destination("[::ffff:192.0.2.25]:25".parse().unwrap(), "[::]:40026".parse().unwrap());
        assert_eq!(found.address(), "192.0.2.25:25".parse().unwrap());
    }
}
