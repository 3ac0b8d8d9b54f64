//! Sends a packet to its flow's next hop.

use smtp_common::abi::MAX_NEXT_HOPS;
use smtp_common::flow::FlowState;
use smtp_common::next_hop::NEXT_HOP_VALID;
use smtp_common::next_hop::NEXT_HOP_XDP_TX;
use smtp_common::packet_path::PathReason;
use smtp_common::port::Port;
use smtp_common::verdict::PacketVerdict;

use crate::family::Packet;
use crate::frame::Frame;
use crate::steer::Outcome;
use crate::{maps, neighbour};

/// What became of it.
pub(crate) enum Sent {
    /// Decided; `None` leaves it to TC.
    Done(Option<Outcome>),
    /// The next hop is not to be believed any more: resolve it again.
    Stale,
}

/// Rewrites the packet and counts it in its flow's entry.
#[inline(always)]
pub(crate) fn forward<F: Frame, P: Packet>(
    frame: &F,
    packet: &P,
    port: &Port,
    state: *mut FlowState,
    now: u32,
) -> Sent {
    let common = packet.common();
    let side = (packet.side() & 1) as usize;
    // SAFETY: a map value, here and below.
    let (index, reason, rule) =
        unsafe { ((*state).next_hop[side], PathReason((*state).reason), (*state).rule) };
    let index = u32::from(index);
    if index == 0 || index >= MAX_NEXT_HOPS {
        return Sent::Stale;
    }
    let Some(hop) = maps::next_hop(index) else {
        return Sent::Stale;
    };
    // SAFETY: a map value.
    let (flags, mtu, ifindex, tx_port) = unsafe { ((*hop).flags, (*hop).mtu, (*hop).ifindex, (*hop).port) };
    if flags & NEXT_HOP_VALID == 0 || neighbour::is_stale(hop, now) {
        return Sent::Stale;
    }
    if F::IS_XDP && flags & NEXT_HOP_XDP_TX == 0 {
        return Sent::Done(None);
    }
    let packets = frame.segments();
    let octets = frame.length(common.ip_length);
    let mut outcome = Outcome {
        verdict: PacketVerdict::forward(reason),
        rule,
        hit: false,
        port: port.number,
        packets,
        octets,
        ifindex,
        tx_port,
    };
    if frame.largest_packet(common.ip_length, common.header_length) > mtu {
        outcome.verdict = PacketVerdict::stack(PathReason::TOO_BIG);
        return Sent::Done(Some(outcome));
    }
    let (start, end) = (frame.start(), frame.end());
    if start + 14 > end {
        outcome.verdict = PacketVerdict::stack(PathReason::UNREADABLE);
        return Sent::Done(Some(outcome));
    }
    // SAFETY: in bounds, as just checked; words of four octets, as the header's halves are on this target.
    unsafe {
        let macs = (&raw const (*hop).macs).cast::<u32>();
        let header = start as *mut u32;
        *header = *macs;
        *header.add(1) = *macs.add(1);
        *header.add(2) = *macs.add(2);
    }
    if !P::age(frame) {
        outcome.verdict = PacketVerdict::drop(PathReason::UNREADABLE_GUARDED);
        return Sent::Done(Some(outcome));
    }
    // SAFETY: a map value. Not atomic: a direction of a flow comes in by one queue, so by one CPU.
    unsafe {
        (*state).packets[side] = (*state).packets[side].wrapping_add(packets);
        (*state).octets[side] += u64::from(octets);
        (*state).last_seen = now;
    }
    Sent::Done(Some(outcome))
}
