//! What the kernel programs tell user space through the ring buffer.

/// What happened.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct EventKind(pub u8);

impl EventKind {
    /// An entry was made in the flow table.
    pub const OPENED: Self = Self(1);
    /// An entry was freed; counters are final.
    pub const CLOSED: Self = Self(2);
    /// A packet was refused with a reset.
    pub const REFUSED: Self = Self(3);
    /// A packet was dropped.
    pub const DROPPED: Self = Self(4);
    /// A tracked dialogue entered another stage.
    pub const STAGE: Self = Self(5);
    /// A flow found no room.
    pub const TABLE_FULL: Self = Self(6);

    /// The word used in output.
    pub const fn name(self) -> &'static str {
        match self.0 {
            1 => "flow_opened",
            2 => "flow_closed",
            3 => "refused",
            4 => "dropped",
            5 => "smtp_stage",
            6 => "flow_table_full",
            _ => "unknown",
        }
    }

    /// Its bit in [`GatewaySettings::events`](crate::settings::GatewaySettings::events).
    #[inline(always)]
    pub const fn bit(self) -> u32 {
        1 << self.0
    }
}

/// One event. Addresses are those of the packet, or of the flow's initiator and responder.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct PacketEvent {
    /// `CLOCK_MONOTONIC` nanoseconds.
    pub time_ns: u64,
    /// Octets of the flow, both directions; of the packet otherwise.
    pub octets: u64,
    /// Packets of the flow, both directions; 1 otherwise.
    pub packets: u64,
    /// Source; IPv4 as IPv4-mapped.
    pub source: [u8; 16],
    /// Destination.
    pub destination: [u8; 16],
    /// Source port, host order.
    pub source_port: u16,
    /// Destination port, host order.
    pub destination_port: u16,
    /// Ingress interface; 0 when the event is not about a packet.
    pub ifindex: u32,
    /// Rule id; `NO_RULE_ID` for none.
    pub rule: u16,
    /// [`EventKind`].
    pub kind: EventKind,
    /// [`PathReason`](crate::packet_path::PathReason).
    pub reason: u8,
    /// IP protocol.
    pub protocol: u8,
    /// [`SmtpStage`](crate::stage::SmtpStage).
    pub stage: u8,
    /// [`FlowMarks`](crate::flow::FlowMarks).
    pub marks: u8,
    /// Zero.
    pub pad: u8,
}
