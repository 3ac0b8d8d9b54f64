//! Asks the rule base about a packet whose flow is not known or not to be believed, and makes or renews the
//! flow's entry when it is to be forwarded.
//!
//! The steps are functions of their own, called one after the other, so that their stack frames do not add up:
//! all frames of a call chain share 512 octets.

use smtp_common::classify::{
    Headers, Obstacle, Orientation, by_addresses, by_rule, keeps_bypass, keeps_inspection, orientation,
};
use smtp_common::flow::{FlowLife, FlowMarks, FlowState, NO_RULE_ID, TCP};
use smtp_common::packet_event::EventKind;
use smtp_common::packet_path::PathReason;
use smtp_common::port::Port;
use smtp_common::rule::{RULE_TRACK_STARTTLS, RuleEntry, protocol_class};
use smtp_common::settings::{GatewaySettings, policy_differs};
use smtp_common::stage::SmtpStage;
use smtp_common::stats::Counter;
use smtp_common::verdict::{PacketVerdict, Steer};

use crate::asked::{Asked, HAND_OVER, Question};
use crate::family::Packet;
use crate::forward::{Sent, forward};
use crate::frame::Frame;
use crate::rules::Match;
use crate::ruling::Ruling;
use crate::steer::Outcome;
use crate::{events, hand_over, heartbeat, maps, neighbour, rules, stats, table};

/// Asks the rules about a packet, and does what they say.
#[inline(never)]
pub(crate) fn decide_and_forward<F: Frame, P: Packet>(frame: F) -> i32 {
    let mut ruling = judge::<F, P>(frame).forget();
    let Some(question) = Question::<P>::read(&frame) else {
        return frame.steer(None);
    };
    if ruling.verdict().steer == Steer::Forward {
        let entry = enter::<F, P>(frame, ruling);
        if entry.is_null() {
            ruling = ruling.instead(PacketVerdict::stack(PathReason::FLOW_TABLE_FULL));
        } else if ruling.hop() == 0 {
            ruling = ruling.instead(PacketVerdict::stack(PathReason::NO_NEIGHBOUR));
        } else {
            return match forward(&frame, question.packet, question.port, P::state(entry), question.asked.now)
            {
                Sent::Done(mut outcome) => {
                    if let Some(outcome) = &mut outcome {
                        outcome.hit = ruling.asked();
                    }
                    frame.steer(outcome)
                }
                Sent::Stale => frame.stack(question.port, PathReason::NO_NEIGHBOUR),
            };
        }
    }
    if !F::IS_XDP && ruling.verdict().steer == Steer::Inspect {
        // Without room in the table the flow is inspected all the same.
        enter::<F, P>(frame, ruling);
        Asked::<P>::decided_by(ruling.rule());
        if question.is_new_syn() {
            hand_over::announce::<F, P>(frame, ruling.rule());
        }
        return HAND_OVER;
    }
    if !F::IS_XDP && ruling.verdict().reason == PathReason::MIDSTREAM_GUARDED {
        // Perhaps a connection of the inspector's own, or one whose entry is gone.
        Asked::<P>::decided_by(ruling.rule());
        return HAND_OVER;
    }
    let mut outcome = Outcome::lone(ruling.verdict(), question.port.number, &frame);
    outcome.rule = ruling.rule();
    outcome.hit = ruling.asked() && ruling.rule() != NO_RULE_ID;
    refuse::<F, P>(frame, &question, outcome)
}

/// Does what was decided about a packet that is not forwarded; tells user space, and the sender if it is
/// refused.
#[inline(always)]
pub(crate) fn refuse<F: Frame, P: Packet>(frame: F, question: &Question<P>, outcome: Outcome) -> i32 {
    let steer = outcome.verdict.steer;
    let action = frame.steer(Some(outcome));
    let finished = steer == Steer::Drop || (!F::IS_XDP && steer != Steer::Stack);
    if !finished {
        return action;
    }
    let kind = if steer == Steer::Drop { EventKind::DROPPED } else { EventKind::REFUSED };
    events::packet(kind, question.packet, outcome.verdict.reason, outcome.rule, question.port.ifindex);
    if steer == Steer::Drop { action } else { frame.reset(question.packet) }
}

/// Finds the verdict, and the next hop if it is to be forwarded. Frees the flow's entry if it is not.
#[inline(never)]
fn judge<F: Frame, P: Packet>(frame: F) -> Ruling {
    let Some(question) = Question::<P>::read(&frame) else {
        return Ruling::INCOMPLETE;
    };
    let active = maps::active();
    let headers = question.packet.common().headers;
    if active.policy() == 0 {
        return Ruling::of(PacketVerdict::stack(PathReason::NO_POLICY));
    }
    // Flags that were not read are 0: no SYN, so both ends are asked about.
    let new_syn = question.is_new_syn();
    if is_banned(question.packet, new_syn) {
        question.release(Counter::FLOWS_REVOKED);
        return Ruling::of(PacketVerdict::drop(PathReason::BANNED));
    }
    if !headers.obstacle.ports_known() {
        return Ruling::of(unreadable(&frame, question.packet, active.slot()));
    }
    let ruling = if new_syn || question.found.is_null() {
        unknown(&frame, &question, active.slot())
    } else {
        known(&question, active.slot(), active.generation())
    }
    .forget();
    let verdict = ruling.verdict();
    if verdict.steer == Steer::Inspect {
        // Whoever hands it over knows what becomes of an entry.
        return ruling;
    }
    if verdict.steer != Steer::Forward {
        // A new SYN clears its flow, and so does a policy that no longer allows it; a single odd packet does
        // not.
        if new_syn {
            question.release(Counter::FLOWS_REPLACED);
        } else if !is_packet_level(verdict.reason) {
            question.release(Counter::FLOWS_REVOKED);
        }
        return ruling;
    }
    if question.settings.accelerate == 0 {
        return ruling.instead(PacketVerdict::stack(PathReason::ACCELERATION_OFF));
    }
    let hop = neighbour::resolve(frame, question.packet, question.asked.now);
    match hop.reason() {
        // The flow is known, only its neighbour is not: the stack carries this packet and asks.
        None | Some(PathReason::NO_NEIGHBOUR) => ruling.with_hop(hop.index()),
        Some(reason) => ruling.instead(PacketVerdict::stack(reason)),
    }
}

/// The ruling on a flow that has an entry.
#[inline(always)]
fn known<P: Packet>(question: &Question<P>, slot: u32, generation: u32) -> Ruling {
    let Question { packet, port, found, .. } = *question;
    let headers = packet.common().headers;
    // SAFETY: a map value.
    let state = unsafe { &*P::state(found) };
    let (side, initiator) = (packet.side(), state.marks.initiator());
    if still_holds(state, generation, side == initiator, port) {
        let verdict = if keeps_inspection(state.reason, None) {
            PacketVerdict::inspect(PathReason::RULE_INSPECT)
        } else {
            packet_level(headers, PacketVerdict::forward(PathReason(state.reason)))
        };
        return Ruling::of(verdict).by_initiator(initiator);
    }
    stats::count(Counter::FLOWS_DECIDED_AGAIN);
    let ingress = initiator_port(state, port, side);
    let Match::Rule(rule) = rules::matching(packet, slot, side != initiator, ingress).into() else {
        return Ruling::INCOMPLETE;
    };
    let verdict = if keeps_inspection(state.reason, rule) {
        PacketVerdict::inspect(PathReason::RULE_INSPECT)
    } else if keeps_bypass(state.reason, rule) {
        packet_level(headers, PacketVerdict::forward(PathReason::INSPECTOR_DOWN_ACCELERATE))
    } else {
        by_rule(&headers, rule, heartbeat::inspector_alive(heartbeat::now_ns()))
    };
    Ruling::of(verdict).by_rule(rule).by_initiator(initiator)
}

/// The ruling on a flow that has no entry, or whose entry a new SYN clears.
#[inline(always)]
fn unknown<F: Frame, P: Packet>(frame: &F, question: &Question<P>, slot: u32) -> Ruling {
    let packet = question.packet;
    let headers = packet.common().headers;
    let Match::Rule(own) = rules::matching(packet, slot, false, frame.ifindex()).into() else {
        return Ruling::INCOMPLETE;
    };
    let (mut initiator, mut rule) = (packet.side(), own);
    if headers.protocol == TCP && !headers.opens() {
        // The other direction's packets come in where this one goes out.
        let egress = neighbour::resolve(*frame, packet, question.asked.now).ifindex();
        let Match::Rule(swapped) = rules::matching(packet, slot, true, egress).into() else {
            return Ruling::INCOMPLETE;
        };
        if orientation(own, swapped, headers.tcp_flags) == Orientation::Swapped {
            (initiator, rule) = (initiator ^ 1, swapped);
        }
    }
    let verdict = by_rule(&headers, rule, heartbeat::inspector_alive(heartbeat::now_ns()));
    Ruling::of(verdict).by_rule(rule).by_initiator(initiator)
}

/// Makes or renews the flow's entry. Null: no room.
#[inline(never)]
fn enter<F: Frame, P: Packet>(frame: F, ruling: Ruling) -> *mut P::Entry {
    let Some(question) = Question::<P>::read(&frame) else {
        return core::ptr::null_mut();
    };
    let Question { asked, packet, port, settings, found } = question;
    let (now, new_syn) =
        (asked.now, packet.common().headers.protocol == TCP && packet.common().headers.opens());
    let generation = maps::active().generation();
    let side = (packet.side() & 1) as usize;
    let protocol = packet.common().headers.protocol;
    let entry = if found.is_null() {
        let Some(claim) = table::claim(packet, settings, now) else {
            events::table_full(packet, port.ifindex);
            return core::ptr::null_mut();
        };
        begin(P::state(claim.entry), packet, ruling, now);
        Asked::<P>::stands_at(claim.index());
        table::publish(&claim, protocol);
        opened::<P>(claim.entry, port, protocol, settings, ruling);
        claim.entry
    } else {
        let state = P::state(found);
        // SAFETY: a map value.
        if new_syn && !is_retransmission(unsafe { &*state }, packet.side()) {
            events::flow::<P>(EventKind::CLOSED, found, protocol, settings);
            stats::count(Counter::FLOWS_CLOSED);
            stats::count(Counter::FLOWS_REPLACED);
            begin(state, packet, ruling, now);
            stats::count(Counter::FLOWS_OPENED);
            opened::<P>(found, port, protocol, settings, ruling);
        } else {
            renew(state, packet, ruling, generation, now);
        }
        found
    };
    let state = P::state(entry);
    // SAFETY: a map value.
    unsafe {
        (*state).next_hop[side] = ruling.hop();
        (*state).ingress[side] = port.number;
        (*state).generation = generation;
    }
    entry
}

/// State of a flow that begins with this packet. Written field by field: a whole one would stand on the stack.
#[inline(always)]
fn begin<P: Packet>(state: *mut FlowState, packet: &P, ruling: Ruling, now: u32) {
    let headers = packet.common().headers;
    let tracked = ruling.flags() & RULE_TRACK_STARTTLS != 0 && headers.protocol == TCP;
    let marks =
        ruling.initiator() as u8 & FlowMarks::INITIATOR_1 | if tracked { FlowMarks::TRACKED } else { 0 };
    // SAFETY: the caller passes a map value.
    unsafe {
        (*state).created = now;
        (*state).last_seen = now;
        (*state).rule = ruling.rule();
        (*state).next_hop = [0; 2];
        (*state).reason = ruling.verdict().reason.0;
        (*state).life = FlowLife::begin(headers.protocol, headers.tcp_flags);
        (*state).stage = SmtpStage::NONE.0;
        (*state).marks = FlowMarks(marks);
        (*state).ingress = [0; 2];
        (*state).packets = [0; 2];
        (*state).octets = [0; 2];
    }
}

/// Brings a known flow up to date with a new decision.
#[inline(always)]
fn renew<P: Packet>(state: *mut FlowState, packet: &P, ruling: Ruling, generation: u32, now: u32) {
    let headers = packet.common().headers;
    // SAFETY: the caller passes a map value.
    unsafe {
        if (*state).generation != generation {
            (*state).next_hop = [0; 2];
            (*state).ingress = [0; 2];
        }
        if ruling.asked() {
            (*state).rule = ruling.rule();
        }
        (*state).reason = ruling.verdict().reason.0;
        (*state).last_seen = now;
        (*state).life =
            (*state).life.after(headers.protocol, headers.tcp_flags, packet.side(), ruling.initiator());
    }
}

/// Counts and reports a new flow.
#[inline(always)]
fn opened<P: Packet>(
    entry: *mut P::Entry,
    port: &Port,
    protocol: u8,
    settings: &GatewaySettings,
    ruling: Ruling,
) {
    let reason = ruling.verdict().reason;
    stats::flow(port.number, reason);
    if reason == PathReason::INSPECTOR_DOWN_ACCELERATE {
        stats::count(Counter::BYPASSED_INSPECTOR_DOWN);
    }
    events::flow::<P>(EventKind::OPENED, entry, protocol, settings);
}

/// Whether a SYN on a known flow is the one that opened it, sent again.
#[inline(always)]
const fn is_retransmission(state: &FlowState, side: u32) -> bool {
    state.life.any(FlowLife::HALF_OPEN) && state.marks.initiator() == side
}

/// Whether the rules need not be asked again: the policy is the one that decided, and the initiator still
/// comes in where it came in. Then only a route changed, or this side is seen for the first time.
#[inline(always)]
const fn still_holds(state: &FlowState, generation: u32, from_initiator: bool, port: &Port) -> bool {
    let ingress = if state.marks.initiator() == 0 { state.ingress[0] } else { state.ingress[1] };
    !policy_differs(state.generation, generation) && (!from_initiator || ingress == port.number)
}

/// Interface by which the initiator comes in, as far as it is known.
#[inline(always)]
fn initiator_port(state: &FlowState, port: &Port, side: u32) -> u32 {
    let initiator = state.marks.initiator();
    if side == initiator {
        return port.ifindex;
    }
    let number = if initiator == 0 { state.ingress[0] } else { state.ingress[1] };
    maps::port_of_number(number).map_or(0, |port| port.ifindex)
}

/// Whether either end is banned; of a new connection only the end that asks for it.
#[inline(never)]
fn is_banned<P: Packet>(packet: &P, new_syn: bool) -> bool {
    let now_ns = heartbeat::now_ns();
    let [source, destination] = packet.mapped();
    rules::is_banned(&source, now_ns) || (!new_syn && rules::is_banned(&destination, now_ns))
}

/// A verdict on a flow, unless this packet is for the kernel.
#[inline(always)]
fn packet_level(headers: Headers, verdict: PacketVerdict) -> PacketVerdict {
    if headers.obstacle != Obstacle::NONE {
        PacketVerdict::stack(headers.obstacle.stack_reason())
    } else if headers.ttl <= 1 {
        PacketVerdict::stack(PathReason::TTL_EXCEEDED)
    } else {
        verdict
    }
}

/// Whether a reason speaks of one packet rather than of its flow.
#[inline(always)]
fn is_packet_level(reason: PathReason) -> bool {
    matches!(
        reason,
        PathReason::TTL_EXCEEDED
            | PathReason::IP_OPTIONS
            | PathReason::EXTENSION_HEADER
            | PathReason::FRAGMENT
    )
}

/// A packet whose ports cannot be read.
#[inline(always)]
fn unreadable<F: Frame, P: Packet>(frame: &F, packet: &P, slot: u32) -> PacketVerdict {
    let headers = packet.common().headers;
    // Its protocol field may be the very thing that cannot be read: an unknown one counts as TCP.
    let class = match protocol_class(headers.protocol) {
        0 => protocol_class(TCP),
        class => class,
    };
    let guarded = rules::possibly_guarded(packet, slot, class, frame.ifindex());
    let Match::Rule(certain) = rules::certain(packet, slot, class, frame.ifindex()).into() else {
        return PacketVerdict::drop(PathReason::POLICY_INCOMPLETE);
    };
    by_addresses(headers.obstacle, guarded, certain)
}

/// Judges a packet by the rules alone; what would be accelerated goes to the stack.
#[inline(never)]
pub(crate) fn without_flow<F: Frame, P: Packet>(frame: F, port: &'static Port) -> i32 {
    let packet = P::parse(&frame);
    let verdict =
        packet.map_or(PacketVerdict::stack(PathReason::UNREADABLE), |packet| rules_only(&frame, &packet));
    frame.steer(Some(Outcome::lone(verdict, port.number, &frame)))
}

#[inline(always)]
fn rules_only<F: Frame, P: Packet>(frame: &F, packet: &P) -> PacketVerdict {
    let active = maps::active();
    let headers = packet.common().headers;
    if active.policy() == 0 {
        return PacketVerdict::stack(PathReason::NO_POLICY);
    }
    if is_banned(packet, true) {
        return PacketVerdict::drop(PathReason::BANNED);
    }
    if !headers.obstacle.ports_known() {
        return unreadable(frame, packet, active.slot());
    }
    let Match::Rule(own) = rules::matching(packet, active.slot(), false, frame.ifindex()).into() else {
        return PacketVerdict::drop(PathReason::POLICY_INCOMPLETE);
    };
    let verdict = by_rule(&headers, own, heartbeat::inspector_alive(heartbeat::now_ns()));
    match verdict.steer {
        Steer::Forward => PacketVerdict::stack(PathReason::TAGGED),
        // A socket is not looked for behind a tag.
        Steer::Inspect => PacketVerdict::refuse(PathReason::NO_INSPECTOR_SOCKET),
        _ => verdict,
    }
}

/// Id of a rule, or of none.
#[inline(always)]
pub(crate) fn id(rule: Option<RuleEntry>) -> u16 {
    rule.map_or(NO_RULE_ID, |rule| rule.id)
}
