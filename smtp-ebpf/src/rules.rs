//! Asks the rule base.

use aya_ebpf::maps::lpm_trie::Key;
use smtp_common::flow::{TCP, UDP};
use smtp_common::next_hop::NextHopKey;
use smtp_common::rule::{
    InterfaceKey, PORT_SLOT_BITS, PortKey, RuleEntry, RuleSet, first_match, protocol_class, without_ports,
};
use smtp_common::stats::Counter;

use crate::family::Packet;
use crate::{atomic, maps, stats};

/// What the rule base says.
pub(crate) enum Match {
    /// The first rule that matches, if there is one.
    Rule(Option<RuleEntry>),
    /// A look-up table has no answer at all.
    Incomplete,
}

/// A [`Match`] in one register: eight octets of the rule, or one of two values that no rule has.
#[derive(Clone, Copy)]
pub(crate) struct PackedMatch(u64);

impl PackedMatch {
    const NONE: Self = Self(u64::MAX);
    const INCOMPLETE: Self = Self(u64::MAX - 1);

    #[inline(always)]
    fn of(rule: Option<RuleEntry>) -> Self {
        // SAFETY: plain data of the same size.
        rule.map_or(Self::NONE, |rule| Self(unsafe { core::mem::transmute::<RuleEntry, u64>(rule) }))
    }
}

impl From<PackedMatch> for Match {
    #[inline(always)]
    fn from(packed: PackedMatch) -> Self {
        match packed.0 {
            NONE => Self::Rule(None),
            INCOMPLETE => Self::Incomplete,
            // SAFETY: plain data of the same size.
            word => Self::Rule(Some(unsafe { core::mem::transmute::<u64, RuleEntry>(word) })),
        }
    }
}

const NONE: u64 = PackedMatch::NONE.0;
const INCOMPLETE: u64 = PackedMatch::INCOMPLETE.0;

/// The first rule for a packet; `swapped` asks for the other direction of its flow.
#[inline(never)]
pub(crate) fn matching<P: Packet>(packet: &P, slot: u32, swapped: bool, ifindex: u32) -> PackedMatch {
    stats::count(Counter::RULE_LOOKUPS);
    let common = packet.common();
    let protocol = common.headers.protocol;
    let port = if protocol != TCP && protocol != UDP {
        0
    } else if swapped {
        common.source_port
    } else {
        common.destination_port
    };
    let class = protocol_class(protocol) as u8;
    let key = Key::new(PORT_SLOT_BITS + 16, PortKey { slot: slot as u8, class, port: port.to_ne_bytes() });
    let Some((source, destination)) = packet.address_rules(slot, swapped) else {
        return PackedMatch::INCOMPLETE;
    };
    let (Some(ports), Some(interface)) = (maps::PORT_RANGES.get(key), by_interface(slot, ifindex)) else {
        return PackedMatch::INCOMPLETE;
    };
    let position = first_match(source, destination, interface, ports);
    PackedMatch::of(maps::rule(slot, position))
}

/// Whether a guarded rule may be meant by a packet whose ports cannot be read. A missing look-up entry counts
/// as "it may".
#[inline(never)]
pub(crate) fn possibly_guarded<P: Packet>(packet: &P, slot: u32, class: u32, ifindex: u32) -> bool {
    stats::count(Counter::RULE_LOOKUPS);
    by_addresses(packet, slot, class, ifindex).is_none_or(|(guarded, _)| guarded)
}

/// The first rule that matches such a packet whatever its ports are.
#[inline(never)]
pub(crate) fn certain<P: Packet>(packet: &P, slot: u32, class: u32, ifindex: u32) -> PackedMatch {
    by_addresses(packet, slot, class, ifindex)
        .map_or(PackedMatch::INCOMPLETE, |(_, position)| PackedMatch::of(maps::rule(slot, position)))
}

#[inline(always)]
fn by_addresses<P: Packet>(packet: &P, slot: u32, class: u32, ifindex: u32) -> Option<(bool, u32)> {
    let (source, destination) = packet.address_rules(slot, false)?;
    let (interface, protocol) = (by_interface(slot, ifindex)?, maps::protocol_rules(slot, class)?);
    Some(without_ports(source, destination, interface, protocol))
}

#[inline(always)]
fn by_interface(slot: u32, ifindex: u32) -> Option<&'static RuleSet> {
    // SAFETY: entries are only replaced in the slot that is not active.
    unsafe {
        maps::INTERFACE_RULES
            .get(InterfaceKey { slot, ifindex })
            .or_else(|| maps::INTERFACE_RULES.get(InterfaceKey { slot, ifindex: 0 }))
    }
}

/// Whether an address is banned at `now_ns`; counts the packet if so.
#[inline(never)]
pub(crate) fn is_banned(address: &[u8; 16], now_ns: u64) -> bool {
    let Some(ban) = maps::BANNED.get(Key::new(128, *address)) else {
        return false;
    };
    let in_force = ban.in_force(now_ns);
    if in_force {
        // SAFETY: a map value; the table hands it out for reading only, but the kernel lets programs write it.
        unsafe { atomic::increment((&raw const ban.packets).cast_mut()) };
    }
    in_force
}

/// Key of a neighbour.
#[inline(always)]
pub(crate) const fn neighbour_key(address: [u8; 16], ifindex: u32) -> NextHopKey {
    NextHopKey { address, ifindex }
}
