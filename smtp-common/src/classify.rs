//! The decision on a packet: header facts, flow, rule and signs of life in; verdict out.
//!
//! Pure and loop-free. It never allows by omission: whatever is not positively a case for the
//! accelerated path is left to the kernel, and whatever might belong to a guarded rule (`inspect`,
//! `watch`) and cannot be shown not to is dropped or refused.

use crate::flow::{FlowLife, FlowMarks, FlowState, TCP, TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, UDP};
use crate::heartbeat::WhenDown;
use crate::packet_path::PathReason;
use crate::rule::{RuleAction, RuleEntry};
use crate::verdict::PacketVerdict;

/// What keeps a packet off the kernel program's own paths.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obstacle(pub u8);

impl Obstacle {
    /// Nothing does.
    pub const NONE: Self = Self(0);
    /// IPv4 options; ports were read behind them.
    pub const OPTIONS: Self = Self(1);
    /// IPv6 extension headers that could be walked; ports were read behind them.
    pub const EXTENSION: Self = Self(2);
    /// A first fragment; its ports were read.
    pub const FIRST_FRAGMENT: Self = Self(3);
    /// Another fragment, or one too short for its ports.
    pub const FRAGMENT: Self = Self(4);
    /// A cut, malformed, unknown or too deep header.
    pub const UNREADABLE: Self = Self(5);

    /// Whether ports and flags stand for the packet.
    #[inline(always)]
    pub const fn ports_known(self) -> bool {
        self.0 < Self::FRAGMENT.0
    }

    /// Why the packet is left to the kernel.
    #[inline(always)]
    pub const fn stack_reason(self) -> PathReason {
        match self {
            Self::OPTIONS => PathReason::IP_OPTIONS,
            Self::EXTENSION => PathReason::EXTENSION_HEADER,
            Self::FIRST_FRAGMENT | Self::FRAGMENT => PathReason::FRAGMENT,
            _ => PathReason::UNREADABLE,
        }
    }
}

/// What the headers of a packet say, beside its addresses and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// IP protocol of the upper layer.
    pub protocol: u8,
    /// Flags of the TCP header; 0 for others.
    pub tcp_flags: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// What keeps the packet off the kernel program's paths.
    pub obstacle: Obstacle,
}

impl Headers {
    /// Whether this packet asks for a new connection: a SYN without ACK, or anything that is not TCP.
    #[inline(always)]
    pub const fn opens(&self) -> bool {
        self.protocol != TCP || self.tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST) == TCP_SYN
    }
}

/// What a flow entry says about a packet.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowStep {
    /// Forward; there is nothing to keep track of.
    Forward,
    /// Forward, and write down what the packet changes.
    Follow,
    /// Leave this packet to the kernel.
    Stack(PathReason),
    /// Hand it to the inspector's socket.
    Inspect,
    /// The entry does not answer for this packet: look the rules up again.
    Decide,
}

/// The answer of a flow's entry. `side` sent the packet, which came in by port `ingress`.
#[inline(always)]
pub const fn by_flow(
    headers: &Headers,
    state: &FlowState,
    generation: u32,
    side: usize,
    ingress: u8,
) -> FlowStep {
    // A new SYN clears any verdict; another generation or another way in asks again.
    if state.generation != generation || (headers.protocol == TCP && headers.opens()) {
        return FlowStep::Decide;
    }
    // Indexed by comparison: the verifier need not prove a bound.
    let (known_ingress, next_hop) =
        if side == 0 { (state.ingress[0], state.next_hop[0]) } else { (state.ingress[1], state.next_hop[1]) };
    if known_ingress != ingress || next_hop == 0 {
        // An inspected flow has no next hop here, and its ends come in wherever they come in.
        let inspected = state.reason == PathReason::RULE_INSPECT.0;
        return if inspected { FlowStep::Inspect } else { FlowStep::Decide };
    }
    if headers.obstacle.0 != Obstacle::NONE.0 {
        return FlowStep::Stack(headers.obstacle.stack_reason());
    }
    if headers.ttl <= 1 {
        return FlowStep::Stack(PathReason::TTL_EXCEEDED);
    }
    let quiet = headers.tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST) == 0;
    if quiet && state.life.0 == FlowLife::STEADY.0 && !state.marks.any(FlowMarks::TRACKED) {
        FlowStep::Forward
    } else {
        FlowStep::Follow
    }
}

/// The answer of the rule base for a packet whose ports are known; `rule` is the first match.
///
/// `Forward` still depends on a next hop and on room in the flow table.
#[inline(always)]
pub fn by_rule(headers: &Headers, rule: Option<RuleEntry>, inspector_alive: bool) -> PacketVerdict {
    let Some(rule) = rule else {
        return PacketVerdict::stack(PathReason::NO_RULE);
    };
    if rule.action == RuleAction::DROP {
        return PacketVerdict::drop(PathReason::RULE_DROP);
    }
    if rule.action.is_guarded() {
        return guarded(headers, rule, inspector_alive);
    }
    if rule.action != RuleAction::ACCELERATE {
        return PacketVerdict::stack(PathReason::RULE_STACK);
    }
    on_kernel_path(headers, PathReason::RULE_ACCELERATE)
}

/// Traffic that must not pass unseen.
#[inline(always)]
fn guarded(headers: &Headers, rule: RuleEntry, inspector_alive: bool) -> PacketVerdict {
    if headers.protocol != TCP {
        return PacketVerdict::drop(PathReason::GUARDED_PROTOCOL);
    }
    if headers.obstacle == Obstacle::FIRST_FRAGMENT {
        return PacketVerdict::drop(PathReason::FRAGMENT_GUARDED);
    }
    if !headers.opens() {
        return PacketVerdict::refuse(PathReason::MIDSTREAM_GUARDED);
    }
    if inspector_alive {
        // A watched flow is inspected from its SYN until there is a hand-over.
        return PacketVerdict::inspect(PathReason::RULE_INSPECT);
    }
    if rule.when_down == WhenDown::ACCELERATE {
        return on_kernel_path(headers, PathReason::INSPECTOR_DOWN_ACCELERATE);
    }
    PacketVerdict::refuse(PathReason::INSPECTOR_DOWN_REFUSE)
}

/// Traffic that may be forwarded, unless its headers are for the kernel.
#[inline(always)]
fn on_kernel_path(headers: &Headers, reason: PathReason) -> PacketVerdict {
    if headers.protocol != TCP && headers.protocol != UDP {
        PacketVerdict::stack(PathReason::PROTOCOL)
    } else if headers.obstacle != Obstacle::NONE {
        PacketVerdict::stack(headers.obstacle.stack_reason())
    } else if headers.ttl <= 1 {
        PacketVerdict::stack(PathReason::TTL_EXCEEDED)
    } else {
        PacketVerdict::forward(reason)
    }
}

/// The answer of the rule base for a packet whose ports are not known: `guarded` if a guarded rule may
/// be meant, and the first rule that matches whatever the ports are.
#[inline(always)]
pub fn by_addresses(obstacle: Obstacle, guarded: bool, certain: Option<RuleEntry>) -> PacketVerdict {
    if guarded {
        let fragment = obstacle == Obstacle::FRAGMENT;
        return PacketVerdict::drop(if fragment {
            PathReason::FRAGMENT_GUARDED
        } else {
            PathReason::UNREADABLE_GUARDED
        });
    }
    match certain {
        Some(rule) if rule.action == RuleAction::DROP => PacketVerdict::drop(PathReason::RULE_DROP),
        _ => PacketVerdict::stack(obstacle.stack_reason()),
    }
}

/// Which end of a packet opened the connection, for a TCP packet that is not a SYN and whose flow is
/// not known: the rule base is asked for both.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// The sender of this packet.
    Own,
    /// The receiver of this packet.
    Swapped,
}

/// A guarded rule in either orientation wins: what may be its traffic is not let by. A SYN-ACK goes to
/// the initiator. Else the orientation in which the policy accelerates, the packet's own first.
#[inline(always)]
pub fn orientation(own: Option<RuleEntry>, swapped: Option<RuleEntry>, tcp_flags: u8) -> Orientation {
    let guarded = |rule: Option<RuleEntry>| matches!(rule, Some(r) if r.action.is_guarded());
    let accelerates = |rule: Option<RuleEntry>| matches!(rule, Some(r) if r.action == RuleAction::ACCELERATE);
    if tcp_flags & TCP_SYN != 0 || (guarded(swapped) && !guarded(own)) {
        return Orientation::Swapped;
    }
    if !guarded(own) && !accelerates(own) && accelerates(swapped) {
        return Orientation::Swapped;
    }
    Orientation::Own
}

/// Whether a flow that is decided again under a guarded rule goes on as it is: it was let by while no
/// inspector was alive, and the rule still says so. Everything else that a guarded rule now covers is
/// refused, since a connection cannot be terminated from its middle.
#[inline(always)]
pub fn keeps_bypass(state_reason: u8, rule: Option<RuleEntry>) -> bool {
    state_reason == PathReason::INSPECTOR_DOWN_ACCELERATE.0
        && matches!(rule, Some(r) if r.action.is_guarded() && r.when_down == WhenDown::ACCELERATE)
}

/// Whether a flow that is decided again stays with the inspector, whose sockets have taken it over: whatever the
/// rules say now, except that it be dropped.
#[inline(always)]
pub fn keeps_inspection(state_reason: u8, rule: Option<RuleEntry>) -> bool {
    state_reason == PathReason::RULE_INSPECT.0 && !matches!(rule, Some(r) if r.action == RuleAction::DROP)
}

#[cfg(test)]
mod tests;
