//! A gateway interface as the kernel programs see it.

use crate::abi::PORTS_SLOTS;

/// Frames may be sent out of this port from XDP.
pub const PORT_XDP_TX: u16 = 1;
/// The XDP program is attached here; TC sees only what it passed on.
pub const PORT_XDP: u16 = 1 << 1;

/// One gateway interface.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Port {
    /// Kernel's interface index; 0 is an empty slot.
    pub ifindex: u32,
    /// Largest IP packet it sends, octets.
    pub mtu: u32,
    /// Hardware address.
    pub mac: [u8; 6],
    /// Port number plus one, below or equal to `MAX_PORTS`; 0 is an empty slot.
    pub number: u8,
    /// Why it has the hook it has; a code of user space's, for `stat`.
    pub why: u8,
    /// `PORT_*`.
    pub flags: u16,
    /// Zero.
    pub pad2: [u8; 6],
    /// Interface name when the port was made, zero-padded.
    pub name: [u8; 16],
}

/// Where a port of this interface stands in the table.
#[inline(always)]
pub const fn slot(ifindex: u32) -> u32 {
    ifindex & (PORTS_SLOTS - 1)
}

/// Where the port of this number (plus one) stands a second time, behind the slots by interface.
#[inline(always)]
pub const fn slot_of_number(number: u8) -> u32 {
    PORTS_SLOTS + number as u32
}
