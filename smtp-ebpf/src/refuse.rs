//! Answers a refused packet with a reset.

use aya_ebpf::bindings::TC_ACT_SHOT;
use aya_ebpf::helpers::generated::{bpf_redirect, bpf_skb_change_tail};
use smtp_common::flow::{TCP, TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN};
use smtp_common::stats::Counter;

use crate::family::{Common, Packet};
use crate::frame::{ETH_BYTES, Frame, TcFrame};
use crate::{parse, stats};

/// Turns the packet into a reset and sends it back where it came from (RFC 9293 §3.5.2).
#[inline(never)]
pub(crate) fn reset<P: Packet>(frame: TcFrame, packet: &P) -> i32 {
    let sent = reset_tcp(&frame, packet.common()).and_then(|tcp| P::reset(&frame, tcp));
    if let Some(action) = sent {
        stats::count(Counter::RESETS_SENT);
        action
    } else {
        stats::count(Counter::RESETS_FAILED);
        TC_ACT_SHOT
    }
}

/// TCP header of a reset.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct ResetTcp {
    source: u16,
    destination: u16,
    sequence: [u16; 2],
    acknowledgement: [u16; 2],
    offset_flags: u16,
    window: u16,
    checksum: u16,
    urgent: u16,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct ResetV4 {
    ethernet: [u16; 7],
    ip: [u16; 10],
    tcp: ResetTcp,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct ResetV6 {
    ethernet: [u16; 7],
    ip: [u16; 20],
    tcp: ResetTcp,
}

/// The TCP header of the reset; `None` when the packet must not be answered.
#[inline(always)]
fn reset_tcp(ctx: &TcFrame, common: &Common) -> Option<ResetTcp> {
    if common.headers.protocol != TCP || common.headers.tcp_flags & TCP_RST != 0 {
        return None;
    }
    let offset = (ETH_BYTES + (common.transport & 0x3fff)) as usize;
    // SAFETY: the packet's own bounds.
    let (sequence, acknowledgement) = unsafe {
        (
            parse::read::<[u16; 2]>(ctx.start(), ctx.end(), offset + 4)?,
            parse::read::<[u16; 2]>(ctx.start(), ctx.end(), offset + 8)?,
        )
    };
    let flags = common.headers.tcp_flags;
    let mut tcp = ResetTcp {
        source: common.destination_port,
        destination: common.source_port,
        sequence: [0; 2],
        acknowledgement: [0; 2],
        offset_flags: (0x5000 | u16::from(TCP_RST)).to_be(),
        window: 0,
        checksum: 0,
        urgent: 0,
    };
    if flags & TCP_ACK != 0 {
        tcp.sequence = acknowledgement;
    } else {
        let payload = common.ip_length.wrapping_sub(common.header_length);
        let length = payload + u32::from(flags & TCP_SYN != 0) + u32::from(flags & TCP_FIN != 0);
        let begin = (u32::from(u16::from_be(sequence[0])) << 16) | u32::from(u16::from_be(sequence[1]));
        let next = begin.wrapping_add(length);
        tcp.acknowledgement = [((next >> 16) as u16).to_be(), (next as u16).to_be()];
        tcp.offset_flags = (0x5000 | u16::from(TCP_RST | TCP_ACK)).to_be();
    }
    Some(tcp)
}

/// Sends a reset over IPv4.
#[inline(always)]
pub(crate) fn reset_v4(ctx: &TcFrame, tcp: ResetTcp) -> Option<i32> {
    // SAFETY: the packet's own bounds.
    let ethernet = unsafe { parse::read::<[u16; 7]>(ctx.start(), ctx.end(), 0)? };
    // SAFETY: the packet's own bounds.
    let addresses = unsafe { parse::read::<[u16; 4]>(ctx.start(), ctx.end(), 26)? };
    let [s0, s1, d0, d1] = addresses;
    let mut reset = ResetV4 {
        ethernet: turned(ethernet),
        ip: [
            0x4500_u16.to_be(),
            40_u16.to_be(),
            0,
            0x4000_u16.to_be(),
            (64 << 8 | 6_u16).to_be(),
            0,
            d0,
            d1,
            s0,
            s1,
        ],
        tcp,
    };
    reset.ip[5] = !fold(sum(&reset.ip));
    let pseudo = [d0, d1, s0, s1, 6_u16.to_be(), 20_u16.to_be()];
    reset.tcp.checksum = !fold(sum(&pseudo) + sum_tcp(&tcp));
    send(ctx, &reset)
}

/// Sends a reset over IPv6.
#[inline(always)]
pub(crate) fn reset_v6(ctx: &TcFrame, tcp: ResetTcp) -> Option<i32> {
    // SAFETY: the packet's own bounds.
    let ethernet = unsafe { parse::read::<[u16; 7]>(ctx.start(), ctx.end(), 0)? };
    // SAFETY: the packet's own bounds.
    let addresses = unsafe { parse::read::<[u16; 16]>(ctx.start(), ctx.end(), 22)? };
    let mut ip = [0_u16; 20];
    ip[0] = 0x6000_u16.to_be();
    ip[2] = 20_u16.to_be();
    ip[3] = (6 << 8 | 64_u16).to_be();
    let mut i = 0;
    while i < 8 {
        ip[4 + i] = addresses[8 + i];
        ip[12 + i] = addresses[i];
        i += 1;
    }
    let mut reset = ResetV6 { ethernet: turned(ethernet), ip, tcp };
    let pseudo = [6_u16.to_be(), 20_u16.to_be()];
    reset.tcp.checksum = !fold(sum(&addresses) + sum(&pseudo) + sum_tcp(&tcp));
    send(ctx, &reset)
}

/// The Ethernet header of the way back.
#[inline(always)]
const fn turned(e: [u16; 7]) -> [u16; 7] {
    [e[3], e[4], e[5], e[0], e[1], e[2], e[6]]
}

/// Puts the reset in the packet's place and sends it out of the interface it came in by.
#[inline(always)]
fn send<T: Copy>(ctx: &TcFrame, reset: &T) -> Option<i32> {
    // SAFETY: the context is valid; the helper checks the length.
    if unsafe { bpf_skb_change_tail(ctx.0, size_of::<T>() as u32, 0) } != 0 {
        return None;
    }
    let (start, end) = (ctx.start(), ctx.end());
    if start + size_of::<T>() > end {
        return None;
    }
    // SAFETY: in bounds, as just checked.
    unsafe { *(start as *mut T) = *reset };
    // SAFETY: takes two numbers.
    Some(unsafe { bpf_redirect(ctx.ifindex(), 0) } as i32)
}

/// One's complement sum, not folded (RFC 1071).
#[inline(always)]
fn sum<const N: usize>(words: &[u16; N]) -> u32 {
    let mut total = 0;
    let mut i = 0;
    while i < N {
        total += u32::from(words[i]);
        i += 1;
    }
    total
}

#[inline(always)]
fn sum_tcp(tcp: &ResetTcp) -> u32 {
    sum(&[
        tcp.source,
        tcp.destination,
        tcp.sequence[0],
        tcp.sequence[1],
        tcp.acknowledgement[0],
        tcp.acknowledgement[1],
        tcp.offset_flags,
    ])
}

#[inline(always)]
const fn fold(total: u32) -> u16 {
    let once = (total & 0xffff) + (total >> 16);
    ((once & 0xffff) + (once >> 16)) as u16
}
