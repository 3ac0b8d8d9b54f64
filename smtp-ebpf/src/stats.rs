//! Per-CPU counters.

use smtp_common::packet_path::PathReason;
use smtp_common::stats::{Counter, path_stats_index};

use crate::maps;

/// Adds to a single counter.
#[inline(always)]
pub(crate) fn count(counter: Counter) {
    if let Some(value) = maps::COUNTERS.get_ptr_mut(counter.0) {
        // SAFETY: this CPU's own value.
        unsafe { *value += 1 }
    }
}

/// Counts a packet by port and reason.
#[inline(always)]
pub(crate) fn packet(port: u8, reason: PathReason, packets: u32, octets: u32) {
    if let Some(stats) = maps::PATH_STATS.get_ptr_mut(path_stats_index(port, reason.0)) {
        // SAFETY: this CPU's own value.
        unsafe {
            (*stats).packets += u64::from(packets);
            (*stats).octets += u64::from(octets);
        }
    }
}

/// Counts the beginning of a flow by port and reason.
#[inline(always)]
pub(crate) fn flow(port: u8, reason: PathReason) {
    if let Some(stats) = maps::PATH_STATS.get_ptr_mut(path_stats_index(port, reason.0)) {
        // SAFETY: this CPU's own value.
        unsafe { (*stats).flows += 1 }
    }
}

/// Counts a packet by rule id.
#[inline(always)]
pub(crate) fn rule_packet(id: u16, packets: u32, octets: u32) {
    if let Some(stats) = maps::RULE_STATS.get_ptr_mut(u32::from(id)) {
        // SAFETY: this CPU's own value.
        unsafe {
            (*stats).packets += u64::from(packets);
            (*stats).octets += u64::from(octets);
        }
    }
}

/// Counts that a rule was the answer.
#[inline(always)]
pub(crate) fn rule_hit(id: u16) {
    if let Some(stats) = maps::RULE_STATS.get_ptr_mut(u32::from(id)) {
        // SAFETY: this CPU's own value.
        unsafe { (*stats).hits += 1 }
    }
}
