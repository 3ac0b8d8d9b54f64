//! Compiles an ordered list of rules into everything that stands in the kernel's tables for it.
//!
//! Every table maps a value of one header field to the set of rules which that value does not rule out.
//! The tables are looked up by longest prefix, so the set of a prefix is the union of all rules that have
//! any prefix which contains it; entries that would say the same as the next shorter one are left out.

use std::collections::{BTreeMap, HashMap};

use ipnet::IpNet;
use smtp_common::abi::{self, MAX_INTERFACE_RULES, MAX_PREFIXES, MAX_RULES};
use smtp_common::rule::{
    PROTOCOL_CLASSES, ProtocolRules, RULE_TRACK_STARTTLS, RuleEntry, RuleSet, protocol_class,
};

use crate::policy::packet_rule::PacketRule;
use crate::policy::packet_rules::PacketRules;
use crate::policy::ranges::Ranges;

/// What must be written under one slot.
#[derive(Clone, Debug)]
pub struct PolicyImage {
    /// Rules by IPv4 source prefix; the first has length 0.
    pub sources_v4: Vec<PrefixEntry<4>>,
    /// Rules by IPv4 destination prefix; the first has length 0.
    pub destinations_v4: Vec<PrefixEntry<4>>,
    /// Rules by IPv6 source prefix; the first has length 0.
    pub sources_v6: Vec<PrefixEntry<16>>,
    /// Rules by IPv6 destination prefix; the first has length 0.
    pub destinations_v6: Vec<PrefixEntry<16>>,
    /// Rules by protocol and destination port. TCP and UDP are covered without a gap.
    pub ports: Vec<PortEntry>,
    /// Rules by ingress interface; the first is interface 0, "any other".
    pub interfaces: Vec<(u32, RuleSet)>,
    /// What can be said without ports, by [`protocol_class`].
    pub protocols: [ProtocolRules; PROTOCOL_CLASSES as usize],
    /// The rules, by position.
    pub rules: Vec<RuleEntry>,
    /// Names of resources, by the index in [`RuleEntry::resource`].
    pub resources: Vec<String>,
    /// Rules that match nothing because their interface does not exist now.
    pub missing_interfaces: Vec<MissingInterface>,
}

/// Rules of the packets in an address prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixEntry<const OCTETS: usize> {
    /// Bits of the address that count.
    pub prefix_len: u32,
    /// Network order; bits that do not count are 0.
    pub address: [u8; OCTETS],
    /// The rules.
    pub rules: RuleSet,
}

/// Rules of the packets in an aligned range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortEntry {
    /// [`protocol_class`].
    pub class: u8,
    /// Bits of the port that count, 0 to 16.
    pub prefix_len: u8,
    /// Bits that do not count are 0.
    pub port: u16,
    /// The rules.
    pub rules: RuleSet,
}

/// A rule whose interface does not exist.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MissingInterface {
    /// Name of the rule.
    pub rule: String,
    /// Name of the interface.
    pub interface: String,
}

/// Why rules cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// Too many different prefixes or port ranges in all rules together.
    #[error("the rules need {needed} entries in the table {table}, which holds {limit} of one policy")]
    TableFull {
        /// Name of the map.
        table: &'static str,
        /// Entries needed.
        needed: usize,
        /// Entries there are.
        limit: usize,
    },
}

/// Compiles rules. `ifindex` gives the index of an interface that exists now.
pub fn compile(
    rules: &PacketRules,
    ifindex: &dyn Fn(&str) -> Option<u32>,
) -> Result<PolicyImage, CompileError> {
    let (interfaces, missing_interfaces) = interface_table(rules, ifindex);
    let (entries, resources) = rule_entries(rules);
    let sources = |rule: &PacketRule| rule.from.clone();
    let destinations = |rule: &PacketRule| rule.to.clone();
    let image = PolicyImage {
        sources_v4: prefix_table(rules, sources, key_v4).into_iter().map(entry_v4).collect(),
        destinations_v4: prefix_table(rules, destinations, key_v4).into_iter().map(entry_v4).collect(),
        sources_v6: prefix_table(rules, sources, key_v6).into_iter().map(entry_v6).collect(),
        destinations_v6: prefix_table(rules, destinations, key_v6).into_iter().map(entry_v6).collect(),
        ports: port_table(rules),
        interfaces,
        protocols: protocol_rules(rules),
        rules: entries,
        resources,
        missing_interfaces,
    };
    check_sizes(&image)?;
    Ok(image)
}

/// An address prefix with its address moved to the top of 128 bits, so that both families are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PrefixKey {
    address: u128,
    prefix_len: u8,
}

impl PrefixKey {
    const ALL: Self = Self { address: 0, prefix_len: 0 };

    fn contains(self, other: Self) -> bool {
        let differing = (self.address ^ other.address).leading_zeros();
        self.prefix_len <= other.prefix_len && differing >= u32::from(self.prefix_len)
    }
}

fn key_v4(prefix: IpNet) -> Option<PrefixKey> {
    match prefix {
        IpNet::V4(net) => Some(PrefixKey {
            address: u128::from(u32::from(net.network())) << 96,
            prefix_len: net.prefix_len(),
        }),
        IpNet::V6(_) => None,
    }
}

fn key_v6(prefix: IpNet) -> Option<PrefixKey> {
    match prefix {
        IpNet::V6(net) => Some(PrefixKey { address: net.network().into(), prefix_len: net.prefix_len() }),
        IpNet::V4(_) => None,
    }
}

fn entry_v4((key, rules): (PrefixKey, RuleSet)) -> PrefixEntry<4> {
    let [a, b, c, d, ..] = key.address.to_be_bytes();
    PrefixEntry { prefix_len: key.prefix_len.into(), address: [a, b, c, d], rules }
}

fn entry_v6((key, rules): (PrefixKey, RuleSet)) -> PrefixEntry<16> {
    PrefixEntry { prefix_len: key.prefix_len.into(), address: key.address.to_be_bytes(), rules }
}

/// The table of one address field in one family. A rule without prefixes stands in the entry of length 0;
/// one with prefixes of the other family only stands nowhere.
fn prefix_table(
    rules: &PacketRules,
    prefixes: impl Fn(&PacketRule) -> Vec<IpNet>,
    key: impl Fn(IpNet) -> Option<PrefixKey>,
) -> Vec<(PrefixKey, RuleSet)> {
    let mut own = BTreeMap::from([(PrefixKey::ALL, RuleSet::EMPTY)]);
    for (rule, position) in rules.iter().zip(0..) {
        let of_rule = prefixes(rule);
        if of_rule.is_empty() {
            own.entry(PrefixKey::ALL).or_insert(RuleSet::EMPTY).insert(position);
        }
        for prefix in of_rule.into_iter().filter_map(&key) {
            own.entry(prefix).or_insert(RuleSet::EMPTY).insert(position);
        }
    }
    // In this order a prefix comes behind all that contain it; those stand on the stack.
    let mut table = Vec::with_capacity(own.len());
    let mut around: Vec<(PrefixKey, RuleSet)> = Vec::new();
    for (prefix, mut set) in own {
        while around.last().is_some_and(|(outer, _)| !outer.contains(prefix)) {
            around.pop();
        }
        if let Some((_, outer)) = around.last() {
            unite(&mut set, outer);
            if set == *outer {
                continue;
            }
        }
        around.push((prefix, set));
        table.push((prefix, set));
    }
    table
}

/// The table of protocols and ports.
fn port_table(rules: &PacketRules) -> Vec<PortEntry> {
    let mut changes: [BTreeMap<u32, RuleSet>; PROTOCOL_CLASSES as usize] = Default::default();
    for (rule, position) in rules.iter().zip(0..) {
        // Ranges of one rule neither meet nor touch within a class, so each end is one change.
        for (first, last) in Ranges::of_services(&rule.service).iter() {
            for (class, of_class) in changes.iter_mut().enumerate() {
                let base = (class as u128) << 16;
                let (low, high) = (first.max(base), last.min(base + u128::from(u16::MAX)));
                if low <= high {
                    of_class.entry((low - base) as u32).or_insert(RuleSet::EMPTY).insert(position);
                    of_class.entry((high - base) as u32 + 1).or_insert(RuleSet::EMPTY).insert(position);
                }
            }
        }
    }
    let mut table = Vec::new();
    for (class, of_class) in (0..).zip(&changes) {
        if class == 0 {
            let rules = of_class.get(&0).copied().unwrap_or(RuleSet::EMPTY);
            table.push(PortEntry { class, prefix_len: 0, port: 0, rules });
        } else {
            class_table(class, of_class, &mut table);
        }
    }
    table
}

/// The ports of one protocol: the intervals between changes, split into prefixes.
fn class_table(class: u8, changes: &BTreeMap<u32, RuleSet>, table: &mut Vec<PortEntry>) {
    let mut set = RuleSet::EMPTY;
    let mut start = 0;
    for (&port, changed) in changes {
        // Every change flips some rule, so no two neighbours are equal.
        if port > start {
            split(class, start, port, set, table);
            start = port;
        }
        for (word, bits) in set.0.iter_mut().zip(changed.0) {
            *word ^= bits;
        }
    }
    split(class, start, 1 << 16, set, table);
}

/// Splits the ports from `start` to before `end` into aligned powers of two.
fn split(class: u8, mut start: u32, end: u32, rules: RuleSet, table: &mut Vec<PortEntry>) {
    while start < end {
        let alignment = if start == 0 { 16 } else { start.trailing_zeros() };
        let bits = alignment.min((end - start).ilog2());
        table.push(PortEntry { class, prefix_len: 16 - bits as u8, port: start as u16, rules });
        start += 1 << bits;
    }
}

fn interface_table(
    rules: &PacketRules,
    ifindex: &dyn Fn(&str) -> Option<u32>,
) -> (Vec<(u32, RuleSet)>, Vec<MissingInterface>) {
    let mut any = RuleSet::EMPTY;
    let mut named: BTreeMap<u32, RuleSet> = BTreeMap::new();
    let mut missing = Vec::new();
    for (rule, position) in rules.iter().zip(0..) {
        let Some(interface) = &rule.interface else {
            any.insert(position);
            continue;
        };
        // Interface 0 is no interface.
        match ifindex(interface).filter(|index| *index != 0) {
            Some(index) => named.entry(index).or_insert(RuleSet::EMPTY).insert(position),
            None => missing.push(MissingInterface { rule: rule.name.clone(), interface: interface.clone() }),
        }
    }
    let mut table = vec![(0, any)];
    table.extend(named.into_iter().map(|(index, mut set)| {
        unite(&mut set, &any);
        (index, set)
    }));
    (table, missing)
}

fn protocol_rules(rules: &PacketRules) -> [ProtocolRules; PROTOCOL_CLASSES as usize] {
    let nothing =
        ProtocolRules { possible: RuleSet::EMPTY, certain: RuleSet::EMPTY, guarded: RuleSet::EMPTY };
    let mut protocols = [nothing; PROTOCOL_CLASSES as usize];
    for (rule, position) in rules.iter().zip(0..) {
        let services = Ranges::of_services(&rule.service);
        for (class, of_class) in (0..).zip(&mut protocols) {
            let whole = whole_class(class);
            if services.meets(&whole) {
                of_class.possible.insert(position);
            }
            if services.covers(&whole) {
                of_class.certain.insert(position);
            }
            if rule.action.is_guarded() {
                of_class.guarded.insert(position);
            }
        }
    }
    protocols
}

/// Every number that [`Ranges::of_services`] has for a class.
fn whole_class(class: u32) -> Ranges {
    let first = u128::from(class) << 16;
    let last = if class == protocol_class(0) { first } else { first + u128::from(u16::MAX) };
    Ranges::new([(first, last)])
}

fn rule_entries(rules: &PacketRules) -> (Vec<RuleEntry>, Vec<String>) {
    let mut resources: Vec<String> = Vec::new();
    let mut known: HashMap<&str, u16> = HashMap::new();
    let entries = rules
        .iter()
        .map(|rule| {
            let resource = rule.resource.as_deref().map_or(NO_RESOURCE, |name| {
                *known.entry(name).or_insert_with(|| {
                    resources.push(name.to_owned());
                    (resources.len() - 1) as u16
                })
            });
            RuleEntry {
                action: rule.action.into(),
                when_down: rule.when_down.unwrap_or_default().into(),
                flags: if rule.track_starttls { RULE_TRACK_STARTTLS } else { 0 },
                pad: 0,
                id: rule.id,
                resource,
            }
        })
        .collect();
    (entries, resources)
}

/// [`RuleEntry::resource`] of a rule without one.
const NO_RESOURCE: u16 = u16::MAX;

fn check_sizes(image: &PolicyImage) -> Result<(), CompileError> {
    let prefixes = MAX_PREFIXES as usize / 2;
    let tables = [
        (abi::map::SOURCES_V4, image.sources_v4.len(), prefixes),
        (abi::map::DESTINATIONS_V4, image.destinations_v4.len(), prefixes),
        (abi::map::SOURCES_V6, image.sources_v6.len(), prefixes),
        (abi::map::DESTINATIONS_V6, image.destinations_v6.len(), prefixes),
        (abi::map::PORT_RANGES, image.ports.len(), prefixes),
        (abi::map::INTERFACE_RULES, image.interfaces.len(), MAX_INTERFACE_RULES as usize / 2),
        (abi::map::RULES, image.rules.len(), MAX_RULES as usize),
    ];
    match tables.into_iter().find(|(_, needed, limit)| needed > limit) {
        Some((table, needed, limit)) => Err(CompileError::TableFull { table, needed, limit }),
        None => Ok(()),
    }
}

fn unite(set: &mut RuleSet, more: &RuleSet) {
    for (word, bits) in set.0.iter_mut().zip(more.0) {
        *word |= bits;
    }
}

#[cfg(test)]
mod tests;
