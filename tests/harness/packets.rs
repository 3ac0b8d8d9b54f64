//! Frames for tests, good and bad.
//!
//! A [`Packet`] starts as a sound one; each method changes one thing. Headers are written by `etherparse`
//! and then broken where a test wants them broken.

mod build;
mod extension;
mod flags;
mod forwarded;
mod segment;

use std::net::{IpAddr, SocketAddr};

pub use self::extension::Extension;
pub use self::flags::{ACK, FIN_ACK, Flags, RST, SYN, SYN_ACK};
pub use self::forwarded::forwarded;
pub use self::segment::{Segment, read_segment};
use crate::topology;

/// A hardware address.
pub type Mac = [u8; 6];

/// What a packet carries.
#[derive(Clone, Debug)]
enum Upper {
    Tcp { source: u16, destination: u16, flags: Flags },
    Udp { source: u16, destination: u16 },
    Other { protocol: u8, octets: Vec<u8> },
}

/// A frame in the making.
#[derive(Clone, Debug)]
pub struct Packet {
    source: IpAddr,
    destination: IpAddr,
    upper: Upper,
    payload: Vec<u8>,
    source_mac: Mac,
    destination_mac: Mac,
    tags: Vec<(u16, u16)>,
    ttl: u8,
    options: Vec<u8>,
    fragment: Option<(u16, bool)>,
    take: Option<(usize, usize)>,
    extensions: Vec<Extension>,
    no_next_header: bool,
    header_words: Option<u8>,
    total_length: Option<u16>,
    version: Option<u8>,
    cut: Option<usize>,
}

impl Packet {
    fn new(source: IpAddr, destination: IpAddr, upper: Upper) -> Self {
        Self {
            source,
            destination,
            upper,
            payload: Vec::new(),
            source_mac: topology::CLIENT_MAC,
            destination_mac: topology::GATEWAY_CLIENT_MAC,
            tags: Vec::new(),
            ttl: 64,
            options: Vec::new(),
            fragment: None,
            take: None,
            extensions: Vec::new(),
            no_next_header: false,
            header_words: None,
            total_length: None,
            version: None,
            cut: None,
        }
    }

    /// A TCP segment. It has the MAC addresses of the client's way to the gateway until [`Self::macs`].
    pub fn tcp(source: SocketAddr, destination: SocketAddr, flags: Flags) -> Self {
        let upper = Upper::Tcp { source: source.port(), destination: destination.port(), flags };
        Self::new(source.ip(), destination.ip(), upper)
    }

    /// A UDP datagram.
    pub fn udp(source: SocketAddr, destination: SocketAddr) -> Self {
        let upper = Upper::Udp { source: source.port(), destination: destination.port() };
        Self::new(source.ip(), destination.ip(), upper)
    }

    /// A packet of another protocol, octets as given.
    pub fn other(source: IpAddr, destination: IpAddr, protocol: u8, octets: &[u8]) -> Self {
        Self::new(source, destination, Upper::Other { protocol, octets: octets.to_vec() })
    }

    /// An echo request, checksum and all.
    ///
    /// # Panics
    ///
    /// When source and destination are not of one family.
    pub fn ping(source: IpAddr, destination: IpAddr) -> Self {
        if source.is_ipv4() {
            Self::other(source, destination, 1, &[8, 0, 0xf7, 0xfd, 0, 1, 0, 1])
        } else {
            let header = etherparse::Icmpv6Header::with_checksum(
                etherparse::Icmpv6Type::EchoRequest(etherparse::IcmpEchoHeader { id: 1, seq: 1 }),
                match source {
                    IpAddr::V6(source) => source.octets(),
                    IpAddr::V4(_) => unreachable!("the source is IPv6"),
                },
                match destination {
                    IpAddr::V6(destination) => destination.octets(),
                    IpAddr::V4(_) => panic!("one family, please"),
                },
                &[],
            )
            .expect("an empty request fits");
            Self::other(source, destination, 58, &header.to_bytes())
        }
    }

    /// GRE around nothing (RFC 2784).
    pub fn gre(source: IpAddr, destination: IpAddr) -> Self {
        Self::other(source, destination, 47, &[0, 0, 8, 0])
    }

    /// With data behind the upper header.
    #[must_use]
    pub fn payload(mut self, octets: &[u8]) -> Self {
        self.payload = octets.to_vec();
        self
    }

    /// With these MAC addresses.
    #[must_use]
    pub fn macs(mut self, source: Mac, destination: Mac) -> Self {
        self.source_mac = source;
        self.destination_mac = destination;
        self
    }

    /// With a VLAN tag inside those given before; `ethertype` is 0x8100 or 0x88a8.
    #[must_use]
    pub fn tag(mut self, ethertype: u16, control: u16) -> Self {
        self.tags.push((ethertype, control));
        self
    }

    /// With this TTL or hop limit.
    #[must_use]
    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    /// With IPv4 options so that the header has this many 32-bit words: 5 to 15.
    #[must_use]
    pub fn options(mut self, header_words: u8) -> Self {
        // No-operation options (RFC 791 §3.1), ended by the end of the list.
        self.options = vec![1; (usize::from(header_words) - 5) * 4];
        if let Some(last) = self.options.last_mut() {
            *last = 0;
        }
        self
    }

    /// As an IPv4 fragment: offset in units of eight octets, and whether more follow. With an offset the
    /// upper header is left out.
    #[must_use]
    pub fn fragment(mut self, offset: u16, more: bool) -> Self {
        self.fragment = Some((offset, more));
        if offset > 0 {
            self.take = Some((usize::from(offset) * 8, usize::MAX));
        }
        self
    }

    /// With only the first `length` octets behind the IP headers: the fragment is that short.
    #[must_use]
    pub fn shortened(mut self, length: usize) -> Self {
        self.take = Some((0, length));
        self
    }

    /// With an extension header behind those given before.
    #[must_use]
    pub fn extension(mut self, extension: Extension) -> Self {
        if let Extension::Fragment(offset, _) = extension
            && offset > 0
        {
            self.take = Some((usize::from(offset) * 8, usize::MAX));
        }
        self.extensions.push(extension);
        self
    }

    /// With "no next header" (59) named by the last header, octets behind it all the same.
    #[must_use]
    pub fn no_next_header(mut self) -> Self {
        self.no_next_header = true;
        self
    }

    /// With a header length that is not true.
    #[must_use]
    pub fn header_words(mut self, words: u8) -> Self {
        self.header_words = Some(words);
        self
    }

    /// With a total length (IPv4) or payload length (IPv6) that is not true.
    #[must_use]
    pub fn total_length(mut self, octets: u16) -> Self {
        self.total_length = Some(octets);
        self
    }

    /// With another IP version in the header than the frame says.
    #[must_use]
    pub fn version(mut self, version: u8) -> Self {
        self.version = Some(version);
        self
    }

    /// Cut to this many octets behind the Ethernet header and tags, lengths in headers unchanged.
    #[must_use]
    pub fn cut(mut self, octets: usize) -> Self {
        self.cut = Some(octets);
        self
    }
}

/// A frame of another protocol than IP: an ARP request of the client for the gateway (RFC 826).
pub fn arp_request() -> Vec<u8> {
    let mut frame = Vec::from([0xff; 6]);
    frame.extend_from_slice(&topology::CLIENT_MAC);
    frame.extend_from_slice(&[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend_from_slice(&topology::CLIENT_MAC);
    frame.extend_from_slice(&[10, 77, 1, 2]);
    frame.extend_from_slice(&[0; 6]);
    frame.extend_from_slice(&[10, 77, 1, 1]);
    frame.resize(60, 0);
    frame
}

#[cfg(test)]
mod tests;
