//! Flow entries: key, state, where they stand in the table, and when they end.
//!
//! Both directions of a connection share one entry. Its key is the pair of endpoints in a canonical
//! order; *side* 0 is the endpoint that sorts first, and a packet's side is the one that sent it.
//!
//! The table is an array of a power of two of slots, hopscotch-hashed: the hash names a *home* slot,
//! and an entry stands at home or at `home ^ i`, `i < GROUP`, in the same aligned group. The home
//! slot's control word holds a bit for every `i` in use, so a look-up reads the home line and then
//! only lines that may hold the flow. One IPv4 entry is one cache line. A flow whose group is full
//! stands in another one, around the slot that [`second`] names; the home slot says that there is such a flow.

use crate::settings::GatewaySettings;
use crate::tick;

/// Slots in a group; a flow's entry never leaves the group of its home slot.
pub const GROUP: u32 = 16;

/// Rule id of "no rule".
pub const NO_RULE_ID: u16 = u16::MAX;

/// Control word: protocol (8 bits), slot state (8 bits), hop bits of the slot as a home (16 bits).
///
/// Kept as a bare integer in the entry, since the kernel side changes it with atomic operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control(pub u32);

impl Control {
    /// Slot is free.
    pub const EMPTY: u32 = 0;
    /// Slot is being filled by one CPU; nobody else may read it.
    pub const CLAIMED: u32 = 1;
    /// Slot holds a flow.
    pub const LIVE: u32 = 2;
    /// Mask of protocol and state.
    pub const TENANT: u32 = 0xffff;
    /// See [`overflows`](Self::overflows); the place of distance 0.
    pub const OVERFLOW: u32 = 1 << 16;

    /// Protocol and state of a live entry.
    #[inline(always)]
    pub const fn live(protocol: u8) -> u32 {
        protocol as u32 | (Self::LIVE << 8)
    }

    /// Slot state.
    #[inline(always)]
    pub const fn state(self) -> u32 {
        (self.0 >> 8) & 0xff
    }

    /// IP protocol of the tenant.
    #[inline(always)]
    pub const fn protocol(self) -> u8 {
        self.0 as u8
    }

    /// Bit `i` set: the flow whose home this is may stand at `home ^ i`.
    #[inline(always)]
    pub const fn hops(self) -> u32 {
        self.0 >> 16
    }

    /// The hop bit for distance `i`, in place. That of distance 0 is not needed to find a flow at home.
    #[inline(always)]
    pub const fn hop_bit(i: u32) -> u32 {
        if i == 0 { 0 } else { 1 << (16 + i) }
    }

    /// Whether flows whose home this is may stand around their second slot. Once set it stays: that costs a look at
    /// one more slot for flows that are not in the table, and nothing for those that are at home.
    #[inline(always)]
    pub const fn overflows(self) -> bool {
        self.0 & Self::OVERFLOW != 0
    }
}

/// Where a flow is in its life.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct FlowLife(pub u8);

impl FlowLife {
    /// TCP, both sides have acknowledged; UDP, any packet. Nothing to keep track of.
    pub const STEADY: Self = Self(0);
    /// UDP, one side seen.
    pub const ONE_SIDED: u8 = 1;
    /// TCP, SYN seen.
    pub const HALF_OPEN: u8 = 2;
    /// TCP, SYN-ACK seen, the initiator's ACK not yet.
    pub const ANSWERED: u8 = 4;
    /// TCP, side 0 sent FIN.
    pub const FIN_0: u8 = 8;
    /// TCP, side 1 sent FIN.
    pub const FIN_1: u8 = 16;
    /// TCP, RST seen.
    pub const RESET: u8 = 32;
    /// TCP, picked up in mid-stream.
    pub const PICKED_UP: u8 = 64;

    /// Whether any bit of `mask` is set.
    #[inline(always)]
    pub const fn any(self, mask: u8) -> bool {
        self.0 & mask != 0
    }

    /// Whether the connection is over and the entry only waits for stragglers.
    #[inline(always)]
    pub const fn is_over(self) -> bool {
        self.0 & Self::RESET != 0 || self.0 & (Self::FIN_0 | Self::FIN_1) == Self::FIN_0 | Self::FIN_1
    }

    /// Whether the flow has not been seen from both sides: it must make room for others.
    #[inline(always)]
    pub const fn is_unconfirmed(self) -> bool {
        self.0 & (Self::ONE_SIDED | Self::HALF_OPEN | Self::ANSWERED) != 0
    }

    /// Life of a flow that begins with this packet.
    #[inline(always)]
    pub const fn begin(protocol: u8, tcp_flags: u8) -> Self {
        if protocol != TCP {
            Self(Self::ONE_SIDED)
        } else if tcp_flags & (TCP_SYN | TCP_ACK) == TCP_SYN {
            Self(Self::HALF_OPEN)
        } else if tcp_flags & TCP_SYN != 0 {
            Self(Self::HALF_OPEN | Self::ANSWERED)
        } else {
            Self(Self::PICKED_UP)
        }
    }

    /// After a packet from `side` with these TCP flags; `initiator` is the side that opened.
    #[inline(always)]
    #[must_use]
    pub const fn after(self, protocol: u8, tcp_flags: u8, side: u32, initiator: u32) -> Self {
        let mut life = self.0;
        if protocol != TCP {
            // The other side answered.
            if side != initiator {
                life &= !Self::ONE_SIDED;
            }
            return Self(life);
        }
        if tcp_flags & TCP_RST != 0 {
            return Self(life | Self::RESET);
        }
        if tcp_flags & TCP_SYN != 0 {
            // A SYN-ACK answers a SYN only from the other side.
            if tcp_flags & TCP_ACK != 0 && side != initiator && life & Self::HALF_OPEN != 0 {
                life |= Self::ANSWERED;
            }
            return Self(life);
        }
        if side == initiator && tcp_flags & TCP_ACK != 0 && life & Self::ANSWERED != 0 {
            life &= !(Self::HALF_OPEN | Self::ANSWERED);
        }
        if tcp_flags & TCP_FIN != 0 {
            life |= if side == 0 { Self::FIN_0 } else { Self::FIN_1 };
        }
        Self(life)
    }

    /// The word used in output.
    pub const fn name(self) -> &'static str {
        if self.any(Self::RESET) {
            "reset"
        } else if self.is_over() {
            "finished"
        } else if self.any(Self::FIN_0 | Self::FIN_1) {
            "closing"
        } else if self.any(Self::ANSWERED) {
            "syn_received"
        } else if self.any(Self::HALF_OPEN) {
            "syn_sent"
        } else if self.any(Self::ONE_SIDED) {
            "one_sided"
        } else if self.any(Self::PICKED_UP) {
            "picked_up"
        } else {
            "established"
        }
    }
}

/// Facts about a flow that packets need at once.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct FlowMarks(pub u8);

impl FlowMarks {
    /// Side 1 opened the flow.
    pub const INITIATOR_1: u8 = 1;
    /// The SMTP dialogue is followed for its stage flags.
    pub const TRACKED: u8 = 2;
    /// The server offered STARTTLS.
    pub const STARTTLS_OFFERED: u8 = 4;
    /// The client asked for STARTTLS.
    pub const STARTTLS_REQUESTED: u8 = 8;
    /// The server agreed.
    pub const STARTTLS_ACCEPTED: u8 = 16;
    /// TLS records flow.
    pub const TLS: u8 = 32;

    /// Whether any bit of `mask` is set.
    #[inline(always)]
    pub const fn any(self, mask: u8) -> bool {
        self.0 & mask != 0
    }

    /// The side that opened the flow.
    #[inline(always)]
    pub const fn initiator(self) -> u32 {
        (self.0 & Self::INITIATOR_1) as u32
    }
}

/// What is known of a flow; the same for both address families. Indexed by side where it has two values.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct FlowState {
    /// Tick when it began.
    pub created: u32,
    /// Tick of the last packet.
    pub last_seen: u32,
    /// [`Active::generation`](crate::settings::Active::generation) it was decided under.
    pub generation: u32,
    /// Rule id that decided.
    pub rule: u16,
    /// Next hop of packets from each side; 0 is "not resolved".
    pub next_hop: [u16; 2],
    /// [`PathReason`](crate::packet_path::PathReason), and so the path.
    pub reason: u8,
    /// [`FlowLife`].
    pub life: FlowLife,
    /// [`SmtpStage`](crate::stage::SmtpStage).
    pub stage: u8,
    /// [`FlowMarks`].
    pub marks: FlowMarks,
    /// Port number plus one that packets from each side come in by; 0 is "not seen".
    pub ingress: [u8; 2],
    /// Packets from each side, modulo 2^32.
    pub packets: [u32; 2],
    /// Octets from each side, link layer included.
    pub octets: [u64; 2],
}

impl FlowState {
    /// Idle time after which this flow ends, ticks.
    #[inline(always)]
    pub const fn idle_limit(&self, protocol: u8, settings: &GatewaySettings) -> u32 {
        if protocol != TCP {
            if self.life.any(FlowLife::ONE_SIDED) { settings.idle_udp } else { settings.idle_udp_stream }
        } else if self.life.is_over() {
            settings.idle_tcp_closing
        } else if self.life.any(FlowLife::HALF_OPEN) {
            settings.idle_tcp_half_open
        } else {
            settings.idle_tcp_established
        }
    }

    /// Whether the flow has ended at tick `now`.
    #[inline(always)]
    pub const fn is_expired(&self, protocol: u8, settings: &GatewaySettings, now: u32) -> bool {
        tick::since(self.last_seen, now) > self.idle_limit(protocol, settings)
    }
}

/// IPv4 flow entry: one cache line.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct FlowV4 {
    /// Addresses of side 0 and side 1, network order.
    pub address: [u32; 2],
    /// Ports of side 0 and side 1, network order.
    pub port: [u16; 2],
    /// [`Control`].
    pub control: u32,
    /// What is known.
    pub state: FlowState,
}

/// IPv6 flow entry: a line of key and a line of state.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct FlowV6 {
    /// Addresses of side 0 and side 1, network order, as native integers of eight octets each.
    pub address: [[u64; 2]; 2],
    /// Ports of side 0 and side 1, network order.
    pub port: [u16; 2],
    /// [`Control`].
    pub control: u32,
    /// Zero.
    pub pad: [u64; 3],
    /// What is known.
    pub state: FlowState,
    /// Zero.
    pub pad2: [u64; 2],
}

/// Canonical IPv4 key of a packet, and the side that sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyV4 {
    /// Both addresses as they stand in [`FlowV4::address`].
    pub address: [u32; 2],
    /// Both ports as they stand in [`FlowV4::port`].
    pub port: [u16; 2],
    /// IP protocol.
    pub protocol: u8,
    /// Side that sent the packet.
    pub side: u32,
}

impl KeyV4 {
    /// Of a packet; addresses and ports in network order.
    #[inline(always)]
    pub const fn of(
        source: u32,
        destination: u32,
        source_port: u16,
        destination_port: u16,
        protocol: u8,
    ) -> Self {
        if source < destination || (source == destination && source_port <= destination_port) {
            Self { address: [source, destination], port: [source_port, destination_port], protocol, side: 0 }
        } else {
            Self { address: [destination, source], port: [destination_port, source_port], protocol, side: 1 }
        }
    }

    /// The hash whose low bits name the home slot.
    #[inline(always)]
    pub const fn hash(&self, keys: &HashKeys) -> u32 {
        let sum = keys[0]
            .wrapping_add(pair(keys[1], self.address[0], keys[2], self.address[1]))
            .wrapping_add(pair(keys[3], both(self.port), keys[4], self.protocol as u32));
        finish(sum)
    }
}

/// Canonical IPv6 key of a packet, and the side that sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyV6 {
    /// Both addresses as they stand in [`FlowV6::address`].
    pub address: [[u64; 2]; 2],
    /// Both ports as they stand in [`FlowV6::port`].
    pub port: [u16; 2],
    /// IP protocol.
    pub protocol: u8,
    /// Side that sent the packet.
    pub side: u32,
}

impl KeyV6 {
    /// Of a packet; addresses and ports in network order.
    #[inline(always)]
    pub const fn of(
        source: [u64; 2],
        destination: [u64; 2],
        source_port: u16,
        destination_port: u16,
        protocol: u8,
    ) -> Self {
        let first = if source[0] != destination[0] {
            source[0] < destination[0]
        } else if source[1] != destination[1] {
            source[1] < destination[1]
        } else {
            source_port <= destination_port
        };
        if first {
            Self { address: [source, destination], port: [source_port, destination_port], protocol, side: 0 }
        } else {
            Self { address: [destination, source], port: [destination_port, source_port], protocol, side: 1 }
        }
    }

    /// The hash whose low bits name the home slot.
    #[inline(always)]
    pub const fn hash(&self, keys: &HashKeys) -> u32 {
        let [[a, b], [c, d]] = self.address;
        let sum = keys[0]
            .wrapping_add(pair(keys[1], a as u32, keys[2], (a >> 32) as u32))
            .wrapping_add(pair(keys[3], b as u32, keys[4], (b >> 32) as u32))
            .wrapping_add(pair(keys[5], c as u32, keys[6], (c >> 32) as u32))
            .wrapping_add(pair(keys[7], d as u32, keys[8], (d >> 32) as u32))
            .wrapping_add(pair(keys[9], both(self.port), keys[10], self.protocol as u32));
        finish(sum)
    }
}

/// Keys of the flow hash: one for the sum and one for every word of four octets in the longest key.
///
/// The sum is Multilinear-HM (Lemire and Kaser, *Strongly universal string hashing is fast*, 2014): whoever does not
/// know the keys cannot choose flows that meet in a slot. Its products do not wait for each other, which makes it
/// quicker on a processor than rounds of which each needs the one before.
pub type HashKeys = [u64; 11];

/// Breaks up the regular steps that neighbouring ports leave in a sum of products: slots of a run of ports would be
/// spread evenly over the table, but the runs of several hosts would lie upon each other.
#[inline(always)]
const fn finish(sum: u64) -> u32 {
    ((sum ^ (sum >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// Two words' share of the sum.
#[inline(always)]
const fn pair(key_a: u64, a: u32, key_b: u64, b: u32) -> u64 {
    key_a.wrapping_add(a as u64).wrapping_mul(key_b.wrapping_add(b as u64))
}

/// Two ports as one word.
#[inline(always)]
const fn both(port: [u16; 2]) -> u32 {
    (port[1] as u32) << 16 | port[0] as u32
}

/// Slot around which a flow of this hash stands when its home group is full; never in that group.
#[inline(always)]
pub const fn second(hash: u32, mask: u32) -> u32 {
    // An odd number of groups away: with two groups or more, that is another one.
    (hash ^ ((hash >> 16) | 1).wrapping_mul(GROUP)) & mask
}

/// TCP (RFC 9293).
pub const TCP: u8 = 6;
/// UDP (RFC 768).
pub const UDP: u8 = 17;

/// TCP header flag FIN.
pub const TCP_FIN: u8 = 1;
/// TCP header flag SYN.
pub const TCP_SYN: u8 = 2;
/// TCP header flag RST.
pub const TCP_RST: u8 = 4;
/// TCP header flag ACK.
pub const TCP_ACK: u8 = 16;

#[cfg(test)]
mod tests;
