//! Hands packets of inspected flows to the inspector's sockets, which terminate the connection.

use smtp_common::flow::FlowState;
use smtp_common::inspection::{Inspection, InspectionKey};
use smtp_common::packet_path::PathReason;
use smtp_common::stage::SmtpStage;
use smtp_common::stats::Counter;
use smtp_common::verdict::PacketVerdict;

use crate::asked::Question;
use crate::decide;
use crate::family::Packet;
use crate::frame::Frame;
use crate::steer::Outcome;
use crate::{heartbeat, maps};

/// Hands a packet over; a packet without a socket is refused.
#[inline(never)]
pub(crate) fn hand_over<F: Frame, P: Packet>(frame: F) -> i32 {
    let Some(question) = Question::<P>::read(&frame) else {
        return frame.steer(None);
    };
    let Question { asked, packet, port, found, .. } = question;
    let mut outcome = Outcome::lone(PacketVerdict::inspect(PathReason::RULE_INSPECT), port.number, &frame);
    outcome.rule = asked.rule;
    outcome.hit = asked.hit != 0;
    let mut inspected = question.is_new_syn();
    if !found.is_null() {
        let state = P::state(found);
        // An entry of another kind has been given up already.
        // SAFETY: a map value.
        let (reason, rule) = unsafe { ((*state).reason, (*state).rule) };
        if reason == PathReason::RULE_INSPECT.0 {
            inspected = true;
            outcome.rule = rule;
            follow(state, packet, &outcome, asked.now);
        }
    }
    if frame.assign(packet, inspected) {
        return frame.steer(Some(outcome));
    }
    let mut reason = PathReason::MIDSTREAM_GUARDED;
    if inspected {
        question.release(Counter::FLOWS_REVOKED);
        reason = PathReason::NO_INSPECTOR_SOCKET;
    }
    outcome.verdict = PacketVerdict::refuse(reason);
    decide::refuse::<F, P>(frame, &question, outcome)
}

/// Counts the packet in its flow's entry and follows the flow's life.
#[inline(always)]
fn follow<P: Packet>(state: *mut FlowState, packet: &P, outcome: &Outcome, now: u32) {
    let headers = packet.common().headers;
    let side = (packet.side() & 1) as usize;
    // SAFETY: a map value. Not atomic: a direction of a flow comes in by one queue, so by one CPU.
    unsafe {
        let initiator = (*state).marks.initiator();
        (*state).life = (*state).life.after(headers.protocol, headers.tcp_flags, packet.side(), initiator);
        (*state).ingress[side] = outcome.port;
        (*state).packets[side] = (*state).packets[side].wrapping_add(outcome.packets);
        (*state).octets[side] += u64::from(outcome.octets);
        (*state).last_seen = now;
    }
}

/// Tells the inspector which rule takes the connection that begins with this packet.
#[inline(never)]
pub(crate) fn announce<F: Frame, P: Packet>(frame: F, rule: u16) {
    let Some(question) = Question::<P>::read(&frame) else {
        return;
    };
    let common = question.packet.common();
    let key = InspectionKey {
        address: question.packet.mapped(),
        port: [common.source_port, common.destination_port],
    };
    let value = Inspection {
        session: [0; 16],
        changed_ns: heartbeat::now_ns(),
        ifindex: question.port.ifindex,
        rule,
        policy: maps::active().policy(),
        stage: SmtpStage::NONE.0,
        marks: 0,
        pad: [0; 6],
    };
    // Without room the inspector asks the rules itself.
    let _ = maps::INSPECTIONS.insert(&key, &value, 0);
}
