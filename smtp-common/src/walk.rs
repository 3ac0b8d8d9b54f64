//! The walk over a flow table, done in the kernel on behalf of user space.
//!
//! One run of the program looks at [`STEP`] slots from the cursor on. It frees ended entries when
//! asked to, and copies live ones into the `WALKED` ring buffer when asked to.

/// Slots looked at in one run of the program.
pub const STEP: u32 = 64;

/// Free ended entries.
pub const WALK_EXPIRE: u32 = 1;
/// Copy live entries into the ring buffer; the walk stops when it is full.
pub const WALK_LIST: u32 = 1 << 1;
/// Free every entry.
pub const WALK_FLUSH: u32 = 1 << 2;

/// What a walk is to do, where it stands, and what it has done.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Walk {
    /// The kernel's jiffies, written by every run.
    pub jiffies: u64,
    /// Next slot.
    pub cursor: u32,
    /// `WALK_*`.
    pub flags: u32,
    /// Live entries met.
    pub live: u32,
    /// Entries freed.
    pub freed: u32,
    /// 1: the ring buffer was full; drain it and go on from the cursor.
    pub blocked: u32,
    /// Live entries that are half open or one-sided.
    pub unconfirmed: u32,
    /// Tick of the run, by the packet path's clock.
    pub now: u32,
    /// Zero.
    pub pad: u32,
}
