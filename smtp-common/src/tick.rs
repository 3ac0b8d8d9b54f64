//! The packet path's coarse clock.
//!
//! A tick is 2^20 ns of `CLOCK_MONOTONIC` (about 1.05 ms), kept in 32 bits: it wraps after 52 days,
//! so ticks are only ever subtracted, never compared.

/// Nanoseconds in a tick.
pub const TICK_NS: u64 = 1 << 20;

/// The tick of a monotonic time in nanoseconds.
#[inline(always)]
pub const fn from_ns(ns: u64) -> u32 {
    (ns >> 20) as u32
}

/// Ticks in a number of milliseconds, rounded up.
pub const fn from_ms(ms: u64) -> u32 {
    let ticks = (ms * 1_000_000).div_ceil(TICK_NS);
    if ticks > u32::MAX as u64 { u32::MAX } else { ticks as u32 }
}

/// Milliseconds in a number of ticks, rounded down.
pub const fn to_ms(ticks: u32) -> u64 {
    ticks as u64 * TICK_NS / 1_000_000
}

/// Ticks from `earlier` to `now`; a stamp from the near future counts as now, since another CPU may
/// have written it.
#[inline(always)]
pub const fn since(earlier: u32, now: u32) -> u32 {
    let age = now.wrapping_sub(earlier);
    if age > u32::MAX - 60_000 { 0 } else { age }
}
