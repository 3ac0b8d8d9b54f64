//! Shares add up, and what is not accelerated is explained.

use bytemuck::Zeroable as _;
use smtp_common::packet_path::PathReason;
use smtp_common::port::Port;
use smtp_common::stats::PathStats;

use super::report::{DaemonState, FlowTable, InterfaceRow, Report, path_shares, reason_rows};
use super::text;
use crate::packet_path::stats::PathCount;

fn count(port: u8, reason: PathReason, packets: u64) -> PathCount {
    PathCount { port, reason, stats: PathStats { packets, octets: packets * 100, flows: 1 } }
}

fn report() -> Report {
    let mut name = [0; 16];
    name[..4].copy_from_slice(b"eth0");
    let ports = [Port { ifindex: 2, number: 1, name, ..Port::zeroed() }];
    let counts = [
        count(1, PathReason::RULE_ACCELERATE, 75),
        count(1, PathReason::NO_RULE, 10),
        count(2, PathReason::NO_RULE, 10),
        count(0, PathReason::BANNED, 5),
    ];
    Report {
        daemon: DaemonState { running: false, pid: None },
        dequeuer: DaemonState { running: true, pid: Some(77) },
        policy_revision: 3,
        route_generation: 1,
        interfaces: vec![InterfaceRow {
            name: "eth0".to_owned(),
            index: 2,
            hook: "tc",
            mode: "tcx",
            why: "forced by hook = \"tc\"".to_owned(),
            xdp_program: None,
            tc_program: Some(7),
            attached: true,
            note: None,
        }],
        flows: FlowTable { live: 1, unconfirmed: 0, capacity_v4: 1_048_576, capacity_v6: 262_144 },
        paths: path_shares(&counts),
        reasons: reason_rows(&counts, &ports),
        counters: [("events_lost", 2), ("resets_sent", 0)].into(),
        rules: Vec::new(),
        warnings: vec!["eth0.5 is not listed".to_owned()],
    }
}

#[test]
fn shares_are_of_all_packets_and_every_path_has_one() {
    let report = report();
    let shares: Vec<_> =
        report.paths.iter().map(|share| (share.path, share.packets, share.percent)).collect();
    let expected = [
        ("accelerated", 75, 75.0),
        ("watched", 0, 0.0),
        ("inspected", 0, 0.0),
        ("stack", 20, 20.0),
        ("dropped", 5, 5.0),
    ];
    assert_eq!(shares, expected);
}

#[test]
fn a_reason_has_the_name_of_its_interface_if_it_has_one() {
    let names: Vec<_> = report().reasons.into_iter().map(|row| row.interface).collect();
    assert_eq!(names, [Some("eth0".to_owned()), Some("eth0".to_owned()), None, None]);
}

#[test]
fn the_text_explains_what_is_not_accelerated() {
    let text = text::write(&report(), false);
    for part in [
        "Daemon  not running",
        "revision 3",
        "room for 1,048,576 IPv4",
        "warning: eth0.5 is not listed.",
        "No rule matched.",
        "The source is banned.",
        "events_lost",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    let reason = text.lines().find(|line| line.contains("no_rule")).unwrap();
    assert!(reason.contains("20") && reason.contains("20.00"), "{reason}");
    assert!(!text.contains("resets_sent"), "{text}");
    assert!(!text.contains("\nRules"), "{text}");
}

#[test]
fn the_json_has_the_names_that_scripts_use() {
    let json = serde_json::to_value(report()).unwrap();
    assert_eq!(json["daemon"]["running"], false);
    assert_eq!(json["flows"]["capacity_v6"], 262_144);
    assert_eq!(json["interfaces"][0]["tc_program"], 7);
    assert_eq!(json["reasons"][0]["reason"], "rule_accelerate");
    assert_eq!(json["reasons"][3]["path"], "dropped");
    assert_eq!(json["counters"]["events_lost"], 2);
}
