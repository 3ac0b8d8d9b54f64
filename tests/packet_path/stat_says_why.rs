//! `postern stat`: shares that add up, a reason for everything that is not accelerated, and how the gateway stands.

use std::net::SocketAddr;

use harness::deadline::{SOON, wait_until};
use harness::gateway::{Config, Gateway};
use harness::packets::{ACK, Packet, SYN, SYN_ACK};
use harness::requires_root;
use harness::topology::{CLIENT_SIDE, Family, GATEWAY_SERVER_MAC, Hook, SERVER_MAC, SERVER_SIDE, Topology};
use serde_json::Value;

const RULES: &str = r#"
[[rule]]
name = "no telnet"
service = ["tcp/23"]
action = "drop"

[[rule]]
name = "mail"
service = ["smtp"]
action = "inspect"
resource = "inbound"

[[rule]]
name = "all"
action = "accelerate"
"#;

/// What each interface is given: reason, path, packets.
const FROM_CLIENT: [(&str, &str, u64); 4] = [
    ("inspector_down_refuse", "dropped", 1),
    ("protocol", "stack", 1),
    ("rule_accelerate", "accelerated", 10),
    ("rule_drop", "dropped", 3),
];
const FROM_SERVER: [(&str, &str, u64); 1] = [("rule_accelerate", "accelerated", 5)];
const ALL: u64 = 20;

/// Runs packets through the programs of both interfaces; TC has the last word, and counts everything, on both hooks.
fn run_packets(gateway: &Gateway<'_>) {
    let program = gateway.program(Hook::Tc);
    let client = SocketAddr::new(Family::V4.client(), 40_000);
    let to = |port| SocketAddr::new(Family::V4.server(), port);
    let from_client = |port, flags| Packet::tcp(client, to(port), flags).build();
    let from_server =
        |flags| Packet::tcp(to(7000), client, flags).macs(SERVER_MAC, GATEWAY_SERVER_MAC).build();
    let mut frames = vec![from_client(23, SYN); 3];
    frames.push(Packet::ping(Family::V4.client(), Family::V4.server()).build());
    frames.push(from_client(25, SYN));
    frames.push(from_client(7000, SYN));
    program.actions(CLIENT_SIDE, &frames);
    program.actions(SERVER_SIDE, &vec![from_server(SYN_ACK); 5]);
    program.actions(CLIENT_SIDE, &vec![from_client(7000, ACK); 9]);
}

/// Reasons of one interface in a report: reason, path, packets.
fn reasons<'r>(report: &'r Value, interface: &str) -> Vec<(&'r str, &'r str, u64)> {
    let rows = report["reasons"].as_array().expect("a list");
    let mut found: Vec<_> = rows
        .iter()
        .filter(|row| row["interface"] == interface)
        .map(|row| {
            let word = |field: &str| row[field].as_str().expect("a word");
            (word("reason"), word("path"), row["packets"].as_u64().expect("a number"))
        })
        .collect();
    found.sort_unstable();
    found
}

/// Sum of a field over the rows of a table.
fn sum(table: &Value, field: &str) -> f64 {
    table.as_array().expect("a list").iter().map(|row| row[field].as_f64().expect("a number")).sum()
}

#[track_caller]
fn assert_adds_up(report: &Value) {
    for field in ["percent", "percent_octets"] {
        let all = sum(&report["paths"], field);
        assert!((all - 100.0).abs() < 0.1, "{field} add up to {all}: {report}");
    }
    for field in ["packets", "octets"] {
        let (by_path, by_reason) = (sum(&report["paths"], field), sum(&report["reasons"], field));
        assert!((by_path - by_reason).abs() < 0.5, "{field}: {by_path} by path, {by_reason} by reason");
    }
    for path in report["paths"].as_array().expect("a list") {
        let of_path = |row: &&Value| row["path"] == path["path"];
        let rows = report["reasons"].as_array().expect("a list").iter().filter(of_path);
        let packets: u64 = rows.map(|row| row["packets"].as_u64().expect("a number")).sum();
        assert_eq!(path["packets"], packets, "{path}");
    }
}

#[test]
fn shares_add_up_and_reasons_are_given() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.make_still();
        let mut gateway = Gateway::start(&topology, &Config::new(hook, RULES));
        run_packets(&gateway);
        for daemon in ["up", "down"] {
            let report = gateway.json(&["stat"]);
            assert_adds_up(&report);
            assert_eq!(reasons(&report, CLIENT_SIDE), FROM_CLIENT, "{hook:?} {daemon}");
            assert_eq!(reasons(&report, SERVER_SIDE), FROM_SERVER, "{hook:?} {daemon}");
            assert!((sum(&report["paths"], "packets") - ALL as f64).abs() < 0.5, "{hook:?} {daemon}");
            let shares: Vec<_> = report["paths"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|row| {
                    (row["path"].as_str().expect("a word"), row["percent"].as_f64().expect("a number"))
                })
                .collect();
            let expected = [
                ("accelerated", 75.0),
                ("watched", 0.0),
                ("inspected", 0.0),
                ("stack", 5.0),
                ("dropped", 20.0),
            ];
            assert_eq!(shares, expected, "{hook:?} {daemon}");
            assert_eq!(report["flows"]["live"], 1, "{hook:?} {daemon}");

            // One interface alone adds up, too.
            let one = gateway.json(&["stat", "--interface", SERVER_SIDE]);
            assert_adds_up(&one);
            assert_eq!(
                (one["paths"][0]["packets"].as_u64(), one["interfaces"].as_array().map(Vec::len)),
                (Some(5), Some(1))
            );

            let text = gateway.command(&["stat", "--rules"]);
            let why = text.split_once("Why packets are not accelerated").expect("the reasons").1;
            for (reason, path, packets) in FROM_CLIENT {
                let line = why.lines().find(|line| line.split_whitespace().nth(1) == Some(reason));
                if path == "accelerated" {
                    assert_eq!(line, None, "{hook:?} {daemon}: {text}");
                    continue;
                }
                let words: Vec<_> = line.expect("a line for each reason").split_whitespace().collect();
                let percent = format!("{}.00", packets * 100 / ALL);
                assert_eq!(words[..4], [path, reason, &packets.to_string(), &percent], "{hook:?} {daemon}");
                assert!(words.len() > 6, "{hook:?} {daemon}: it is explained: {words:?}");
            }
            assert!(text.contains("no telnet"), "{hook:?} {daemon}: {text}");
            if daemon == "up" {
                gateway.terminate();
            }
        }
    }
}

#[test]
fn it_says_how_daemon_and_interfaces_stand() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        let mut gateway = Gateway::start(&topology, &Config::new(hook, RULES));
        let report = gateway.json(&["stat"]);
        let pid = gateway.pid().as_raw();
        // The daemon was started through nsenter, which becomes it.
        assert_eq!((&report["daemon"]["running"], &report["daemon"]["pid"]), (&true.into(), &pid.into()));
        assert!(gateway.command(&["stat"]).contains(&format!("running (process {pid})")), "{hook:?}");
        for row in report["interfaces"].as_array().expect("a list") {
            assert_eq!(
                (&row["attached"], &row["hook"]),
                (&true.into(), &hook.name().into()),
                "{hook:?}: {row}"
            );
            assert!(row["why"].as_str().is_some_and(|why| why.contains("forced")), "{hook:?}: {row}");
        }

        // Gone in order, it is known at once; else when its signs of life have become stale.
        gateway.terminate();
        let is_down = |gateway: &Gateway<'_>| gateway.json(&["stat"])["daemon"]["running"] == false;
        assert!(is_down(&gateway), "{hook:?}");
        gateway.run();
        gateway.kill9();
        // A command that meets its last sign of life does not stumble over it.
        gateway.command(&["stop"]);
        gateway.run();
        gateway.kill9();
        wait_until("the daemon is known to be gone", SOON, || is_down(&gateway));
        let output = gateway.try_command(&["stat"]);
        assert_eq!(output.status.code(), Some(0), "{hook:?}");
        let (text, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(text.contains("Daemon  not running"), "{hook:?}: {text}");
        assert!(said.contains("the daemon is not running"), "{hook:?}: {said}");

        // Nobody puts this one back.
        let pin = gateway.pins().path(&format!("link_{CLIENT_SIDE}_tcx")).display().to_string();
        topology.gateway.exec("bpftool", &["link", "detach", "pinned", &pin]);
        let report = gateway.json(&["stat"]);
        for row in report["interfaces"].as_array().expect("a list") {
            let off = row["name"] == CLIENT_SIDE;
            assert_eq!(row["attached"], !off, "{hook:?}: {row}");
            let note = row["note"].as_str().unwrap_or_default();
            assert_eq!(note.contains("TC program is not attached"), off, "{hook:?}: {row}");
        }
        assert!(gateway.command(&["stat"]).contains("NOT ATTACHED"), "{hook:?}");
    }
}

#[test]
fn an_unknown_interface_and_an_unloaded_gateway_are_refused() {
    requires_root!();
    let topology = Topology::new(Hook::Tc);
    let mut gateway = Gateway::start(&topology, &Config::new(Hook::Tc, RULES));
    let output = gateway.try_command(&["stat", "--interface", "pwg0"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("pwg0") && said.contains("did you mean \"pgw0\"?"), "{said}");
    gateway.stop();
    let output = gateway.try_command(&["stat"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains("nothing is loaded"), "{said}");
}
