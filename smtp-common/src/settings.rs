//! The tunables, and the one word that makes a policy active.

use crate::flow::HashKeys;
use crate::tick;

/// Tunables that live in a map and can be changed while packets flow.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct GatewaySettings {
    /// Keys of the flow hash; drawn once when the maps are made.
    pub hash_keys: HashKeys,
    /// Idle time of an established TCP flow, ticks.
    pub idle_tcp_established: u32,
    /// Time a TCP flow may stay half open, ticks.
    pub idle_tcp_half_open: u32,
    /// Time a finished TCP flow is kept, for stragglers, ticks.
    pub idle_tcp_closing: u32,
    /// Idle time of a UDP flow that has seen one side only, ticks.
    pub idle_udp: u32,
    /// Idle time of a UDP flow that has seen both sides, ticks.
    pub idle_udp_stream: u32,
    /// Bits of the [`EventKind`](crate::packet_event::EventKind)s to report.
    pub events: u32,
    /// 1: accelerate; 0: every packet that would be accelerated goes to the stack.
    pub accelerate: u32,
    /// [`tick::ticks_per_jiffy`] of this kernel; measured when the maps are made.
    pub ticks_per_jiffy: u32,
}

impl GatewaySettings {
    /// The defaults, with the given hash keys.
    pub const fn with_keys(hash_keys: HashKeys) -> Self {
        use crate::packet_event::EventKind as E;
        Self {
            hash_keys,
            idle_tcp_established: tick::from_ms(7_440_000),
            idle_tcp_half_open: tick::from_ms(30_000),
            idle_tcp_closing: tick::from_ms(10_000),
            idle_udp: tick::from_ms(30_000),
            idle_udp_stream: tick::from_ms(180_000),
            events: E::REFUSED.bit() | E::DROPPED.bit() | E::STAGE.bit() | E::TABLE_FULL.bit(),
            accelerate: 1,
            ticks_per_jiffy: tick::ticks_per_jiffy(250),
        }
    }
}

/// The word in `ACTIVE`: one 64-bit store makes another policy or another view of the routes valid.
///
/// The low 32 bits are the generation that every flow entry carries: policy revision in the high
/// half, route generation in the low. Slot and revision go together: the slot is the revision's lowest bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Active(pub u64);

impl Active {
    /// Of a policy revision and a route generation. Revision 0 means that no policy is loaded.
    pub const fn new(policy: u16, route: u16) -> Self {
        Self(((policy as u64) << 16) | route as u64)
    }

    /// What a flow entry must carry to be believed.
    #[inline(always)]
    pub const fn generation(self) -> u32 {
        self.0 as u32
    }

    /// Policy revision, modulo 2^16; never 0 once a policy was loaded.
    #[inline(always)]
    pub const fn policy(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// Route generation, modulo 2^16.
    #[inline(always)]
    pub const fn route(self) -> u16 {
        self.0 as u16
    }

    /// Slot the active policy was written under.
    #[inline(always)]
    pub const fn slot(self) -> u32 {
        (self.policy() & 1) as u32
    }

    /// With the next policy revision; the slot changes, and 0 is passed over.
    #[must_use]
    pub const fn next_policy(self) -> Self {
        let next = self.policy().wrapping_add(1);
        // 0 means "none": after 65,535 (slot 1) comes 2 (slot 0), so that the slot still alternates.
        Self::new(if next == 0 { 2 } else { next }, self.route())
    }

    /// With the next route generation.
    #[must_use]
    pub const fn next_route(self) -> Self {
        Self::new(self.policy(), self.route().wrapping_add(1))
    }
}

/// Whether two generations differ in the policy.
#[inline(always)]
pub const fn policy_differs(a: u32, b: u32) -> bool {
    (a ^ b) >> 16 != 0
}
