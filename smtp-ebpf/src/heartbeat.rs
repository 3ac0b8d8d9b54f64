//! Reads the signs of life.

use aya_ebpf::helpers::generated::{bpf_jiffies64, bpf_ktime_get_coarse_ns};
use smtp_common::heartbeat::is_fresh;
use smtp_common::settings::GatewaySettings;
use smtp_common::tick;

use crate::maps;

/// The coarse clock, nanoseconds.
#[inline(always)]
pub(crate) fn now_ns() -> u64 {
    // SAFETY: takes nothing, returns a number.
    unsafe { bpf_ktime_get_coarse_ns() }
}

/// The packet path's clock: one load and one multiplication.
#[inline(always)]
pub(crate) fn now_tick(settings: &GatewaySettings) -> u32 {
    tick::from_jiffies(jiffies(), settings.ticks_per_jiffy)
}

/// The kernel's jiffies.
#[inline(always)]
pub(crate) fn jiffies() -> u64 {
    // SAFETY: takes nothing, returns a number.
    unsafe { bpf_jiffies64() }
}

/// Whether an inspector accepts connections.
#[inline(always)]
pub(crate) fn inspector_alive(now_ns: u64) -> bool {
    maps::heartbeat().is_some_and(|beat| is_fresh(beat.inspector_ns, now_ns))
}

/// Whether the daemon follows neighbours and routes.
#[inline(always)]
pub(crate) fn daemon_alive(now_ns: u64) -> bool {
    maps::heartbeat().is_some_and(|beat| is_fresh(beat.daemon_ns, now_ns))
}
