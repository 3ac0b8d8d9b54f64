//! Reads the signs of life.

use aya_ebpf::helpers::generated::bpf_ktime_get_coarse_ns;
use smtp_common::heartbeat::is_fresh;

use crate::maps;

/// The coarse clock, nanoseconds.
#[inline(always)]
pub(crate) fn now_ns() -> u64 {
    // SAFETY: takes nothing, returns a number.
    unsafe { bpf_ktime_get_coarse_ns() }
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
