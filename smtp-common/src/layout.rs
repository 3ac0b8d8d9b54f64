//! Sizes, alignments and offsets that the kernel side relies on; `aya::Pod` for user space.

use core::mem::{align_of, offset_of, size_of};

use crate::flow::{FlowState, FlowV4, FlowV6};
use crate::{abi, heartbeat, inspection, next_hop, packet_event, port, rule, settings};

// One line of 64 octets; array map values are 8-aligned, and the array itself starts on a page.
const _: () = assert!(size_of::<FlowV4>() == 64 && align_of::<FlowV4>() == 8);
const _: () = assert!(size_of::<FlowV6>() == 128 && align_of::<FlowV6>() == 8);
const _: () = assert!(size_of::<FlowState>() == 48);
const _: () = assert!(offset_of!(FlowV4, control) == 12 && offset_of!(FlowV4, state) == 16);
const _: () = assert!(offset_of!(FlowV6, control) == 36 && offset_of!(FlowV6, state) == 64);
const _: () = assert!(size_of::<next_hop::NextHop>() == 32);
const _: () = assert!(size_of::<next_hop::NextHopKey>() == 20);
const _: () = assert!(size_of::<port::Port>() == 40);
const _: () = assert!(size_of::<rule::RuleSet>() == 128);
const _: () = assert!(size_of::<rule::RuleEntry>() == 8);
const _: () = assert!(size_of::<settings::GatewaySettings>() == 120);
const _: () = assert!(size_of::<packet_event::PacketEvent>() == 72);
const _: () = assert!(size_of::<heartbeat::Heartbeat>() == 24);
const _: () =
    assert!(size_of::<inspection::InspectionKey>() == 36 && size_of::<inspection::Inspection>() == 40);
const _: () = assert!(abi::MAX_NEXT_HOPS <= u16::MAX as u32 + 1);
const _: () = assert!(abi::MAX_PORTS < u8::MAX as u32);
const _: () = assert!((abi::MAX_PORTS + 1) * crate::packet_path::REASON_SLOTS <= u16::MAX as u32);

/// One chunk of rule text.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
pub struct TextChunk {
    /// Octets of UTF-8, zero-padded in the last chunk.
    pub octets: [u8; abi::TEXT_CHUNK_BYTES],
}

#[cfg(feature = "user")]
mod pod {
    use super::TextChunk;
    use crate::flow::{FlowV4, FlowV6};
    use crate::{abi, ban, heartbeat, inspection, next_hop, port, rule, settings, stats, walk};

    macro_rules! pod {
        ($($ty:ty),+ $(,)?) => {$(
            // SAFETY: `bytemuck::Pod` is derived for this type, which checks at compile time that it is
            // `repr(C)`, has no padding and holds only plain data.
            unsafe impl aya::Pod for $ty {}
        )+};
    }

    pod!(
        abi::AbiInfo,
        ban::Ban,
        FlowV4,
        FlowV6,
        heartbeat::Heartbeat,
        inspection::Inspection,
        inspection::InspectionKey,
        next_hop::NextHop,
        next_hop::NextHopKey,
        port::Port,
        rule::RuleSet,
        rule::RuleEntry,
        rule::ProtocolRules,
        rule::PrefixKeyV4,
        rule::PrefixKeyV6,
        rule::PortKey,
        rule::InterfaceKey,
        settings::GatewaySettings,
        stats::PathStats,
        stats::RuleStats,
        walk::Walk,
        TextChunk,
    );
}
