//! TCP flags.

/// TCP flags of a packet.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a bit of the header and independent of the others"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// SYN.
    pub syn: bool,
    /// ACK.
    pub ack: bool,
    /// FIN.
    pub fin: bool,
    /// RST.
    pub rst: bool,
}

/// SYN.
pub const SYN: Flags = Flags { syn: true, ack: false, fin: false, rst: false };
/// SYN and ACK.
pub const SYN_ACK: Flags = Flags { syn: true, ack: true, fin: false, rst: false };
/// ACK.
pub const ACK: Flags = Flags { syn: false, ack: true, fin: false, rst: false };
/// FIN and ACK.
pub const FIN_ACK: Flags = Flags { syn: false, ack: true, fin: true, rst: false };
/// RST.
pub const RST: Flags = Flags { syn: false, ack: false, fin: false, rst: true };
