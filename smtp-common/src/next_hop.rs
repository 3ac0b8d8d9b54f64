//! Next hops: what flows toward the same neighbour share.

/// The MAC addresses are valid.
pub const NEXT_HOP_VALID: u16 = 1;
/// The egress port can be reached from XDP.
pub const NEXT_HOP_XDP_TX: u16 = 1 << 1;

/// A neighbour on a gateway interface.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct NextHop {
    /// Egress interface.
    pub ifindex: u32,
    /// Largest IP packet, octets.
    pub mtu: u32,
    /// Neighbour's MAC address, then ours: the first twelve octets of the frame.
    pub macs: [u8; 12],
    /// `NEXT_HOP_*`.
    pub flags: u16,
    /// Port number of the egress interface, plus one.
    pub port: u8,
    /// Zero.
    pub pad: u8,
    /// Tick of the last resolution by the kernel's own tables.
    pub resolved: u32,
    /// Zero.
    pub pad2: u32,
}

/// Names a neighbour.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, bytemuck::Pod, bytemuck::Zeroable)]
pub struct NextHopKey {
    /// Its address; IPv4 as IPv4-mapped IPv6.
    pub address: [u8; 16],
    /// Egress interface.
    pub ifindex: u32,
}

/// An IPv4 address, in network order, as IPv4-mapped IPv6 (RFC 4291 §2.5.5.2).
#[inline(always)]
pub const fn mapped(v4: [u8; 4]) -> [u8; 16] {
    // Two words rather than sixteen octets: on the BPF target a run of zero octets becomes a call to `memset`.
    let words = [0, u64::from_ne_bytes([0, 0, 0xff, 0xff, v4[0], v4[1], v4[2], v4[3]])];
    bytemuck::must_cast(words)
}
