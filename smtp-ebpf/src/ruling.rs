//! A decision in one register, so that it can be handed from one step to the next without a stack frame.

use smtp_common::flow::NO_RULE_ID;
use smtp_common::packet_path::PathReason;
use smtp_common::rule::RuleEntry;
use smtp_common::verdict::{PacketVerdict, Steer};

use crate::{decide, maps};

/// From the low end: reason (8 bits), steer (8), initiator (1), asked (1), unused (6), rule flags (8), rule id
/// (16), next hop (16).
#[derive(Clone, Copy)]
pub(crate) struct Ruling(u64);

impl Ruling {
    /// The policy in the maps is damaged.
    pub(crate) const INCOMPLETE: Self = Self::of(PacketVerdict::drop(PathReason::POLICY_INCOMPLETE));

    /// A verdict that no rule is behind.
    #[inline(always)]
    pub(crate) const fn of(verdict: PacketVerdict) -> Self {
        Self(verdict.reason.0 as u64 | (code(verdict.steer) << 8) | (NO_RULE_ID as u64) << 32)
    }

    /// The same, with the verifier none the wiser.
    #[inline(always)]
    pub(crate) fn forget(self) -> Self {
        Self(maps::forget(self.0))
    }

    /// The same with another verdict.
    #[inline(always)]
    pub(crate) const fn instead(self, verdict: PacketVerdict) -> Self {
        Self(self.0 & !0xffff | verdict.reason.0 as u64 | (code(verdict.steer) << 8))
    }

    /// The same, by a rule, or by none having matched.
    #[inline(always)]
    pub(crate) fn by_rule(self, rule: Option<RuleEntry>) -> Self {
        let flags = rule.map_or(0, |rule| rule.flags);
        let id = decide::id(rule);
        Self(self.0 & !(0xff << 24 | 0xffff << 32) | 1 << 17 | u64::from(flags) << 24 | u64::from(id) << 32)
    }

    /// The same, with the side that opened the flow.
    #[inline(always)]
    pub(crate) const fn by_initiator(self, initiator: u32) -> Self {
        Self(self.0 | ((initiator & 1) as u64) << 16)
    }

    /// The same, with a next hop.
    #[inline(always)]
    pub(crate) const fn with_hop(self, hop: u16) -> Self {
        Self(self.0 | (hop as u64) << 48)
    }

    #[inline(always)]
    pub(crate) const fn verdict(self) -> PacketVerdict {
        let steer = match (self.0 >> 8) as u8 {
            0 => Steer::Forward,
            1 => Steer::Stack,
            2 => Steer::Inspect,
            3 => Steer::Refuse,
            _ => Steer::Drop,
        };
        PacketVerdict { steer, reason: PathReason(self.0 as u8) }
    }

    #[inline(always)]
    pub(crate) const fn initiator(self) -> u32 {
        (self.0 >> 16) as u32 & 1
    }

    /// Whether the rules were asked.
    #[inline(always)]
    pub(crate) const fn asked(self) -> bool {
        self.0 >> 17 & 1 == 1
    }

    #[inline(always)]
    pub(crate) const fn flags(self) -> u8 {
        (self.0 >> 24) as u8
    }

    #[inline(always)]
    pub(crate) const fn rule(self) -> u16 {
        (self.0 >> 32) as u16
    }

    /// Next hop; 0 is "not known yet".
    #[inline(always)]
    pub(crate) const fn hop(self) -> u16 {
        (self.0 >> 48) as u16
    }
}

#[inline(always)]
const fn code(steer: Steer) -> u64 {
    match steer {
        Steer::Forward => 0,
        Steer::Stack => 1,
        Steer::Inspect => 2,
        Steer::Refuse => 3,
        Steer::Drop => 4,
    }
}
