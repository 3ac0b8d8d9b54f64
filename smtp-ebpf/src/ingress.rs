//! The way of a packet through the program: parse, look up, and ask the flow or the rules.

use smtp_common::classify::{FlowStep, by_flow};
use smtp_common::flow::{NO_RULE_ID, TCP, UDP};
use smtp_common::packet_path::PathReason;
use smtp_common::port::Port;
use smtp_common::verdict::PacketVerdict;

use crate::asked::{Asked, DECIDE, FOLLOW, HAND_OVER, NOWHERE, READ};
use crate::decide;
use crate::family::{Packet, PacketV4, PacketV6};
use crate::forward::{Sent, forward};
use crate::frame::{Frame, Tag};
use crate::parse::{self, Ethernet};
use crate::steer::Outcome;
use crate::{follow, hand_over, heartbeat, maps, table};

/// Judges a packet and does what was decided; returns the program's action.
#[inline(always)]
pub(crate) fn ingress<F: Frame>(frame: F) -> i32 {
    frame.unwrap_tags();
    frame.linearise();
    let Some(port) = maps::port(frame.ifindex()) else {
        return frame.steer(Some(Outcome::lone(
            PacketVerdict::stack(PathReason::INGRESS_NOT_LISTED),
            0,
            &frame,
        )));
    };
    // SAFETY: the packet's own bounds.
    let Some(ethernet) = (unsafe { parse::read::<Ethernet>(frame.start(), frame.end(), 0) }) else {
        return frame.stack(port, PathReason::NOT_IP);
    };
    match frame.tag() {
        Tag::None => {}
        Tag::Priority => return priority_tagged(frame, port, ethernet.ethertype),
        Tag::Vlan => return frame.stack(port, PathReason::TAGGED),
    }
    match ethernet.ethertype {
        parse::ETHERTYPE_IPV4 => family::<F, PacketV4>(frame, port, plain::<F, PacketV4>(frame, port)),
        parse::ETHERTYPE_IPV6 => family::<F, PacketV6>(frame, port, plain_ipv6(frame, port)),
        tag if parse::ETHERTYPE_TAGS.contains(&tag) => frame.stack(port, PathReason::TAGGED),
        _ => frame.stack(port, PathReason::NOT_IP),
    }
}

/// A frame of this interface whose last tag could not be taken off: judged like any other, but forwarded by the
/// kernel.
#[inline(always)]
fn priority_tagged<F: Frame>(frame: F, port: &'static Port, ethertype: u16) -> i32 {
    match ethertype {
        parse::ETHERTYPE_IPV4 => decide::without_flow::<F, PacketV4>(frame, port),
        parse::ETHERTYPE_IPV6 => decide::without_flow::<F, PacketV6>(frame, port),
        // The kernel takes off any number of such tags and forwards what is inside; this program does not.
        tag if parse::ETHERTYPE_TAGS.contains(&tag) => {
            let verdict = PacketVerdict::drop(PathReason::UNREADABLE_GUARDED);
            frame.steer(Some(Outcome::lone(verdict, port.number, &frame)))
        }
        _ => frame.stack(port, PathReason::TAGGED),
    }
}

/// What the fast way said; then, if they are asked for, the slower ones. They are called from here and not from within
/// each other, so that their stack frames do not add up, and so that the verifier meets each of them once.
#[inline(always)]
fn family<F: Frame, P: Packet>(frame: F, port: &'static Port, mut action: i32) -> i32 {
    if action == READ {
        action = known::<F, P>(frame, port);
    }
    if action == FOLLOW {
        action = follow::follow_and_forward::<F, P>(frame);
    }
    if action == DECIDE {
        action = decide::decide_and_forward::<F, P>(frame);
    }
    if action == HAND_OVER {
        action = hand_over::hand_over::<F, P>(frame);
    }
    action
}

/// Plain packets of known flows that need nothing but forwarding: what nearly all packets are. It asks the same
/// questions as [`known`], whose answers need no memory here, since all that is not plain is left to it.
///
/// Inlined: where the kernel guards returns (`retbleed` and `srso`), one costs as much as a look-up.
#[inline(always)]
fn plain<F: Frame, P: Packet>(frame: F, port: &'static Port) -> i32 {
    // SAFETY: the packet's own bounds.
    let Some(ethernet) = (unsafe { parse::read::<Ethernet>(frame.start(), frame.end(), 0) }) else {
        return READ;
    };
    if !ethernet.is_for(&port.mac) {
        return READ;
    }
    let Some(packet) = P::parse_plain(&frame) else {
        return READ;
    };
    let Some(settings) = maps::settings() else {
        return READ;
    };
    let Some(found) = table::find(&packet, &settings.hash_keys) else {
        return READ;
    };
    let state = P::state(found.entry);
    // SAFETY: a map value.
    let step = by_flow(
        &packet.common().headers,
        unsafe { &*state },
        maps::active().generation(),
        packet.side() as usize,
        port.number,
    );
    if step != FlowStep::Forward {
        return READ;
    }
    match forward(&frame, &packet, port, state, heartbeat::now_tick(settings)) {
        Sent::Done(outcome) => frame.steer(outcome),
        Sent::Stale => READ,
    }
}

/// The same for IPv6, apart: its keys would make the entry's stack frame too large for those of the slower ways.
#[inline(never)]
fn plain_ipv6<F: Frame>(frame: F, port: &'static Port) -> i32 {
    plain::<F, PacketV6>(frame, port)
}

/// Packets of which more has to be read, or whose flow is not known; they may still need nothing but forwarding.
#[inline(never)]
fn known<F: Frame, P: Packet>(frame: F, port: &'static Port) -> i32 {
    // One after the other: an `Option` that waits for another one is carried on undefined where it is `None`,
    // which the verifier does not let pass.
    // SAFETY: the packet's own bounds.
    let Some(ethernet) = (unsafe { parse::read::<Ethernet>(frame.start(), frame.end(), 0) }) else {
        return frame.stack(port, PathReason::UNREADABLE);
    };
    if !ethernet.is_for(&port.mac) {
        // Broadcast and multicast are for the gateway's own stack, other addresses are not for it at all.
        let reason = if ethernet.is_for_group() { PathReason::LOCAL } else { PathReason::OTHER_HOST };
        return frame.stack(port, reason);
    }
    let Some(packet) = P::parse(&frame) else {
        return frame.stack(port, PathReason::UNREADABLE);
    };
    let Some(settings) = maps::settings() else {
        return frame.stack(port, PathReason::NO_POLICY);
    };
    let now = heartbeat::now_tick(settings);
    let headers = packet.common().headers;
    let has_flow = headers.obstacle.ports_known() && (headers.protocol == TCP || headers.protocol == UDP);
    let mut index = NOWHERE;
    if has_flow && let Some(known) = table::find(&packet, &settings.hash_keys) {
        index = known.index;
        let state = P::state(known.entry);
        // SAFETY: a map value.
        let step = by_flow(
            &headers,
            unsafe { &*state },
            maps::active().generation(),
            packet.side() as usize,
            port.number,
        );
        match step {
            FlowStep::Forward => {
                if let Sent::Done(outcome) = forward(&frame, &packet, port, state, now) {
                    return frame.steer(outcome);
                }
            }
            FlowStep::Follow => {
                return ask(frame, port, Asked { packet, index, now, rule: NO_RULE_ID, hit: 0 }, FOLLOW);
            }
            FlowStep::Stack(reason) => return frame.stack(port, reason),
            // XDP leaves it to TC.
            FlowStep::Inspect if F::IS_XDP => return frame.steer(None),
            FlowStep::Inspect => {
                return ask(frame, port, Asked { packet, index, now, rule: NO_RULE_ID, hit: 0 }, HAND_OVER);
            }
            FlowStep::Decide => {}
        }
    }
    ask(frame, port, Asked { packet, index, now, rule: NO_RULE_ID, hit: 0 }, DECIDE)
}

/// Puts the packet where the slower ways read it.
#[inline(always)]
fn ask<F: Frame, P: Packet>(frame: F, port: &Port, asked: Asked<P>, way: i32) -> i32 {
    if asked.put() { way } else { frame.stack(port, PathReason::NO_POLICY) }
}
