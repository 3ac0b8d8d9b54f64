//! What is done with one packet.

use crate::packet_path::PathReason;

/// What the entry point does with the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steer {
    /// Rewrite and send to the flow's next hop.
    Forward,
    /// Leave it to the kernel.
    Stack,
    /// Hand it to the inspector.
    Inspect,
    /// Discard it.
    Drop,
    /// Discard it and reset the sender's connection.
    Refuse,
}

/// The decision on one packet, with its reason.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketVerdict {
    /// What is done.
    pub steer: Steer,
    /// Why.
    pub reason: PathReason,
}

impl PacketVerdict {
    /// Forwarded by the kernel program.
    #[inline(always)]
    pub const fn forward(reason: PathReason) -> Self {
        Self { steer: Steer::Forward, reason }
    }

    /// Left to the kernel.
    #[inline(always)]
    pub const fn stack(reason: PathReason) -> Self {
        Self { steer: Steer::Stack, reason }
    }

    /// Handed to the inspector.
    #[inline(always)]
    pub const fn inspect(reason: PathReason) -> Self {
        Self { steer: Steer::Inspect, reason }
    }

    /// Discarded.
    #[inline(always)]
    pub const fn drop(reason: PathReason) -> Self {
        Self { steer: Steer::Drop, reason }
    }

    /// Discarded, and the sender is told by a reset.
    #[inline(always)]
    pub const fn refuse(reason: PathReason) -> Self {
        Self { steer: Steer::Refuse, reason }
    }
}
