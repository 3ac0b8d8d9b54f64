//! What a policy says of a packet, by the compiled tables and, for comparison, by walking the rules.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smtp_common::rule::{NO_POSITION, RuleSet, first_match, protocol_class, without_ports};

use crate::policy::compile::{PolicyImage, PrefixEntry};
use crate::policy::packet_rule::PacketRule;
use crate::policy::packet_rules::PacketRules;
use crate::policy::service::Service;

/// Source and destination of a packet: always of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// IPv4.
    V4 {
        /// Source.
        source: Ipv4Addr,
        /// Destination.
        destination: Ipv4Addr,
    },
    /// IPv6.
    V6 {
        /// Source.
        source: Ipv6Addr,
        /// Destination.
        destination: Ipv6Addr,
    },
}

impl Addresses {
    /// Of two addresses of one family.
    pub fn new(source: IpAddr, destination: IpAddr) -> Result<Self, MixedFamilies> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Ok(Self::V4 { source, destination }),
            (IpAddr::V6(source), IpAddr::V6(destination)) => Ok(Self::V6 { source, destination }),
            _ => Err(MixedFamilies { source_address: source, destination }),
        }
    }

    /// Source.
    pub fn source(&self) -> IpAddr {
        match *self {
            Self::V4 { source, .. } => source.into(),
            Self::V6 { source, .. } => source.into(),
        }
    }

    /// Destination.
    pub fn destination(&self) -> IpAddr {
        match *self {
            Self::V4 { destination, .. } => destination.into(),
            Self::V6 { destination, .. } => destination.into(),
        }
    }
}

/// No packet has addresses of two families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{source_address} and {destination} are not of one address family")]
pub struct MixedFamilies {
    /// Source.
    pub source_address: IpAddr,
    /// Destination.
    pub destination: IpAddr,
}

/// What rules look at in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuple {
    /// Source and destination.
    pub addresses: Addresses,
    /// IP protocol.
    pub protocol: u8,
    /// Source port; no rule looks at it.
    pub source_port: u16,
    /// Destination port; 0 for protocols without.
    pub destination_port: u16,
    /// Index of the interface the packet comes in by.
    pub ingress: u32,
}

/// What can be said of a packet whose ports cannot be read.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithoutPorts {
    /// Whether a rule may be meant whose traffic must not pass unseen.
    pub guarded: bool,
    /// Position of the first rule that matches whatever the ports are.
    pub certain: Option<usize>,
}

/// Position of the rule that matches a packet, by the compiled tables; `None` means that no rule does.
pub fn predict(image: &PolicyImage, tuple: &Tuple) -> Option<usize> {
    let (source, destination) = address_sets(image, &tuple.addresses);
    let ports = port_set(image, tuple.protocol, tuple.destination_port);
    position(first_match(&source, &destination, &interface_set(image, tuple.ingress), &ports))
}

/// What the compiled tables say of a packet whose ports cannot be read.
pub fn predict_without_ports(image: &PolicyImage, tuple: &Tuple) -> WithoutPorts {
    let (source, destination) = address_sets(image, &tuple.addresses);
    let interface = interface_set(image, tuple.ingress);
    let [other, tcp, udp] = &image.protocols;
    let protocol = match protocol_class(tuple.protocol) {
        1 => tcp,
        2 => udp,
        _ => other,
    };
    let (guarded, certain) = without_ports(&source, &destination, &interface, protocol);
    WithoutPorts { guarded, certain: position(certain) }
}

/// Position of the first rule that matches a packet, by asking one rule after the other. `ifindex` gives
/// the index of an interface.
pub fn walk(rules: &PacketRules, tuple: &Tuple, ifindex: &dyn Fn(&str) -> Option<u32>) -> Option<usize> {
    rules.iter().position(|rule| {
        matches_but_for_ports(rule, tuple, ifindex)
            && (rule.service.is_empty() || rule.service.iter().any(|service| matches(*service, tuple)))
    })
}

/// Whether addresses and interface of a packet are what a rule asks for.
fn matches_but_for_ports(rule: &PacketRule, tuple: &Tuple, ifindex: &dyn Fn(&str) -> Option<u32>) -> bool {
    let (source, destination) = (tuple.addresses.source(), tuple.addresses.destination());
    (rule.from.is_empty() || rule.from.iter().any(|prefix| prefix.contains(&source)))
        && (rule.to.is_empty() || rule.to.iter().any(|prefix| prefix.contains(&destination)))
        && rule.interface.as_deref().is_none_or(|name| ifindex(name) == Some(tuple.ingress))
}

fn matches(service: Service, tuple: &Tuple) -> bool {
    match service {
        Service::Any => true,
        Service::Tcp(ports) => protocol_class(tuple.protocol) == 1 && ports.contains(tuple.destination_port),
        Service::Udp(ports) => protocol_class(tuple.protocol) == 2 && ports.contains(tuple.destination_port),
    }
}

fn position(found: u32) -> Option<usize> {
    if found == NO_POSITION { None } else { Some(found as usize) }
}

fn address_sets(image: &PolicyImage, addresses: &Addresses) -> (RuleSet, RuleSet) {
    match addresses {
        Addresses::V4 { source, destination } => (
            longest(&image.sources_v4, source.octets()),
            longest(&image.destinations_v4, destination.octets()),
        ),
        Addresses::V6 { source, destination } => (
            longest(&image.sources_v6, source.octets()),
            longest(&image.destinations_v6, destination.octets()),
        ),
    }
}

/// The entry with the longest prefix that contains an address.
fn longest<const OCTETS: usize>(table: &[PrefixEntry<OCTETS>], address: [u8; OCTETS]) -> RuleSet {
    table
        .iter()
        .filter(|entry| common_bits(&entry.address, &address) >= entry.prefix_len)
        .max_by_key(|entry| entry.prefix_len)
        .map_or(RuleSet::EMPTY, |entry| entry.rules)
}

/// Bits that two addresses have in common from the left.
fn common_bits(a: &[u8], b: &[u8]) -> u32 {
    let mut bits = 0;
    for (x, y) in a.iter().zip(b) {
        let equal = (x ^ y).leading_zeros();
        bits += equal;
        if equal < 8 {
            break;
        }
    }
    bits
}

fn port_set(image: &PolicyImage, protocol: u8, port: u16) -> RuleSet {
    let class = protocol_class(protocol);
    let port = if class == protocol_class(0) { 0 } else { port };
    image
        .ports
        .iter()
        .filter(|entry| {
            let equal = (entry.port ^ port).leading_zeros();
            u32::from(entry.class) == class && equal >= u32::from(entry.prefix_len)
        })
        .max_by_key(|entry| entry.prefix_len)
        .map_or(RuleSet::EMPTY, |entry| entry.rules)
}

fn interface_set(image: &PolicyImage, ingress: u32) -> RuleSet {
    let of = |ifindex| image.interfaces.iter().find(|(index, _)| *index == ifindex).map(|(_, set)| *set);
    of(ingress).or_else(|| of(0)).unwrap_or(RuleSet::EMPTY)
}

#[cfg(test)]
mod tests;
