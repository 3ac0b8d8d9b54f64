//! Frames for tests, good and bad.
//!
//! A [`Packet`] starts as a sound one; each method changes one thing. Headers are written by `etherparse`
//! and then broken where a test wants them broken.

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    EtherType, Ethernet2Header, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header, TcpHeader, UdpHeader,
};

use crate::topology;

/// A hardware address.
pub type Mac = [u8; 6];

/// TCP flags of a packet.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a bit of the header and independent of the others"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// SYN.
    pub syn: bool,
    /// ACK.
    pub ack: bool,
    /// FIN.
    pub fin: bool,
    /// RST.
    pub rst: bool,
}

/// SYN.
pub const SYN: Flags = Flags { syn: true, ack: false, fin: false, rst: false };
/// SYN and ACK.
pub const SYN_ACK: Flags = Flags { syn: true, ack: true, fin: false, rst: false };
/// ACK.
pub const ACK: Flags = Flags { syn: false, ack: true, fin: false, rst: false };
/// FIN and ACK.
pub const FIN_ACK: Flags = Flags { syn: false, ack: true, fin: true, rst: false };
/// RST.
pub const RST: Flags = Flags { syn: false, ack: false, fin: false, rst: true };

/// What a packet carries.
#[derive(Clone, Debug)]
enum Upper {
    Tcp { source: u16, destination: u16, flags: Flags },
    Udp { source: u16, destination: u16 },
    Other { protocol: u8, octets: Vec<u8> },
}

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
    const fn number(self) -> u8 {
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
    fn octets(self, next: u8) -> Vec<u8> {
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

    /// The frame.
    ///
    /// # Panics
    ///
    /// When source and destination are not of one family, or a length has no room in its field.
    pub fn build(&self) -> Vec<u8> {
        let mut upper = self.upper_octets();
        if let Some((from, length)) = self.take {
            upper = upper.into_iter().skip(from).take(length).collect();
        }
        let mut network = match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.ipv4(source.octets(), destination.octets(), &upper)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                self.ipv6(source.octets(), destination.octets(), &upper)
            }
            _ => panic!("one family, please"),
        };
        if let Some(version) = self.version {
            network[0] = network[0] & 0x0f | version << 4;
        }
        if let Some(cut) = self.cut {
            network.truncate(cut);
        }
        self.link(&network)
    }

    fn protocol(&self) -> u8 {
        match &self.upper {
            Upper::Tcp { .. } => 6,
            Upper::Udp { .. } => 17,
            Upper::Other { protocol, .. } => *protocol,
        }
    }

    /// The upper header with a right checksum, and the data.
    fn upper_octets(&self) -> Vec<u8> {
        let mut octets = match &self.upper {
            Upper::Tcp { source, destination, flags } => {
                let mut header = TcpHeader::new(*source, *destination, 1000, 65_000);
                header.acknowledgment_number = if flags.ack { 2000 } else { 0 };
                header.syn = flags.syn;
                header.ack = flags.ack;
                header.fin = flags.fin;
                header.rst = flags.rst;
                header.checksum = match (self.source, self.destination) {
                    (IpAddr::V4(from), IpAddr::V4(to)) => {
                        header.calc_checksum_ipv4_raw(from.octets(), to.octets(), &self.payload)
                    }
                    (IpAddr::V6(from), IpAddr::V6(to)) => {
                        header.calc_checksum_ipv6_raw(from.octets(), to.octets(), &self.payload)
                    }
                    _ => panic!("one family, please"),
                }
                .expect("the segment is short");
                header.to_bytes().to_vec()
            }
            Upper::Udp { source, destination } => {
                let header = match (self.source, self.destination) {
                    (IpAddr::V4(from), IpAddr::V4(to)) => UdpHeader::with_ipv4_checksum(
                        *source,
                        *destination,
                        &Ipv4Header::new(0, self.ttl, IpNumber::UDP, from.octets(), to.octets())
                            .expect("an empty packet fits"),
                        &self.payload,
                    ),
                    (IpAddr::V6(from), IpAddr::V6(to)) => UdpHeader::with_ipv6_checksum(
                        *source,
                        *destination,
                        &ipv6_header(from.octets(), to.octets(), self.ttl, 17, 0),
                        &self.payload,
                    ),
                    _ => panic!("one family, please"),
                }
                .expect("the datagram is short");
                header.to_bytes().to_vec()
            }
            Upper::Other { octets, .. } => octets.clone(),
        };
        octets.extend_from_slice(&self.payload);
        octets
    }

    fn ipv4(&self, source: [u8; 4], destination: [u8; 4], upper: &[u8]) -> Vec<u8> {
        let length = u16::try_from(upper.len()).expect("the packet is short");
        let mut header = Ipv4Header::new(0, self.ttl, IpNumber(self.protocol()), source, destination)
            .expect("an empty packet fits");
        header.options = self.options.as_slice().try_into().expect("options are whole words, ten at most");
        header.set_payload_len(usize::from(length)).expect("the packet is short");
        header.identification = 7;
        header.dont_fragment = self.fragment.is_none();
        if let Some((offset, more)) = self.fragment {
            header.fragment_offset = offset.try_into().expect("the offset has 13 bits");
            header.more_fragments = more;
        }
        if let Some(total_length) = self.total_length {
            header.total_len = total_length;
        }
        header.header_checksum = header.calc_header_checksum();
        let mut octets = header.to_bytes().to_vec();
        if let Some(words) = self.header_words {
            octets[0] = 0x40 | words;
        }
        octets.extend_from_slice(upper);
        octets
    }

    fn ipv6(&self, source: [u8; 16], destination: [u8; 16], upper: &[u8]) -> Vec<u8> {
        let last = if self.no_next_header { 59 } else { self.protocol() };
        let mut body = upper.to_vec();
        let mut next = last;
        for extension in self.extensions.iter().rev() {
            let mut octets = extension.octets(next);
            octets.extend_from_slice(&body);
            body = octets;
            next = extension.number();
        }
        let length = u16::try_from(body.len()).expect("the packet is short");
        let length = self.total_length.unwrap_or(length);
        let mut octets = ipv6_header(source, destination, self.ttl, next, length).to_bytes().to_vec();
        octets.extend_from_slice(&body);
        octets
    }

    fn link(&self, network: &[u8]) -> Vec<u8> {
        let ethertype = if self.source.is_ipv4() { 0x0800 } else { 0x86dd };
        let mut header = Ethernet2Header {
            source: self.source_mac,
            destination: self.destination_mac,
            ether_type: EtherType(self.tags.first().map_or(ethertype, |tag| tag.0)),
        }
        .to_bytes()
        .to_vec();
        for (i, (_, control)) in self.tags.iter().enumerate() {
            header.extend_from_slice(&control.to_be_bytes());
            let inner = self.tags.get(i + 1).map_or(ethertype, |tag| tag.0);
            header.extend_from_slice(&inner.to_be_bytes());
        }
        header.extend_from_slice(network);
        header
    }
}

fn ipv6_header(source: [u8; 16], destination: [u8; 16], hop_limit: u8, next: u8, length: u16) -> Ipv6Header {
    Ipv6Header {
        traffic_class: 0,
        flow_label: Ipv6FlowLabel::ZERO,
        payload_length: length,
        next_header: IpNumber(next),
        hop_limit,
        source,
        destination,
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

/// What a forwarded frame must look like: other MAC addresses, TTL one less, IPv4 checksum made right, no
/// octet else.
///
/// # Panics
///
/// When the frame is not an untagged IPv4 or IPv6 frame without extras.
pub fn forwarded(frame: &[u8], source: Mac, destination: Mac) -> Vec<u8> {
    let mut expected = frame.to_vec();
    expected[..6].copy_from_slice(&destination);
    expected[6..12].copy_from_slice(&source);
    match expected[12..14] {
        [0x08, 0x00] => {
            let (mut header, _) = Ipv4Header::from_slice(&expected[14..]).expect("an IPv4 header");
            header.time_to_live -= 1;
            header.header_checksum = header.calc_header_checksum();
            expected[14..14 + header.header_len()].copy_from_slice(&header.to_bytes());
        }
        [0x86, 0xdd] => expected[14 + 7] -= 1,
        _ => panic!("only IP is forwarded"),
    }
    expected
}

/// Ports, flags and addresses of a TCP segment in an untagged frame, where it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Sender.
    pub source: SocketAddr,
    /// Receiver.
    pub destination: SocketAddr,
    /// Flags.
    pub flags: Flags,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgment number.
    pub acknowledgment: u32,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Whether every checksum is right.
    pub sound: bool,
}

/// Reads a TCP segment.
pub fn read_segment(frame: &[u8]) -> Option<Segment> {
    let headers = etherparse::PacketHeaders::from_ethernet_slice(frame).ok()?;
    let tcp = headers.transport.clone()?.tcp()?;
    let payload = headers.payload.slice();
    let (source, destination, ttl, sound) = match headers.net? {
        etherparse::NetHeaders::Ipv4(ip, _) => (
            IpAddr::from(ip.source),
            IpAddr::from(ip.destination),
            ip.time_to_live,
            ip.header_checksum == ip.calc_header_checksum()
                && tcp.calc_checksum_ipv4(&ip, payload) == Ok(tcp.checksum),
        ),
        etherparse::NetHeaders::Ipv6(ip, _) => (
            IpAddr::from(ip.source),
            IpAddr::from(ip.destination),
            ip.hop_limit,
            tcp.calc_checksum_ipv6(&ip, payload) == Ok(tcp.checksum),
        ),
        etherparse::NetHeaders::Arp(_) => return None,
    };
    Some(Segment {
        source: SocketAddr::new(source, tcp.source_port),
        destination: SocketAddr::new(destination, tcp.destination_port),
        flags: Flags { syn: tcp.syn, ack: tcp.ack, fin: tcp.fin, rst: tcp.rst },
        sequence: tcp.sequence_number,
        acknowledgment: tcp.acknowledgment_number,
        ttl,
        sound,
    })
}

#[cfg(test)]
mod tests;
