//! Verdict to action: what XDP and TC return, and the counting that goes with it.
//!
//! A packet is counted once, by the program that finishes it. XDP finishes only what it forwards or drops;
//! everything else goes on to TC.

use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC, xdp_action};
use aya_ebpf::helpers::generated::bpf_redirect;
use smtp_common::flow::NO_RULE_ID;
use smtp_common::packet_path::PathReason;
use smtp_common::verdict::{PacketVerdict, Steer};

use crate::frame::Frame;
use crate::{maps, stats};

/// What is to be done with a packet, and what it is counted as.
#[derive(Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) verdict: PacketVerdict,
    /// Rule id it is counted under.
    pub(crate) rule: u16,
    /// Whether a rule was asked for it.
    pub(crate) hit: bool,
    /// Ingress port number plus one.
    pub(crate) port: u8,
    pub(crate) packets: u32,
    pub(crate) octets: u32,
    /// Egress interface, when it is forwarded.
    pub(crate) ifindex: u32,
    /// Egress port number plus one.
    pub(crate) tx_port: u8,
}

impl Outcome {
    /// Of a packet that belongs to no flow.
    #[inline(always)]
    pub(crate) fn lone<F: Frame>(verdict: PacketVerdict, port: u8, frame: &F) -> Self {
        Self {
            verdict,
            rule: NO_RULE_ID,
            hit: false,
            port,
            packets: frame.segments(),
            octets: frame.whole(),
            ifindex: 0,
            tx_port: 0,
        }
    }

    #[inline(always)]
    fn count(&self, reason: PathReason) {
        stats::packet(self.port, reason, self.packets, self.octets);
        if self.rule != NO_RULE_ID {
            stats::rule_packet(self.rule, self.packets, self.octets);
            if self.hit {
                stats::rule_hit(self.rule);
            }
        }
    }
}

/// The XDP program's action.
#[inline(always)]
pub(crate) fn xdp(outcome: Option<Outcome>) -> u32 {
    let Some(outcome) = outcome else {
        return xdp_action::XDP_PASS;
    };
    match outcome.verdict.steer {
        Steer::Forward => {
            outcome.count(outcome.verdict.reason);
            // A port that is not in the map is refused here, not lost later.
            maps::TX_PORTS
                .redirect(u32::from(outcome.tx_port), u64::from(xdp_action::XDP_PASS))
                .unwrap_or_else(|action| action)
        }
        Steer::Drop => {
            outcome.count(outcome.verdict.reason);
            xdp_action::XDP_DROP
        }
        Steer::Stack | Steer::Inspect | Steer::Refuse => xdp_action::XDP_PASS,
    }
}

/// The TC program's action. `TC_ACT_UNSPEC` lets other programs on the same hook see the packet.
#[inline(always)]
pub(crate) fn tc(outcome: Option<Outcome>) -> i32 {
    let Some(outcome) = outcome else {
        return TC_ACT_UNSPEC;
    };
    match outcome.verdict.steer {
        Steer::Forward => {
            outcome.count(outcome.verdict.reason);
            // SAFETY: takes two numbers.
            unsafe { bpf_redirect(outcome.ifindex, 0) as i32 }
        }
        Steer::Stack => {
            outcome.count(outcome.verdict.reason);
            TC_ACT_UNSPEC
        }
        // Who asked the rules answers a refused packet; here it only does not pass.
        Steer::Drop | Steer::Refuse => {
            outcome.count(outcome.verdict.reason);
            TC_ACT_SHOT
        }
        // It has its socket already.
        Steer::Inspect => {
            outcome.count(outcome.verdict.reason);
            TC_ACT_UNSPEC
        }
    }
}
