//! Signs of life of the daemon and of the inspector, and what follows when one is missing.

/// A beat older than this is no sign of life, nanoseconds.
pub const STALE_NS: u64 = 1_000_000_000;
/// How often the daemon writes, nanoseconds.
pub const PERIOD_NS: u64 = 100_000_000;

/// Written every 100 ms.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Heartbeat {
    /// `CLOCK_MONOTONIC` nanoseconds of the daemon's last beat; 0 never.
    pub daemon_ns: u64,
    /// The same for the inspector, written only while it accepts connections.
    pub inspector_ns: u64,
    /// Process that writes.
    pub pid: u32,
    /// Ports of the inspector's listeners on the loopback addresses, IPv4 and IPv6; 0 is "none".
    pub inspector_port: [u16; 2],
}

/// What the rule says for the time without an inspector.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct WhenDown(pub u8);

impl WhenDown {
    /// New flows are refused: mail is late, never unseen.
    pub const REFUSE: Self = Self(0);
    /// New flows are forwarded unseen, counted and reported.
    pub const ACCELERATE: Self = Self(1);
}

/// Whether a beat is a sign of life at `now_ns`.
#[inline(always)]
pub const fn is_fresh(beat_ns: u64, now_ns: u64) -> bool {
    beat_ns != 0 && now_ns.saturating_sub(beat_ns) <= STALE_NS
}

#[cfg(test)]
mod tests;
