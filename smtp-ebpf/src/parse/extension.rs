//! IPv6 extension headers: which may be walked, and what is behind them.

use smtp_common::classify::Obstacle;

use super::{Parsed, read, transport};
use crate::frame::{ETH_BYTES, Frame};
use crate::maps;

/// IPv6 headers walked at most (RFC 8200 §4.1 recommends at most one of each, Destination Options twice).
const MAX_EXTENSION_HEADERS: u32 = 8;

/// Walks the extension headers that are allowed, and reads what is behind them.
///
/// # Safety
/// As for [`read`].
#[inline(always)]
pub(super) unsafe fn extension_headers<F: Frame>(frame: &F, parsed: &mut Parsed<[u32; 4]>) {
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
