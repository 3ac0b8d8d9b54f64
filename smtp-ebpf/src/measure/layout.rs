//! Map values that the measuring programs and `postern-bench` share. Included by path on both sides.

/// What the frame source writes. One entry, set before a run.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Source {
    /// Number of the next frame; the source counts it up.
    pub sequence: u64,
    /// First octets of the frame of flow 0, checksums included.
    pub template: [u64; 10],
    /// Number of flows minus one; flows are a power of two.
    pub flow_mask: u32,
    /// Interface the frames leave by.
    pub egress: u32,
    /// 1: the flow's end is the destination, not the source.
    pub reverse: u32,
    /// 1: the template is TCP; 0: UDP.
    pub tcp: u32,
}

/// Where the constant forwarder sends everything.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Constant {
    /// Destination and source MAC address.
    pub macs: [u16; 6],
    /// Egress interface.
    pub ifindex: u32,
}

/// Flows that share an address: the port tells them apart.
pub const PORTS_PER_ADDRESS: u32 = 1 << 14;
/// Port of the first flow of an address.
pub const FIRST_PORT: u16 = 1 << 14;

/// Counter: test frames that reached a sink.
pub const SEEN_DELIVERED: u32 = 0;
/// Counter: frames one of the two plain forwarders sent on.
pub const SEEN_FORWARDED: u32 = 1;
/// Counter: test frames a plain forwarder had no route for.
pub const SEEN_MISSED: u32 = 2;
/// Counters there are.
pub const SEEN_SLOTS: u32 = 4;
