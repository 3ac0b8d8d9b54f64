//! IPv6 extension headers, and what only looks like one.

/// An IPv6 extension header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// Hop-by-hop options (RFC 8200 §4.3).
    HopByHop,
    /// Destination options (RFC 8200 §4.6).
    Destination,
    /// Routing (RFC 8200 §4.4), nothing left to visit.
    Routing,
    /// Authentication (RFC 4302).
    Authentication,
    /// Mobility (RFC 6275 §6.1).
    Mobility,
    /// Fragment (RFC 8200 §4.5): offset in units of eight octets, more to come.
    Fragment(u16, bool),
    /// A number nobody assigned (RFC 3692 §2.1 keeps 253 for experiments).
    Unknown,
    /// Says that it is 255 units long, and is not.
    Overlong,
}

impl Extension {
    /// The number that names it in the header before.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::HopByHop => 0,
            Self::Destination | Self::Overlong => 60,
            Self::Routing => 43,
            Self::Authentication => 51,
            Self::Mobility => 135,
            Self::Fragment(..) => 44,
            Self::Unknown => 253,
        }
    }

    /// Its octets, `next` being the number of what follows.
    pub(super) fn octets(self, next: u8) -> Vec<u8> {
        match self {
            // One PadN option of four octets fills the header (RFC 8200 §4.2).
            Self::HopByHop | Self::Destination | Self::Unknown => vec![next, 0, 1, 4, 0, 0, 0, 0],
            Self::Routing => vec![next, 0, 253, 0, 0, 0, 0, 0],
            // Length in units of four octets, less two.
            Self::Authentication => {
                let mut octets = vec![next, 4];
                octets.resize(24, 0);
                octets
            }
            Self::Mobility => vec![next, 0, 0, 0, 0, 0, 0, 0],
            Self::Fragment(offset, more) => {
                let field = (offset << 3 | u16::from(more)).to_be_bytes();
                vec![next, 0, field[0], field[1], 0, 0, 0, 7]
            }
            Self::Overlong => vec![next, 255, 1, 4, 0, 0, 0, 0],
        }
    }
}
