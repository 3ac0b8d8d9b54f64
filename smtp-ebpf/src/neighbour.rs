//! Resolves next hops with the kernel's own routing and neighbour tables.

use aya_ebpf::bindings::bpf_fib_lookup;
use smtp_common::abi::MAX_NEXT_HOPS;
use smtp_common::next_hop::{NEXT_HOP_VALID, NEXT_HOP_XDP_TX, NextHop};
use smtp_common::packet_path::PathReason;
use smtp_common::port::PORT_XDP_TX;
use smtp_common::stats::Counter;
use smtp_common::tick;

use crate::family::Packet;
use crate::frame::Frame;
use crate::rules::neighbour_key;
use crate::{atomic, heartbeat, maps, stats};

/// A resolved next hop, or why there is none, in one register: egress interface (32 bits), reason (8), unused
/// (8), index (16). The reason is 0 when there is a next hop.
#[derive(Clone, Copy)]
pub(crate) struct Resolved(u64);

impl Resolved {
    #[inline(always)]
    fn found(ifindex: u32, index: u32) -> Self {
        Self(u64::from(ifindex) << 32 | u64::from(index & 0xffff))
    }

    #[inline(always)]
    fn failed(ifindex: u32, reason: PathReason) -> Self {
        Self(u64::from(ifindex) << 32 | u64::from(reason.0) << 24)
    }

    /// Egress interface; meaningless when there is no route.
    #[inline(always)]
    pub(crate) const fn ifindex(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Why there is no next hop.
    #[inline(always)]
    pub(crate) const fn reason(self) -> Option<PathReason> {
        match (self.0 >> 24) as u8 {
            0 => None,
            code => Some(PathReason(code)),
        }
    }

    /// Index of the next hop; 0 when there is none.
    #[inline(always)]
    pub(crate) const fn index(self) -> u16 {
        self.0 as u16
    }
}

// enum of `bpf_fib_lookup` results, include/uapi/linux/bpf.h.
const FIB_SUCCESS: i64 = 0;
const FIB_BLACKHOLE: i64 = 1;
const FIB_PROHIBIT: i64 = 3;
const FIB_NOT_FORWARDED: i64 = 4;
const FIB_FORWARDING_DISABLED: i64 = 5;
const FIB_LIGHTWEIGHT_TUNNEL: i64 = 6;
const FIB_NO_NEIGHBOUR: i64 = 7;
const FIB_TOO_BIG: i64 = 8;

/// Asks the routing table where this packet goes, and names the next hop; one that is new is made.
#[inline(never)]
pub(crate) fn resolve<F: Frame, P: Packet>(frame: F, packet: &P, now: u32) -> Resolved {
    stats::count(Counter::ROUTE_LOOKUPS);
    let common = packet.common();
    // SAFETY: plain data; all zero is a valid question.
    let mut answer: bpf_fib_lookup = unsafe { core::mem::zeroed() };
    packet.ask(&mut answer);
    answer.l4_protocol = common.headers.protocol;
    answer.sport = common.source_port;
    answer.dport = common.destination_port;
    // A length makes the kernel report the route's MTU; the packet's own is checked later, by packet.
    answer.__bindgen_anon_1.tot_len = 20;
    answer.ifindex = frame.ifindex();
    let reason = match frame.route(&mut answer) {
        FIB_SUCCESS => return next_hop::<P>(&answer, now),
        FIB_BLACKHOLE..=FIB_PROHIBIT => PathReason::NO_ROUTE,
        FIB_NOT_FORWARDED => PathReason::LOCAL,
        FIB_FORWARDING_DISABLED => PathReason::FORWARDING_DISABLED,
        FIB_LIGHTWEIGHT_TUNNEL => PathReason::ENCAPSULATED_ROUTE,
        FIB_NO_NEIGHBOUR => PathReason::NO_NEIGHBOUR,
        FIB_TOO_BIG => PathReason::TOO_BIG,
        _ => PathReason::NO_ROUTE,
    };
    Resolved::failed(answer.ifindex, reason)
}

/// The next hop that the answer names.
#[inline(always)]
fn next_hop<P: Packet>(answer: &bpf_fib_lookup, now: u32) -> Resolved {
    let failed = |reason| Resolved::failed(answer.ifindex, reason);
    let Some(port) = maps::port(answer.ifindex) else {
        return failed(PathReason::EGRESS_NOT_LISTED);
    };
    let mut macs = [0u8; 12];
    macs[..6].copy_from_slice(&answer.dmac);
    macs[6..].copy_from_slice(&answer.smac);
    // SAFETY: the kernel wrote the MTU over the length.
    let mtu = u32::from(unsafe { answer.__bindgen_anon_1.mtu_result });
    let hop = NextHop {
        ifindex: port.ifindex,
        mtu: if mtu < port.mtu { mtu } else { port.mtu },
        macs,
        flags: NEXT_HOP_VALID | if port.flags & PORT_XDP_TX != 0 { NEXT_HOP_XDP_TX } else { 0 },
        port: port.number,
        pad: 0,
        resolved: now,
        pad2: 0,
    };
    let key = neighbour_key(P::neighbour(answer), port.ifindex);
    // SAFETY: an index never changes once it is in the table.
    if let Some(&index) = unsafe { maps::NEXT_HOP_INDEX.get(key) } {
        store(index, &hop);
        return Resolved::found(port.ifindex, index);
    }
    let Some(counter) = maps::next_hop(0) else {
        return failed(PathReason::NEXT_HOP_TABLE_FULL);
    };
    // SAFETY: entry 0 is no next hop; its `resolved` counts the entries in use.
    let index = unsafe {
        let used = &raw mut (*counter).resolved;
        if used.read_volatile() + 1 >= MAX_NEXT_HOPS {
            stats::count(Counter::NEXT_HOP_TABLE_FULL);
            return failed(PathReason::NEXT_HOP_TABLE_FULL);
        }
        atomic::fetch_increment(used) + 1
    };
    store(index, &hop);
    // Another CPU may have been faster; its entry is as good, and this one is not used.
    let _ = maps::NEXT_HOP_INDEX.insert(key, index, BPF_NOEXIST);
    Resolved::found(port.ifindex, index)
}

const BPF_NOEXIST: u64 = 1;

#[inline(always)]
fn store(index: u32, hop: &NextHop) {
    if let Some(entry) = maps::next_hop(index) {
        // SAFETY: a map value; a reader that meets a half-written MAC address sends one frame astray, as it
        // would have a moment earlier.
        unsafe { entry.write(*hop) }
    }
}

/// Ticks after which a next hop is looked at again.
const RECHECK: u32 = tick::from_ms(1_000);

/// Whether the next hop was resolved too long ago to be believed. While the daemon lives it writes changes
/// into the table itself, and the stamp is only renewed.
#[inline(always)]
pub(crate) fn is_stale(hop: *mut NextHop, now: u32) -> bool {
    // SAFETY: a map value.
    let resolved = unsafe { (&raw const (*hop).resolved).read_volatile() };
    if tick::since(resolved, now) <= RECHECK {
        return false;
    }
    if heartbeat::daemon_alive(heartbeat::now_ns()) {
        // SAFETY: a map value.
        unsafe { (&raw mut (*hop).resolved).write_volatile(now) }
        return false;
    }
    true
}
