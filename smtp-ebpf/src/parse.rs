//! Bounds-checked reads of Ethernet, IPv4, IPv6, TCP and UDP headers into facts.
//!
//! Never guesses: what cannot be read is an [`Obstacle`] of its own.

use smtp_common::classify::{Headers, Obstacle};
use smtp_common::flow::{TCP, TCP_FIN, TCP_RST, TCP_SYN, UDP};

use crate::frame::{ETH_BYTES, Frame};
use crate::maps;

/// EtherType of IPv4, as it stands in a frame.
pub(crate) const ETHERTYPE_IPV4: u16 = 0x0800_u16.to_be();
/// EtherType of IPv6.
pub(crate) const ETHERTYPE_IPV6: u16 = 0x86dd_u16.to_be();
/// EtherTypes of VLAN tags (802.1Q, 802.1ad, and the older 0x9100).
pub(crate) const ETHERTYPE_TAGS: [u16; 3] = [0x8100_u16.to_be(), 0x88a8_u16.to_be(), 0x9100_u16.to_be()];

/// IPv6 headers walked at most (RFC 8200 §4.1 recommends at most one of each, Destination Options twice).
const MAX_EXTENSION_HEADERS: u32 = 8;

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

/// First twelve octets of a frame, and its EtherType.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Ethernet {
    destination: [u16; 3],
    _source: [u16; 3],
    pub(crate) ethertype: u16,
}

impl Ethernet {
    /// Whether it is for the port with this address. Word by word: comparing octets would call a loop.
    #[inline(always)]
    pub(crate) const fn is_for(&self, mac: &[u8; 6]) -> bool {
        let [a, b, c, d, e, f] = *mac;
        self.destination[0] == u16::from_ne_bytes([a, b])
            && self.destination[1] == u16::from_ne_bytes([c, d])
            && self.destination[2] == u16::from_ne_bytes([e, f])
    }

    /// Whether it is for a group: broadcast or multicast.
    #[inline(always)]
    pub(crate) const fn is_for_group(&self) -> bool {
        self.destination[0].to_ne_bytes()[0] & 1 == 1
    }
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

/// Ports of a packet whose headers are the ordinary ones and which neither begins nor ends a connection.
///
/// What [`transport`] finds in such a packet, without the questions that only other packets raise.
///
/// # Safety
/// As for [`read`].
#[inline(always)]
pub(crate) unsafe fn plain_ports(
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
pub(crate) struct Plain {
    pub(crate) source: u16,
    pub(crate) destination: u16,
    pub(crate) header_length: u32,
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

/// RFC 791.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Ipv4 {
    version_length: u8,
    tos: u8,
    total_length: u16,
    id: u16,
    fragment: u16,
    pub(crate) ttl: u8,
    protocol: u8,
    pub(crate) checksum: u16,
    source: u32,
    destination: u32,
}

/// RFC 8200.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Ipv6 {
    version_class: [u8; 4],
    payload_length: u16,
    next_header: u8,
    pub(crate) hop_limit: u8,
    source: [u32; 4],
    destination: [u32; 4],
}

/// RFC 9293, without options.
#[repr(C)]
#[derive(Clone, Copy)]
struct Tcp {
    source: u16,
    destination: u16,
    sequence: [u16; 2],
    acknowledgement: [u16; 2],
    data_offset: u8,
    flags: u8,
    window: u16,
    checksum: u16,
    urgent: u16,
}

/// RFC 768.
#[repr(C)]
#[derive(Clone, Copy)]
struct Udp {
    source: u16,
    destination: u16,
    length: u16,
    checksum: u16,
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

/// Walks the extension headers that are allowed, and reads what is behind them.
///
/// # Safety
/// As for [`read`].
#[inline(always)]
unsafe fn extension_headers<F: Frame>(frame: &F, parsed: &mut Parsed<[u32; 4]>) {
    // SAFETY: passed on.
    let walked = maps::forget(u64::from(unsafe { walk(*frame, parsed.headers.protocol) })) as u32;
    let (next, offset, obstacle) = (walked as u8, (walked >> 16) & 0x3fff, Obstacle((walked >> 8) as u8));
    parsed.headers.protocol = next;
    parsed.transport = offset;
    parsed.header_length = offset;
    if obstacle.0 >= Obstacle::FRAGMENT.0 {
        parsed.headers.obstacle = obstacle;
        return;
    }
    if offset > parsed.ip_length || !is_in(&UPPER_LAYER, next) {
        return;
    }
    // SAFETY: passed on.
    unsafe { transport(frame.start(), frame.end(), offset, obstacle, parsed) };
}

/// Next header that is not an extension header (8 bits), obstacle (8), octets of all IP headers (16).
///
/// # Safety
/// As for [`read`].
#[inline(never)]
unsafe fn walk<F: Frame>(frame: F, first: u8) -> u32 {
    let (start, end) = (frame.start(), frame.end());
    let mut next = first;
    let mut offset: u32 = 40;
    let mut fragmented = 0;
    let mut count = 0;
    while count <= MAX_EXTENSION_HEADERS {
        if !is_in(&WALKED, next) {
            let obstacle = if fragmented != 0 {
                Obstacle::FIRST_FRAGMENT
            } else if count != 0 {
                Obstacle::EXTENSION
            } else {
                Obstacle::NONE
            };
            return pack(next, obstacle, offset);
        }
        // SAFETY: passed on; the offset stays below 16 KiB, which the verifier must be shown.
        let Some(header) = (unsafe { read::<[u8; 4]>(start, end, (ETH_BYTES + (offset & 0x3fff)) as usize) })
        else {
            break;
        };
        if next == FRAGMENT {
            // The first of several, or an atomic fragment (RFC 6946), is put together by the stack; of any
            // other the ports are not here.
            if header[2] != 0 || header[3] & 0xf8 != 0 {
                return pack(header[0], Obstacle::FRAGMENT, offset);
            }
            fragmented = 1;
            offset += 8;
        } else if next == AUTHENTICATION {
            offset += (u32::from(header[1]) + 2) * 4;
        } else {
            offset += (u32::from(header[1]) + 1) * 8;
        }
        next = header[0];
        count += 1;
    }
    pack(next, Obstacle::UNREADABLE, offset)
}

#[inline(always)]
const fn pack(next: u8, obstacle: Obstacle, offset: u32) -> u32 {
    next as u32 | (obstacle.0 as u32) << 8 | (offset & 0x3fff) << 16
}

/// Fragment header.
const FRAGMENT: u8 = 44;
/// Authentication header (RFC 4302), counted in words of four octets.
const AUTHENTICATION: u8 = 51;

/// A set of protocol numbers.
type Protocols = [u64; 4];

const fn protocols(members: &[u8]) -> Protocols {
    let mut set = [0; 4];
    let mut i = 0;
    while i < members.len() {
        set[(members[i] >> 6) as usize] |= 1 << (members[i] & 63);
        i += 1;
    }
    set
}

/// Whether a number is in a set; without a branch a member, which the verifier would all follow.
#[inline(always)]
const fn is_in(set: &Protocols, number: u8) -> bool {
    let word = match number >> 6 {
        0 => set[0],
        1 => set[1],
        2 => set[2],
        _ => set[3],
    };
    word >> (number & 63) & 1 == 1
}

/// Hop-by-Hop, Routing, Fragment, Authentication, Destination Options (RFC 8200, RFC 4302).
const WALKED: Protocols = protocols(&[0, 43, FRAGMENT, AUTHENTICATION, 60]);

/// Upper-layer protocols; any other number might be an extension header that a host understands and this
/// program does not (RFC 7045).
///
/// ICMP, IGMP, IPIP, TCP, EGP, UDP, DCCP, IPv6, RSVP, GRE, ESP, ICMPv6, No Next Header, EIGRP, OSPF, EtherIP, PIM,
/// VRRP, L2TP, SCTP, UDP-Lite, MPLS-in-IP.
const UPPER_LAYER: Protocols =
    protocols(&[1, 2, 4, 6, 8, 17, 33, 41, 46, 47, 50, 58, 59, 88, 89, 97, 103, 112, 115, 132, 136, 137]);

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
