//! The rule base in the kernel: read it, and put another one in its place.
//!
//! A policy is written under the slot that is not active, its own words with it, and made active by one store.
//! No packet sees half of it.

use std::fs::File;

use aya::Pod;
use aya::maps::lpm_trie::Key;
use aya::maps::{Array, HashMap, LpmTrie, MapData};
use smtp_common::abi::{MAX_RULES, TEXT_CHUNK_BYTES, TEXT_CHUNKS, map};
use smtp_common::layout::TextChunk;
use smtp_common::rule::{
    InterfaceKey, PORT_SLOT_BITS, PREFIX_SLOT_BITS, PROTOCOL_CLASSES, PortKey, PrefixKeyV4, PrefixKeyV6,
    ProtocolRules, RuleEntry, RuleSet, slot_octets,
};

use crate::packet_path::error::{PacketPathError, Result};
use crate::packet_path::interface::Interface;
use crate::packet_path::maps::{Maps, failed};
use crate::packet_path::stats::RuleCounts;
use crate::policy::compile::{MissingInterface, PolicyImage, compile};
use crate::policy::packet_rules::PacketRules;
use crate::policy::rule_text;

/// A policy that was made active.
#[derive(Clone, Debug)]
pub struct Installed {
    /// Its revision.
    pub revision: u16,
    /// Rules that match nothing because their interface does not exist.
    pub missing_interfaces: Vec<MissingInterface>,
}

/// Keeps other processes from changing the rules; held until the guard goes.
pub fn lock(maps: &Maps) -> Result<File> {
    maps.pins().wait_for(LOCK)
}

/// Folder that is locked while rules are changed.
const LOCK: &str = "rules_lock";

/// The active rules; none before the first policy.
pub fn active_rules(maps: &Maps) -> Result<PacketRules> {
    let active = maps.active()?;
    if active.policy() == 0 {
        return Ok(PacketRules::default());
    }
    Ok(rule_text::read(&text(maps, active.slot())?)?)
}

/// The image of rules for the interfaces that exist.
pub fn image(rules: &PacketRules, interfaces: &[Interface]) -> Result<PolicyImage> {
    let index = |name: &str| interfaces.iter().find(|interface| interface.name == name).map(|i| i.index);
    Ok(compile(rules, &index)?)
}

/// Puts rules in the place of the active ones. The caller holds [`lock`].
pub fn install(maps: &Maps, rules: &PacketRules, interfaces: &[Interface]) -> Result<Installed> {
    let image = image(rules, interfaces)?;
    let text = rule_text::write(rules)?;
    let next = maps.active()?.next_policy();
    let before = active_rules(maps)?.ids();
    let mut counts = RuleCounts::open(maps)?;
    for id in rules.ids().difference(&before) {
        counts.reset(*id)?;
    }
    write(maps, next.slot(), &image)?;
    write_text(maps, next.slot(), &text)?;
    maps.set_active(next)?;
    Ok(Installed { revision: next.policy(), missing_interfaces: image.missing_interfaces })
}

fn write(maps: &Maps, slot: u32, image: &PolicyImage) -> Result<()> {
    let v4 = |entries: &[crate::policy::compile::PrefixEntry<4>]| -> Vec<(Key<PrefixKeyV4>, RuleSet)> {
        entries
            .iter()
            .map(|e| {
                let data = PrefixKeyV4 { slot: slot_octets(slot), address: e.address };
                (Key::new(PREFIX_SLOT_BITS + e.prefix_len, data), e.rules)
            })
            .collect()
    };
    let v6 = |entries: &[crate::policy::compile::PrefixEntry<16>]| -> Vec<(Key<PrefixKeyV6>, RuleSet)> {
        entries
            .iter()
            .map(|e| {
                let data = PrefixKeyV6 { slot: slot_octets(slot), address: e.address };
                (Key::new(PREFIX_SLOT_BITS + e.prefix_len, data), e.rules)
            })
            .collect()
    };
    replace(maps, map::SOURCES_V4, &v4(&image.sources_v4), |key| key.slot[0], slot)?;
    replace(maps, map::DESTINATIONS_V4, &v4(&image.destinations_v4), |key| key.slot[0], slot)?;
    replace(maps, map::SOURCES_V6, &v6(&image.sources_v6), |key| key.slot[0], slot)?;
    replace(maps, map::DESTINATIONS_V6, &v6(&image.destinations_v6), |key| key.slot[0], slot)?;
    let ports: Vec<(Key<PortKey>, RuleSet)> = image
        .ports
        .iter()
        .map(|e| {
            // Class 0 has no ports: its one entry is asked for by the full length.
            let length = if e.class == 0 { 16 } else { u32::from(e.prefix_len) };
            let data = PortKey { slot: slot as u8, class: e.class, port: e.port.to_be_bytes() };
            (Key::new(PORT_SLOT_BITS + length, data), e.rules)
        })
        .collect();
    replace(maps, map::PORT_RANGES, &ports, |key| key.slot, slot)?;
    write_interfaces(maps, slot, image)?;
    let mut protocols: Array<MapData, ProtocolRules> = maps.array(map::PROTOCOL_RULES)?;
    for (class, rules) in (0..PROTOCOL_CLASSES).zip(&image.protocols) {
        protocols
            .set(slot * PROTOCOL_CLASSES + class, *rules, 0)
            .map_err(|error| failed(map::PROTOCOL_RULES, error))?;
    }
    let mut table: Array<MapData, RuleEntry> = maps.array(map::RULES)?;
    for (position, rule) in (0..MAX_RULES).zip(&image.rules) {
        table.set(slot * MAX_RULES + position, *rule, 0).map_err(|error| failed(map::RULES, error))?;
    }
    Ok(())
}

/// Makes the entries of a slot in a longest-prefix table exactly these.
fn replace<K: Pod + bytemuck::NoUninit + PartialEq>(
    maps: &Maps,
    name: &'static str,
    entries: &[(Key<K>, RuleSet)],
    slot_of: impl Fn(&K) -> u8,
    slot: u32,
) -> Result<()> {
    let mut table: LpmTrie<MapData, K, RuleSet> = maps.lpm_trie(name)?;
    let wrap = |error| failed(name, error);
    let identity = |key: &Key<K>| (key.prefix_len(), bytemuck::bytes_of(&key.data()).to_vec());
    let wanted: std::collections::HashSet<_> = entries.iter().map(|(key, _)| identity(key)).collect();
    let keys: Vec<Key<K>> = table.keys().filter_map(std::result::Result::ok).collect();
    for key in
        keys.iter().filter(|key| u32::from(slot_of(&key.data())) == slot && !wanted.contains(&identity(key)))
    {
        table.remove(key).map_err(wrap)?;
    }
    for (key, rules) in entries {
        table.insert(key, rules, 0).map_err(wrap)?;
    }
    Ok(())
}

fn write_interfaces(maps: &Maps, slot: u32, image: &PolicyImage) -> Result<()> {
    let mut table: HashMap<MapData, InterfaceKey, RuleSet> = maps.hash_map(map::INTERFACE_RULES)?;
    let wrap = |error| failed(map::INTERFACE_RULES, error);
    let keys: Vec<InterfaceKey> = table.keys().filter_map(std::result::Result::ok).collect();
    for key in
        keys.iter().filter(|key| key.slot == slot && image.interfaces.iter().all(|(i, _)| *i != key.ifindex))
    {
        table.remove(key).map_err(wrap)?;
    }
    for (ifindex, rules) in &image.interfaces {
        table.insert(InterfaceKey { slot, ifindex: *ifindex }, rules, 0).map_err(wrap)?;
    }
    Ok(())
}

fn text(maps: &Maps, slot: u32) -> Result<String> {
    let table: Array<MapData, TextChunk> = maps.array(map::RULE_TEXT)?;
    let mut octets = Vec::new();
    for chunk in 0..TEXT_CHUNKS {
        let chunk =
            table.get(&(slot * TEXT_CHUNKS + chunk), 0).map_err(|error| failed(map::RULE_TEXT, error))?;
        let end = chunk.octets.iter().position(|&octet| octet == 0).unwrap_or(TEXT_CHUNK_BYTES);
        octets.extend_from_slice(chunk.octets.get(..end).unwrap_or_default());
        if end < TEXT_CHUNK_BYTES {
            break;
        }
    }
    String::from_utf8(octets).map_err(|error| PacketPathError::map(map::RULE_TEXT, error))
}

fn write_text(maps: &Maps, slot: u32, text: &str) -> Result<()> {
    let mut table: Array<MapData, TextChunk> = maps.array(map::RULE_TEXT)?;
    let mut rest = text.as_bytes();
    for chunk in 0..TEXT_CHUNKS {
        let (part, behind) = rest.split_at(rest.len().min(TEXT_CHUNK_BYTES));
        let mut octets = [0; TEXT_CHUNK_BYTES];
        for (to, from) in octets.iter_mut().zip(part) {
            *to = *from;
        }
        table
            .set(slot * TEXT_CHUNKS + chunk, TextChunk { octets }, 0)
            .map_err(|error| failed(map::RULE_TEXT, error))?;
        rest = behind;
        // The chunk with the terminating zero is the last one that is read.
        if part.len() < TEXT_CHUNK_BYTES {
            break;
        }
    }
    Ok(())
}
