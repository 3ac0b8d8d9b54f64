//! Events for user space. What does not fit into the ring buffer is counted, never waited for.

use smtp_common::flow::NO_RULE_ID;
use smtp_common::packet_event::{EventKind, PacketEvent};
use smtp_common::packet_path::PathReason;
use smtp_common::settings::GatewaySettings;
use smtp_common::stats::Counter;

use crate::family::Packet;
use crate::{heartbeat, maps, stats};

/// Reports what was done with a packet.
#[inline(never)]
pub(crate) fn packet<P: Packet>(kind: EventKind, packet: &P, reason: PathReason, rule: u16, ifindex: u32) {
    if maps::settings().is_none_or(|settings| settings.events & kind.bit() == 0) {
        return;
    }
    let common = packet.common();
    let octets = common.ip_length;
    let [source, destination] = packet.mapped();
    submit(PacketEvent {
        time_ns: heartbeat::now_ns(),
        octets: u64::from(octets),
        packets: 1,
        source,
        destination,
        source_port: u16::from_be(common.source_port),
        destination_port: u16::from_be(common.destination_port),
        ifindex,
        rule,
        kind,
        reason: reason.0,
        protocol: common.headers.protocol,
        stage: 0,
        marks: 0,
        pad: 0,
    });
}

/// Reports a flow: opened, closed, or in another stage. Endpoints are initiator and responder.
#[inline(never)]
pub(crate) fn flow<P: Packet>(
    kind: EventKind,
    entry: *mut P::Entry,
    protocol: u8,
    settings: &GatewaySettings,
) {
    if settings.events & kind.bit() == 0 {
        return;
    }
    // SAFETY: a map value.
    let state = unsafe { &*P::state(entry) };
    let (addresses, ports) = P::endpoints(entry);
    let swapped = state.marks.initiator() == 1;
    let (source, destination) =
        if swapped { (addresses[1], addresses[0]) } else { (addresses[0], addresses[1]) };
    let (source_port, destination_port) = if swapped { (ports[1], ports[0]) } else { (ports[0], ports[1]) };
    submit(PacketEvent {
        time_ns: heartbeat::now_ns(),
        octets: state.octets[0] + state.octets[1],
        packets: u64::from(state.packets[0]) + u64::from(state.packets[1]),
        source,
        destination,
        source_port: u16::from_be(source_port),
        destination_port: u16::from_be(destination_port),
        ifindex: 0,
        rule: state.rule,
        kind,
        reason: state.reason,
        protocol,
        stage: state.stage,
        marks: state.marks.0,
        pad: 0,
    });
}

/// Reports a flow that found no room.
#[inline(always)]
pub(crate) fn table_full<P: Packet>(about: &P, ifindex: u32) {
    packet(EventKind::TABLE_FULL, about, PathReason::FLOW_TABLE_FULL, NO_RULE_ID, ifindex);
}

/// Writes the event where user space will read it; no copy of it stands on the stack.
#[inline(always)]
fn submit(event: PacketEvent) {
    let Some(mut room) = maps::EVENTS.reserve::<PacketEvent>(0) else {
        stats::count(Counter::EVENTS_LOST);
        return;
    };
    room.write(event);
    room.submit(0);
}
