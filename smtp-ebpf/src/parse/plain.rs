//! Packets that are plain: nothing in their headers but what a packet in the middle of a connection has.

use smtp_common::classify::{Headers, Obstacle};
use smtp_common::flow::{TCP, TCP_FIN, TCP_RST, TCP_SYN, UDP};

use super::header::{Ipv4, Ipv6, Tcp, Udp};
use super::{IP_FRAGMENT_OFFSET, IP_MORE_FRAGMENTS, Parsed, read};
use crate::frame::ETH_BYTES;

/// Ports of a packet whose headers are the ordinary ones and which neither begins nor ends a connection.
///
/// What [`super::transport`] finds in such a packet, without the questions that only other packets raise.
///
/// # Safety
/// As for [`read`].
#[inline(always)]
unsafe fn plain_ports(
    start: usize,
    end: usize,
    protocol: u8,
    ip_header: u32,
    ip_length: u32,
) -> Option<Plain> {
    let offset = (ETH_BYTES + ip_header) as usize;
    if protocol == TCP {
        // SAFETY: passed on.
        let tcp: Tcp = unsafe { read(start, end, offset)? };
        let length = u32::from(tcp.data_offset >> 4) * 4;
        if length < 20 || ip_header + length > ip_length || tcp.flags & (TCP_SYN | TCP_FIN | TCP_RST) != 0 {
            return None;
        }
        Some(Plain { source: tcp.source, destination: tcp.destination, header_length: ip_header + length })
    } else if protocol == UDP {
        // SAFETY: passed on.
        let udp: Udp = unsafe { read(start, end, offset)? };
        if ip_header + 8 > ip_length {
            return None;
        }
        Some(Plain { source: udp.source, destination: udp.destination, header_length: ip_header + 8 })
    } else {
        None
    }
}

/// Ports of a plain packet, network order, and the octets of its headers behind Ethernet's.
struct Plain {
    source: u16,
    destination: u16,
    header_length: u32,
}

/// Reads an IPv4 packet if it is plain: no options, no fragment, a TTL to take from.
///
/// # Safety
/// As for [`read`].
#[inline(always)]
pub(crate) unsafe fn plain_ipv4(start: usize, end: usize) -> Option<Parsed<u32>> {
    // SAFETY: passed on.
    let ip: Ipv4 = unsafe { read(start, end, ETH_BYTES as usize)? };
    let fragment = (IP_FRAGMENT_OFFSET | IP_MORE_FRAGMENTS).to_be();
    if ip.version_length != 0x45 || ip.fragment & fragment != 0 || ip.ttl <= 1 {
        return None;
    }
    let ip_length = u32::from(u16::from_be(ip.total_length));
    // SAFETY: passed on.
    let ports = unsafe { plain_ports(start, end, ip.protocol, 20, ip_length)? };
    Some(plain(ip.source, ip.destination, ip.protocol, ip.ttl, ip_length, 20, &ports))
}

/// Reads an IPv6 packet if it is plain: no extension headers, a hop limit to take from.
///
/// # Safety
/// As for [`read`].
#[inline(always)]
pub(crate) unsafe fn plain_ipv6(start: usize, end: usize) -> Option<Parsed<[u32; 4]>> {
    // SAFETY: passed on.
    let ip: Ipv6 = unsafe { read(start, end, ETH_BYTES as usize)? };
    if ip.version_class[0] >> 4 != 6 || ip.hop_limit <= 1 {
        return None;
    }
    let ip_length = u32::from(u16::from_be(ip.payload_length)) + 40;
    // SAFETY: passed on.
    let ports = unsafe { plain_ports(start, end, ip.next_header, 40, ip_length)? };
    Some(plain(ip.source, ip.destination, ip.next_header, ip.hop_limit, ip_length, 40, &ports))
}

/// A plain packet's facts.
#[inline(always)]
const fn plain<A: Copy>(
    source: A,
    destination: A,
    protocol: u8,
    ttl: u8,
    ip_length: u32,
    ip_header: u32,
    ports: &Plain,
) -> Parsed<A> {
    Parsed {
        source,
        destination,
        source_port: ports.source,
        destination_port: ports.destination,
        // Of the flags only those count that a plain packet does not have.
        headers: Headers { protocol, tcp_flags: 0, ttl, obstacle: Obstacle::NONE },
        ip_length,
        transport: ip_header,
        header_length: ports.header_length,
        traffic_class: 0,
    }
}
