//! The rule base: bitmaps of rules by header field, and what the winning rule says.
//!
//! Each field of a packet is looked up by itself and gives the set of rules which that field does not
//! rule out; the lowest position in the intersection is the first match. The cost does not grow with
//! the number of rules, and it is paid once a flow.

use crate::abi::MAX_RULES;
use crate::flow::{TCP, UDP};
use crate::heartbeat::WhenDown;

/// Words of a [`RuleSet`].
pub const RULE_WORDS: usize = (MAX_RULES / 64) as usize;

/// A set of rule positions.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct RuleSet(pub [u64; RULE_WORDS]);

impl RuleSet {
    /// No rule.
    pub const EMPTY: Self = Self([0; RULE_WORDS]);

    /// Adds a position below `MAX_RULES`.
    pub const fn insert(&mut self, position: u32) {
        self.0[(position / 64) as usize] |= 1 << (position % 64);
    }

    /// Whether a position below `MAX_RULES` is in the set.
    pub const fn contains(&self, position: u32) -> bool {
        self.0[(position / 64) as usize] >> (position % 64) & 1 == 1
    }

    /// Whether no rule is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }
}

/// Lowest position that is in all four sets, or `NO_POSITION`.
#[inline(always)]
pub fn first_match(a: &RuleSet, b: &RuleSet, c: &RuleSet, d: &RuleSet) -> u32 {
    let mut index = 0;
    while index < RULE_WORDS {
        let word = a.0[index] & b.0[index] & c.0[index] & d.0[index];
        if word != 0 {
            return index as u32 * 64 + lowest_bit(word);
        }
        index += 1;
    }
    NO_POSITION
}

/// No rule matched.
pub const NO_POSITION: u32 = u32::MAX;

/// Position of the lowest set bit; `word` is not 0.
///
/// The BPF target has no instruction for it, and branches would multiply the paths that the verifier has to
/// walk: so this counts, without a branch, the ones below the lowest set bit.
#[inline(always)]
const fn lowest_bit(word: u64) -> u32 {
    let below = (word & word.wrapping_neg()).wrapping_sub(1);
    let pairs = below - ((below >> 1) & 0x5555_5555_5555_5555);
    let nibbles = (pairs & 0x3333_3333_3333_3333) + ((pairs >> 2) & 0x3333_3333_3333_3333);
    let octets = (nibbles + (nibbles >> 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    (octets.wrapping_mul(0x0101_0101_0101_0101) >> 56) as u32
}

/// What a rule does.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct RuleAction(pub u8);

impl RuleAction {
    /// Left to the kernel.
    pub const STACK: Self = Self(0);
    /// Forwarded in the kernel program.
    pub const ACCELERATE: Self = Self(1);
    /// Forwarded and followed.
    pub const WATCH: Self = Self(2);
    /// Terminated by the inspector.
    pub const INSPECT: Self = Self(3);
    /// Dropped.
    pub const DROP: Self = Self(4);

    /// Whether traffic under this action must not pass unseen.
    #[inline(always)]
    pub const fn is_guarded(self) -> bool {
        self.0 == Self::WATCH.0 || self.0 == Self::INSPECT.0
    }

    /// The word used in configuration and output.
    pub const fn name(self) -> &'static str {
        match self.0 {
            0 => "stack",
            1 => "accelerate",
            2 => "watch",
            3 => "inspect",
            4 => "drop",
            _ => "unknown",
        }
    }
}

/// The stage of SMTP dialogues under this rule is followed (`track = "starttls"`).
pub const RULE_TRACK_STARTTLS: u8 = 1;

/// What the kernel programs need of a rule.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct RuleEntry {
    /// What it does.
    pub action: RuleAction,
    /// What it does without an inspector.
    pub when_down: WhenDown,
    /// `RULE_*`.
    pub flags: u8,
    /// Zero.
    pub pad: u8,
    /// Id that stays with the rule while the rules around it change.
    pub id: u16,
    /// Index of the resource; `u16::MAX` for none.
    pub resource: u16,
}

/// Protocol as the rule base tells it apart.
#[inline(always)]
pub const fn protocol_class(protocol: u8) -> u32 {
    match protocol {
        TCP => 1,
        UDP => 2,
        _ => 0,
    }
}

/// Number of protocol classes.
pub const PROTOCOL_CLASSES: u32 = 3;

/// What can be said when only the protocol of a packet is known.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct ProtocolRules {
    /// Rules that may match some port of this protocol.
    pub possible: RuleSet,
    /// Rules that match every port of this protocol.
    pub certain: RuleSet,
    /// Rules whose traffic must not pass unseen.
    pub guarded: RuleSet,
}

/// What the addresses, interface and protocol say of a packet whose ports cannot be read: whether a
/// guarded rule may be meant, and the first rule that matches whatever the ports are.
///
/// Rules behind a certain match cannot be meant; so the guarded ones among the possible rules before it,
/// and it, are what counts.
#[inline(always)]
pub fn without_ports(
    source: &RuleSet,
    destination: &RuleSet,
    interface: &RuleSet,
    protocol: &ProtocolRules,
) -> (bool, u32) {
    let mut guarded = false;
    let mut i = 0;
    while i < RULE_WORDS {
        let candidates = source.0[i] & destination.0[i] & interface.0[i];
        let possible = candidates & protocol.possible.0[i];
        let certain = candidates & protocol.certain.0[i];
        // All bits up to and including the lowest certain one; all bits when there is none.
        let reachable = certain ^ certain.wrapping_sub(1);
        guarded |= possible & protocol.guarded.0[i] & reachable != 0;
        if certain != 0 {
            return (guarded, i as u32 * 64 + lowest_bit(certain));
        }
        i += 1;
    }
    (guarded, NO_POSITION)
}

/// Key of an address table: slot first, so that two policies never meet in one look-up.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, bytemuck::Pod, bytemuck::Zeroable)]
pub struct PrefixKeyV4 {
    /// Policy slot.
    pub slot: [u8; 4],
    /// Address, network order.
    pub address: [u8; 4],
}

/// Key of an IPv6 address table.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, bytemuck::Pod, bytemuck::Zeroable)]
pub struct PrefixKeyV6 {
    /// Policy slot.
    pub slot: [u8; 4],
    /// Address, network order.
    pub address: [u8; 16],
}

/// Key of the port table.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, bytemuck::Pod, bytemuck::Zeroable)]
pub struct PortKey {
    /// Policy slot.
    pub slot: u8,
    /// [`protocol_class`].
    pub class: u8,
    /// Destination port, network order; 0 in class 0.
    pub port: [u8; 2],
}

/// Key of the interface table; interface 0 is "any other".
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, bytemuck::Pod, bytemuck::Zeroable)]
pub struct InterfaceKey {
    /// Policy slot.
    pub slot: u32,
    /// Ingress interface.
    pub ifindex: u32,
}

/// Bits of a prefix key that stand before the address.
pub const PREFIX_SLOT_BITS: u32 = 32;
/// Bits of a port key that stand before the port.
pub const PORT_SLOT_BITS: u32 = 16;

/// The slot field of a prefix key.
#[inline(always)]
pub const fn slot_octets(slot: u32) -> [u8; 4] {
    [slot as u8, 0, 0, 0]
}

#[cfg(test)]
mod tests;
