//! Counters. Per CPU in the kernel; user space adds them up.

use crate::packet_path::REASON_SLOTS;

/// Packets and octets of one port and reason; flows are those opened.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct PathStats {
    /// Packets; a segmentation-offload packet counts as the segments in it.
    pub packets: u64,
    /// Octets, link layer included.
    pub octets: u64,
    /// Flows that began with this reason.
    pub flows: u64,
}

/// What one rule matched.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct RuleStats {
    /// Times the rule base was asked and this rule was the answer for a new flow or a lone packet.
    pub hits: u64,
    /// Packets.
    pub packets: u64,
    /// Octets, link layer included.
    pub octets: u64,
}

/// A counter of its own.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter(pub u32);

/// Number of counters the map has room for.
pub const COUNTER_SLOTS: u32 = 32;

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $konst:ident = $code:literal, $name:literal;)+) => {
        impl Counter {
            $($(#[doc = $doc])+ pub const $konst: Self = Self($code);)+

            /// Every counter.
            pub const ALL: &'static [Self] = &[$(Self::$konst),+];

            /// The word used in output.
            pub const fn name(self) -> &'static str {
                match self.0 { $($code => $name,)+ _ => "unknown" }
            }
        }
    };
}

counters! {
    /// Entries made in the flow tables.
    FLOWS_OPENED = 0, "flows_opened";
    /// Entries freed, for whatever cause; the next four say which.
    FLOWS_CLOSED = 1, "flows_closed";
    /// Freed after FIN on both sides or RST.
    FLOWS_FINISHED = 2, "flows_finished";
    /// Freed after being idle.
    FLOWS_IDLE = 3, "flows_idle";
    /// Half-open entries that made room for another flow.
    FLOWS_EVICTED = 4, "flows_evicted";
    /// Replaced by a new SYN on the same 5-tuple.
    FLOWS_REPLACED = 5, "flows_replaced";
    /// Flows for which there was no room.
    FLOW_TABLE_FULL = 6, "flow_table_full";
    /// Next hops for which there was no room.
    NEXT_HOP_TABLE_FULL = 7, "next_hop_table_full";
    /// Events that did not fit into the ring buffer.
    EVENTS_LOST = 8, "events_lost";
    /// Times the rule base was asked.
    RULE_LOOKUPS = 9, "rule_lookups";
    /// Times the kernel's routing table was asked.
    ROUTE_LOOKUPS = 10, "route_lookups";
    /// Resets sent.
    RESETS_SENT = 11, "resets_sent";
    /// Packets to be answered by a reset that could not be.
    RESETS_FAILED = 12, "resets_failed";
    /// Tracked flows in which TLS began: bypassed(encrypted).
    BYPASSED_ENCRYPTED = 13, "bypassed_encrypted";
    /// Flows accelerated since no inspector was alive: `bypassed(inspector_down)`.
    BYPASSED_INSPECTOR_DOWN = 14, "bypassed_inspector_down";
    /// Flows decided again after a change of policy, route or ban.
    FLOWS_DECIDED_AGAIN = 15, "flows_decided_again";
    /// Insertions given up since another CPU was at the same slot.
    INSERT_RACES = 16, "insert_races";
    /// Flows freed by a change of policy that no longer allows them.
    FLOWS_REVOKED = 17, "flows_revoked";
}

/// Index of a [`PathStats`]: port number plus one (0 is "no port"), then reason.
#[inline(always)]
pub const fn path_stats_index(port: u8, reason: u8) -> u32 {
    port as u32 * REASON_SLOTS + reason as u32
}
