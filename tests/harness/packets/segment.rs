//! TCP segments, read from frames.

use std::net::{IpAddr, SocketAddr};

use super::Flags;

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
