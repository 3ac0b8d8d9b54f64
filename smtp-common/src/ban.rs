//! Banned sources.

/// Key octets of the ban table: an IPv6 address, IPv4 as IPv4-mapped.
pub type BanKey = [u8; 16];

/// A ban on a prefix.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Ban {
    /// `CLOCK_MONOTONIC` nanoseconds when it ends; `u64::MAX` never.
    pub until_ns: u64,
    /// `CLOCK_MONOTONIC` nanoseconds when it began.
    pub since_ns: u64,
    /// Packets it stopped.
    pub packets: u64,
}

impl Ban {
    /// Whether it is in force at `now_ns`.
    #[inline(always)]
    pub const fn in_force(&self, now_ns: u64) -> bool {
        now_ns < self.until_ns
    }
}
