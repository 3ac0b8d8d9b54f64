//! Bounds-checked reads of Ethernet, IPv4, IPv6, TCP and UDP headers into facts.
//!
//! Never guesses: what cannot be read is an [`Obstacle`] of its own.

mod extension;
mod header;
mod plain;

use smtp_common::classify::{Headers, Obstacle};
use smtp_common::flow::{TCP, UDP};

use self::extension::extension_headers;
pub(crate) use self::header::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_TAGS, Ethernet, Ipv4, Ipv6};
use self::header::{Tcp, Udp};
pub(crate) use self::plain::{plain_ipv4, plain_ipv6};
use crate::frame::{ETH_BYTES, Frame};

/// What was read of an IP packet.
#[derive(Clone, Copy)]
pub(crate) struct Parsed<A> {
    /// Source address.
    pub(crate) source: A,
    /// Destination address.
    pub(crate) destination: A,
    /// Source port, network order; 0 when not known.
    pub(crate) source_port: u16,
    /// Destination port, network order; 0 when not known.
    pub(crate) destination_port: u16,
    /// The rest of the facts.
    pub(crate) headers: Headers,
    /// Octets of the IP packet.
    pub(crate) ip_length: u32,
    /// Octets of IP headers.
    pub(crate) transport: u32,
    /// Octets of IP and transport headers.
    pub(crate) header_length: u32,
    /// Type of service or traffic class.
    pub(crate) traffic_class: u8,
}

/// Reads a value of any type that may have any content.
///
/// # Safety
/// `start` and `end` are the packet's bounds in this program run.
#[inline(always)]
pub(crate) unsafe fn read<T: Copy>(start: usize, end: usize, offset: usize) -> Option<T> {
    if start + offset + size_of::<T>() > end {
        return None;
    }
    // SAFETY: in bounds, as just checked. Alignment is not the processor's concern on this target, and one
    // load instead of one per octet is what keeps the fast path fast.
    Some(unsafe { *((start + offset) as *const T) })
}

/// Whether the headers of an ordinary packet, without options or extension headers, can all be read. Pulling more
/// into the linear part of a socket buffer would move the payload, and copying it later would cost more.
#[inline(always)]
pub(crate) fn headers_are_whole(start: usize, end: usize) -> bool {
    // SAFETY: the packet's own bounds.
    unsafe {
        let Some(ethernet) = read::<Ethernet>(start, end, 0) else {
            return false;
        };
        if ethernet.ethertype == ETHERTYPE_IPV4 {
            let Some(ip) = read::<Ipv4>(start, end, ETH_BYTES as usize) else {
                return false;
            };
            return ip.version_length == 0x45 && read::<Tcp>(start, end, ETH_BYTES as usize + 20).is_some();
        }
        let Some(ip) = read::<Ipv6>(start, end, ETH_BYTES as usize) else {
            return false;
        };
        let ordinary =
            ethernet.ethertype == ETHERTYPE_IPV6 && (ip.next_header == TCP || ip.next_header == UDP);
        ordinary && read::<Tcp>(start, end, ETH_BYTES as usize + 40).is_some()
    }
}

const IP_FRAGMENT_OFFSET: u16 = 0x1fff;
const IP_MORE_FRAGMENTS: u16 = 0x2000;

/// Reads an IPv4 packet behind an Ethernet header. `None` when not even its fixed header is there.
///
/// # Safety
/// As for [`read`].
#[inline(always)]
pub(crate) unsafe fn ipv4(start: usize, end: usize) -> Option<Parsed<u32>> {
    // SAFETY: passed on.
    let ip: Ipv4 = unsafe { read(start, end, ETH_BYTES as usize)? };
    let header_length = u32::from(ip.version_length & 0xf) * 4;
    let ip_length = u32::from(u16::from_be(ip.total_length));
    let mut parsed = Parsed {
        source: ip.source,
        destination: ip.destination,
        source_port: 0,
        destination_port: 0,
        headers: Headers { protocol: ip.protocol, tcp_flags: 0, ttl: ip.ttl, obstacle: Obstacle::UNREADABLE },
        ip_length,
        transport: header_length,
        header_length,
        traffic_class: ip.tos,
    };
    if ip.version_length >> 4 != 4 || header_length < 20 || ip_length < header_length {
        return Some(parsed);
    }
    let fragment = u16::from_be(ip.fragment);
    if fragment & IP_FRAGMENT_OFFSET != 0 {
        parsed.headers.obstacle = Obstacle::FRAGMENT;
        return Some(parsed);
    }
    let first_fragment = fragment & IP_MORE_FRAGMENTS != 0;
    let obstacle = if first_fragment {
        Obstacle::FIRST_FRAGMENT
    } else if header_length != 20 {
        Obstacle::OPTIONS
    } else {
        Obstacle::NONE
    };
    // SAFETY: passed on.
    unsafe { transport(start, end, header_length, obstacle, &mut parsed) };
    Some(parsed)
}

/// Reads an IPv6 packet behind an Ethernet header. `None` when not even its fixed header is there.
///
/// # Safety
/// As for [`read`].
#[inline(always)]
pub(crate) unsafe fn ipv6<F: Frame>(frame: &F) -> Option<Parsed<[u32; 4]>> {
    let (start, end) = (frame.start(), frame.end());
    // SAFETY: passed on.
    let ip: Ipv6 = unsafe { read(start, end, ETH_BYTES as usize)? };
    let mut parsed = Parsed {
        source: ip.source,
        destination: ip.destination,
        source_port: 0,
        destination_port: 0,
        headers: Headers {
            protocol: ip.next_header,
            tcp_flags: 0,
            ttl: ip.hop_limit,
            obstacle: Obstacle::UNREADABLE,
        },
        ip_length: u32::from(u16::from_be(ip.payload_length)) + 40,
        transport: 40,
        header_length: 40,
        traffic_class: (ip.version_class[0] << 4) | (ip.version_class[1] >> 4),
    };
    if ip.version_class[0] >> 4 != 6 {
        return Some(parsed);
    }
    if ip.next_header == TCP || ip.next_header == UDP {
        // SAFETY: passed on.
        unsafe { transport(start, end, 40, Obstacle::NONE, &mut parsed) };
        return Some(parsed);
    }
    // SAFETY: passed on.
    unsafe { extension_headers(frame, &mut parsed) };
    Some(parsed)
}

/// Reads ports and flags behind an IP header of `ip_header` octets.
///
/// # Safety
/// As for [`read`].
#[inline(always)]
unsafe fn transport<A>(start: usize, end: usize, ip_header: u32, obstacle: Obstacle, parsed: &mut Parsed<A>) {
    let unreadable =
        if obstacle == Obstacle::FIRST_FRAGMENT { Obstacle::FRAGMENT } else { Obstacle::UNREADABLE };
    let offset = (ETH_BYTES + ip_header) as usize;
    let room = parsed.ip_length.wrapping_sub(ip_header);
    parsed.headers.obstacle = unreadable;
    if parsed.headers.protocol == TCP {
        // SAFETY: passed on.
        let Some(tcp) = (unsafe { read::<Tcp>(start, end, offset) }) else {
            return;
        };
        let length = u32::from(tcp.data_offset >> 4) * 4;
        // Options of a first fragment may go on in the next one; the fixed header may not.
        if room < 20 || length < 20 || (length > room && obstacle != Obstacle::FIRST_FRAGMENT) {
            return;
        }
        parsed.source_port = tcp.source;
        parsed.destination_port = tcp.destination;
        parsed.headers.tcp_flags = tcp.flags;
        parsed.header_length = ip_header + length;
    } else if parsed.headers.protocol == UDP {
        // SAFETY: passed on.
        let Some(udp) = (unsafe { read::<Udp>(start, end, offset) }) else {
            return;
        };
        if room < 8 {
            return;
        }
        parsed.source_port = udp.source;
        parsed.destination_port = udp.destination;
        parsed.header_length = ip_header + 8;
    }
    parsed.headers.obstacle = obstacle;
}
