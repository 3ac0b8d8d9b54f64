//! The packet path's coarse clock.
//!
//! A tick is 2^20 ns (about 1.05 ms), kept in 32 bits: it wraps after 52 days, so ticks are only ever
//! subtracted, never compared. The kernel programs make it of the jiffies, which cost one load where every other
//! clock costs a call; it starts anywhere, and user space asks the programs for it.

/// Nanoseconds in a tick.
pub const TICK_NS: u64 = 1 << 20;

/// The tick of a number of jiffies; `per_jiffy` is [`ticks_per_jiffy`].
#[inline(always)]
pub const fn from_jiffies(jiffies: u64, per_jiffy: u32) -> u32 {
    (jiffies.wrapping_mul(per_jiffy as u64) >> 16) as u32
}

/// Ticks in a jiffy, in units of 2^-16, for a kernel that makes `hz` jiffies a second.
pub const fn ticks_per_jiffy(hz: u32) -> u32 {
    ((1_000_000_000_u64 << 16) / (hz as u64 * TICK_NS)) as u32
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

#[cfg(test)]
mod tests;
