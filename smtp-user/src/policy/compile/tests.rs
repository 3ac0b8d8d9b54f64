//! What stands in the tables, and that they stay small.

use std::time::Instant;

use smtp_common::heartbeat;
use smtp_common::rule::RuleAction;

use super::*;
use crate::policy::action::{Action, WhenDown};

fn set(positions: &[u32]) -> RuleSet {
    let mut set = RuleSet::EMPTY;
    for position in positions {
        set.insert(*position);
    }
    set
}

fn image(rules: Vec<PacketRule>) -> PolicyImage {
    let rules = PacketRules::with_ids_of(rules, &PacketRules::new()).unwrap();
    compile(&rules, &|name| name.strip_prefix("eth").and_then(|n| n.parse().ok())).unwrap()
}

fn rule(name: &str) -> PacketRule {
    PacketRule::new(name, Action::Accelerate)
}

#[test]
fn no_rules_still_have_every_table_entry_that_look_ups_end_in() {
    let image = image(Vec::new());
    assert_eq!(image.sources_v4, [PrefixEntry { prefix_len: 0, address: [0; 4], rules: RuleSet::EMPTY }]);
    assert_eq!(
        image.destinations_v6,
        [PrefixEntry { prefix_len: 0, address: [0; 16], rules: RuleSet::EMPTY }]
    );
    let entry = |class| PortEntry { class, prefix_len: 0, port: 0, rules: RuleSet::EMPTY };
    assert_eq!(image.ports, [entry(0), entry(1), entry(2)]);
    assert_eq!(image.interfaces, [(0, RuleSet::EMPTY)]);
    assert!(image.rules.is_empty());
}

#[test]
fn a_prefix_has_the_rules_of_all_that_contain_it() {
    let from = |name: &str, prefixes: &[&str]| PacketRule {
        from: prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect(),
        ..rule(name)
    };
    let image = image(vec![
        from("wide", &["10.0.0.0/8", "10.1.2.0/24"]),
        from("narrow", &["10.1.0.0/16"]),
        rule("any"),
        from("other family", &["2001:db8::/32"]),
        from("sibling", &["10.2.0.0/16"]),
    ]);
    let entry = |prefix_len, address, rules| PrefixEntry { prefix_len, address, rules };
    assert_eq!(
        image.sources_v4,
        [
            entry(0, [0, 0, 0, 0], set(&[2])),
            entry(8, [10, 0, 0, 0], set(&[0, 2])),
            // 10.1.2.0/24 would say the same.
            entry(16, [10, 1, 0, 0], set(&[0, 1, 2])),
            entry(16, [10, 2, 0, 0], set(&[0, 2, 4])),
        ]
    );
    assert_eq!(image.sources_v6.len(), 2);
    assert_eq!(image.sources_v6[0].rules, set(&[2]));
    assert_eq!(image.sources_v6[1].rules, set(&[2, 3]));
    assert_eq!(image.destinations_v4, [entry(0, [0; 4], set(&[0, 1, 2, 3, 4]))]);
}

#[test]
fn ports_are_covered_without_gap_or_overlap() {
    let service = |name: &str, services: &[&str]| PacketRule {
        service: services.iter().map(|service| service.parse().unwrap()).collect(),
        ..rule(name)
    };
    let image = image(vec![
        service("smtp", &["smtp"]),
        service("range", &["tcp/20-30", "tcp/25", "udp/0-65535"]),
        service("two halves", &["tcp/0-99", "tcp/100-65535"]),
        rule("any"),
        service("last port", &["tcp/65535"]),
    ]);
    for class in [1_u8, 2] {
        let mut next = 0_u32;
        for entry in image.ports.iter().filter(|entry| entry.class == class) {
            assert_eq!(u32::from(entry.port), next);
            let size = 1_u32 << (16 - entry.prefix_len);
            assert_eq!(next % size, 0, "{entry:?} is not aligned");
            next += size;
        }
        assert_eq!(next, 1 << 16);
    }
    let at = |class: u8, port: u16| {
        let hit = image.ports.iter().find(|entry| {
            entry.class == class
                && u32::from((entry.port ^ port).leading_zeros() as u8) >= entry.prefix_len.into()
        });
        hit.unwrap().rules
    };
    assert_eq!(at(1, 19), set(&[2, 3]));
    assert_eq!(at(1, 20), set(&[1, 2, 3]));
    assert_eq!(at(1, 25), set(&[0, 1, 2, 3]));
    assert_eq!(at(1, 30), set(&[1, 2, 3]));
    assert_eq!(at(1, 31), set(&[2, 3]));
    assert_eq!(at(1, 65535), set(&[2, 3, 4]));
    assert_eq!(at(2, 53), set(&[1, 3]));
    assert_eq!(image.ports[0], PortEntry { class: 0, prefix_len: 0, port: 0, rules: set(&[3]) });
    assert_eq!(image.ports.iter().filter(|entry| entry.class == 2).count(), 1);
    assert_eq!(image.protocols[1].certain, set(&[2, 3]));
    assert_eq!(image.protocols[1].possible, set(&[0, 1, 2, 3, 4]));
    assert_eq!(image.protocols[2].certain, set(&[1, 3]));
    assert_eq!(image.protocols[0].possible, set(&[3]));
}

#[test]
fn interfaces_that_do_not_exist_match_nothing_and_are_reported() {
    let on = |name: &str, interface: &str| PacketRule { interface: Some(interface.to_owned()), ..rule(name) };
    let image = image(vec![on("a", "eth7"), on("b", "wan"), rule("c"), on("d", "eth7"), on("e", "eth0")]);
    assert_eq!(image.interfaces, [(0, set(&[2])), (7, set(&[0, 2, 3]))]);
    let missing = |rule: &str, interface: &str| MissingInterface {
        rule: rule.to_owned(),
        interface: interface.to_owned(),
    };
    assert_eq!(image.missing_interfaces, [missing("b", "wan"), missing("e", "eth0")]);
}

#[test]
fn entries_say_what_the_rules_do() {
    let guarded = |name: &str, resource: &str, when_down| PacketRule {
        resource: Some(resource.to_owned()),
        when_down,
        ..PacketRule::new(name, Action::Inspect)
    };
    let image = image(vec![
        guarded("a", "inbound", None),
        PacketRule { track_starttls: true, ..rule("b") },
        guarded("c", "outbound", Some(WhenDown::Accelerate)),
        guarded("d", "inbound", Some(WhenDown::Refuse)),
    ]);
    assert_eq!(image.resources, ["inbound", "outbound"]);
    let entry =
        |action, when_down, flags, id, resource| RuleEntry { action, when_down, flags, pad: 0, id, resource };
    let (refuse, accelerate) = (heartbeat::WhenDown::REFUSE, heartbeat::WhenDown::ACCELERATE);
    assert_eq!(
        image.rules,
        [
            entry(RuleAction::INSPECT, refuse, 0, 0, 0),
            entry(RuleAction::ACCELERATE, refuse, RULE_TRACK_STARTTLS, 1, u16::MAX),
            entry(RuleAction::INSPECT, accelerate, 0, 2, 1),
            entry(RuleAction::INSPECT, refuse, 0, 3, 0),
        ]
    );
    assert_eq!(image.protocols[1].guarded, set(&[0, 2, 3]));
}

#[test]
fn a_table_that_is_too_small_is_named() {
    let mut wide = rule("wide");
    wide.to = (0..=MAX_PREFIXES / 2).map(|i| std::net::IpAddr::from((i * 2).to_be_bytes()).into()).collect();
    let rules = PacketRules::with_ids_of(vec![wide], &PacketRules::new()).unwrap();
    assert_eq!(
        compile(&rules, &|_| None).unwrap_err(),
        CompileError::TableFull { table: "DESTINATIONS_V4", needed: 65_538, limit: 65_536 }
    );
}

#[test]
fn a_thousand_rules_compile_at_once() {
    let rules = (0..1000_u32)
        .map(|i| {
            let mut rule = rule(&format!("rule {i}"));
            rule.from = (0..8)
                .map(|k| format!("10.{}.{}.0/24", i % 250, (i / 250) * 8 + k).parse().unwrap())
                .collect();
            rule.to = vec![format!("2001:db8:{i:x}::/48").parse().unwrap(), "192.0.2.0/24".parse().unwrap()];
            rule.service = vec![format!("tcp/{}-{}", i * 60, i * 60 + 90).parse().unwrap()];
            rule
        })
        .collect();
    let rules = PacketRules::with_ids_of(rules, &PacketRules::new()).unwrap();
    let start = Instant::now();
    let image = compile(&rules, &|_| None).unwrap();
    // A hang is what this must catch, not a slow machine.
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    assert_eq!(image.sources_v4.len(), 8001);
    assert_eq!(image.destinations_v6.len(), 1001);
}
