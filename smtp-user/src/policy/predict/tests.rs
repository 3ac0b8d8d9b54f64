//! The compiled tables say what a walk over the rules says, for random rules and packets.

use ipnet::{Ipv4Net, Ipv6Net};
use proptest::prelude::*;

use super::*;
use crate::policy::action::Action;
use crate::policy::compile::compile;
use crate::policy::service::PortRange;

/// Few values in few places, so that random rules and packets meet.
fn address_v4() -> impl Strategy<Value = Ipv4Addr> {
    prop_oneof![
        (0..4_u8, 0..4_u8).prop_map(|(a, b)| Ipv4Addr::new(10, a, 0, b)),
        any::<u32>().prop_map(Ipv4Addr::from),
    ]
}

fn address_v6() -> impl Strategy<Value = Ipv6Addr> {
    prop_oneof![
        (0..4_u16, 0..4_u16).prop_map(|(a, b)| Ipv6Addr::new(0x2001, 0xdb8, a, 0, 0, 0, 0, b)),
        any::<u128>().prop_map(Ipv6Addr::from),
    ]
}

fn prefix() -> impl Strategy<Value = ipnet::IpNet> {
    prop_oneof![
        (address_v4(), prop_oneof![Just(0_u8), Just(8), Just(16), Just(31), Just(32), 0..=32_u8])
            .prop_map(|(address, length)| Ipv4Net::new(address, length).unwrap().trunc().into()),
        (address_v6(), prop_oneof![Just(0_u8), Just(32), Just(48), Just(127), Just(128), 0..=128_u8])
            .prop_map(|(address, length)| Ipv6Net::new(address, length).unwrap().trunc().into()),
    ]
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![Just(0), Just(24), Just(25), Just(26), Just(465), Just(65535), any::<u16>()]
}

fn service() -> impl Strategy<Value = Service> {
    let range = || (port(), port()).prop_map(|(a, b)| PortRange::new(a.min(b), a.max(b)).unwrap());
    prop_oneof![
        Just(Service::Any),
        Just(Service::Tcp(PortRange::ALL)),
        Just(Service::Udp(PortRange::ALL)),
        range().prop_map(Service::Tcp),
        range().prop_map(Service::Udp),
    ]
}

fn rule() -> impl Strategy<Value = PacketRule> {
    (
        prop::collection::vec(prefix(), 0..4),
        prop::collection::vec(prefix(), 0..4),
        prop::collection::vec(service(), 0..4),
        prop_oneof![3 => Just(None), 1 => "eth[0-3]".prop_map(Some)],
        prop::sample::select(Action::ALL.to_vec()),
    )
        .prop_map(|(from, to, service, interface, action)| PacketRule {
            from,
            to,
            service,
            interface,
            ..PacketRule::new("", action)
        })
}

/// Up to 140 rules, so that sets have more than one word.
fn rules() -> impl Strategy<Value = PacketRules> {
    prop::collection::vec(rule(), 0..140).prop_map(|mut rules| {
        for (rule, number) in rules.iter_mut().zip(0..) {
            rule.name = format!("rule {number}");
        }
        PacketRules::with_ids_of(rules, &PacketRules::new()).unwrap()
    })
}

fn tuple() -> impl Strategy<Value = Tuple> {
    let v4 =
        (address_v4(), address_v4()).prop_map(|(source, destination)| Addresses::V4 { source, destination });
    let v6 =
        (address_v6(), address_v6()).prop_map(|(source, destination)| Addresses::V6 { source, destination });
    (prop_oneof![v4, v6], prop_oneof![Just(6_u8), Just(17), Just(1), any::<u8>()], port(), 0..5_u32).prop_map(
        |(addresses, protocol, destination_port, ingress)| Tuple {
            addresses,
            protocol,
            source_port: 40_000,
            destination_port,
            ingress,
        },
    )
}

/// `eth0` does not exist.
fn ifindex(name: &str) -> Option<u32> {
    name.strip_prefix("eth").and_then(|number| number.parse().ok()).filter(|index| *index != 0)
}

/// What can be said without ports, by asking one rule after the other about every port that any rule tells
/// apart from its neighbours.
fn walk_without_ports(rules: &PacketRules, tuple: &Tuple) -> WithoutPorts {
    let mut probes = vec![0, u16::MAX];
    for service in rules.iter().flat_map(|rule| &rule.service) {
        if let Service::Tcp(range) | Service::Udp(range) = service {
            let (first, last) = (range.first(), range.last());
            probes.extend([first.saturating_sub(1), first, last, last.saturating_add(1)]);
        }
    }
    let mut guarded = false;
    for (position, rule) in rules.iter().enumerate() {
        if !matches_but_for_ports(rule, tuple, &ifindex) {
            continue;
        }
        let matched: Vec<bool> = probes
            .iter()
            .map(|port| {
                let tuple = Tuple { destination_port: *port, ..*tuple };
                rule.service.is_empty() || rule.service.iter().any(|service| matches(*service, &tuple))
            })
            .collect();
        guarded |= rule.action.is_guarded() && matched.contains(&true);
        if !matched.contains(&false) {
            return WithoutPorts { guarded, certain: Some(position) };
        }
    }
    WithoutPorts { guarded, certain: None }
}

proptest! {
    // Each case asks dozens of packets of up to 140 rules.
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn tables_and_walk_agree(rules in rules(), tuples in prop::collection::vec(tuple(), 1..40)) {
        let image = compile(&rules, &ifindex).unwrap();
        for tuple in tuples {
            prop_assert_eq!(predict(&image, &tuple), walk(&rules, &tuple, &ifindex), "{:?}", tuple);
        }
    }

    #[test]
    fn tables_and_walk_agree_without_ports(
        rules in rules(),
        tuples in prop::collection::vec(tuple(), 1..10),
    ) {
        let image = compile(&rules, &ifindex).unwrap();
        for tuple in tuples {
            let tables = predict_without_ports(&image, &tuple);
            prop_assert_eq!(tables, walk_without_ports(&rules, &tuple), "{:?}", tuple);
        }
    }

    #[test]
    fn what_lint_calls_unreachable_is_never_reached(
        rules in rules(),
        tuples in prop::collection::vec(tuple(), 1..40),
    ) {
        let findings = crate::policy::lint::lint(&rules, &crate::policy::lint::LintContext::default());
        let unreachable: Vec<&String> = findings
            .iter()
            .filter(|finding| matches!(
                finding.kind,
                crate::policy::lint::FindingKind::Shadowed { .. } | crate::policy::lint::FindingKind::NoCommonFamily
            ))
            .filter_map(|finding| finding.rules.first())
            .collect();
        // An interface that does not exist makes its rule match nothing, which lint cannot know.
        let every_interface = |name: &str| ifindex(name).or(Some(4));
        for tuple in tuples {
            if let Some(position) = walk(&rules, &tuple, &every_interface) {
                prop_assert!(!unreachable.contains(&&rules.as_slice()[position].name), "{:?}", tuple);
            }
        }
    }
}

#[test]
fn addresses_of_two_families_are_no_packet() {
    let v4: IpAddr = "10.0.0.1".parse().unwrap();
    let v6: IpAddr = "::1".parse().unwrap();
    assert!(Addresses::new(v4, v6).is_err());
    assert_eq!(Addresses::new(v6, v6).unwrap().source(), v6);
}
