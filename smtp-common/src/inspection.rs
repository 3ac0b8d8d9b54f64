//! What is known of an inspected flow besides its entry: who took it, by which rule, and how far its dialogue is.
//!
//! The kernel program writes one when a connection begins; the inspector, which accepts the connection a moment
//! later, reads rule and interface from it and keeps the rest up to date. The table drops the longest unused entry
//! when it is full: a flow without one is inspected all the same.

/// The ends of an inspected flow.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, bytemuck::Pod, bytemuck::Zeroable)]
pub struct InspectionKey {
    /// Originator, then next hop, IPv4 as IPv4-mapped.
    pub address: [[u8; 16]; 2],
    /// The same of ports, network order.
    pub port: [u16; 2],
}

/// What is known.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Inspection {
    /// Session id; all zero until the inspector has accepted the connection.
    pub session: [u8; 16],
    /// `CLOCK_MONOTONIC` nanoseconds of the last change: the originator's SYN, or a new stage.
    pub changed_ns: u64,
    /// Interface by which the originator comes in.
    pub ifindex: u32,
    /// Rule id.
    pub rule: u16,
    /// Policy revision.
    pub policy: u16,
    /// [`SmtpStage`](crate::stage::SmtpStage).
    pub stage: u8,
    /// [`FlowMarks`](crate::flow::FlowMarks).
    pub marks: u8,
    /// Zero.
    pub pad: [u8; 6],
}
