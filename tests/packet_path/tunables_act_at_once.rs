//! `postern set`: a tunable is shown, changed at once, kept over restarts, and refused with what was meant.

use std::net::SocketAddr;

use harness::deadline::SOON;
use harness::flow_probe::udp_flow;
use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::requires_root;
use harness::topology::{Family, Hook, Topology};
use serde_json::Value;
use smtp_common::abi::map;
use smtp_common::packet_path::PathReason;
use smtp_common::settings::GatewaySettings;
use smtp_common::tick;

/// `EX_USAGE` and `EX_UNAVAILABLE` of sysexits.
const USAGE: i32 = 64;
const UNAVAILABLE: i32 = 69;

fn settings(gateway: &Gateway<'_>) -> GatewaySettings {
    gateway.pins().array_entry(map::SETTINGS, 0)
}

/// Value and default of a tunable, as `postern set KEY --json` says them.
fn shown(gateway: &Gateway<'_>, key: &str) -> (Value, Value) {
    let rows = gateway.json(&["set", key]);
    assert_eq!((rows.as_array().map(Vec::len), &rows[0]["key"]), (Some(1), &key.into()), "{rows}");
    (rows[0]["value"].clone(), rows[0]["default"].clone())
}

/// What a command says that must fail.
#[track_caller]
fn refused(gateway: &Gateway<'_>, words: &[&str], code: i32) -> String {
    let output = gateway.try_command(words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
    assert!(output.stdout.is_empty(), "{words:?}: nothing but the reason is printed");
    said
}

#[test]
fn a_change_is_in_the_map_and_survives_the_daemon() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        let mut config = Config::new(hook, ACCELERATE_ALL);
        let mut gateway = Gateway::start(&topology, &config);
        let list = gateway.json(&["set"]);
        let rows = list.as_array().expect("a list");
        assert_eq!(rows.len(), 7, "{list}");
        assert!(rows.iter().all(|row| row["value"] == row["default"]), "{list}");
        let text = gateway.command(&["set"]);
        for row in rows {
            for field in ["key", "value", "unit", "help"] {
                assert!(text.contains(row[field].as_str().expect("words")), "{field} of {row}: {text}");
            }
        }

        let before = settings(&gateway);
        let said = gateway.command(&["set", "idle.udp", "45s"]);
        assert!(said.contains("idle.udp") && said.contains("45s"), "{said}");
        assert_eq!(shown(&gateway, "idle.udp"), ("45s".into(), "30s".into()));
        let expected = GatewaySettings { idle_udp: tick::from_ms(45_000), ..before };
        assert_eq!(settings(&gateway), expected, "{hook:?}: that, and nothing else");

        gateway.terminate();
        assert_eq!(settings(&gateway), expected, "{hook:?}");
        let output = gateway.try_command(&["set", "events", "closed,dropped"]);
        assert!(output.status.success(), "{hook:?}: it can be set while the daemon is down");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("the daemon is not running"), "{hook:?}: {said}");
        gateway.run();
        assert_eq!(settings(&gateway).idle_udp, expected.idle_udp, "{hook:?}: a restart keeps it");
        assert_eq!(
            shown(&gateway, "events").0,
            "dropped,closed".split(',').rev().collect::<Vec<_>>().join(",")
        );
        gateway.kill9();
        gateway.run();
        assert_eq!(settings(&gateway).idle_udp, expected.idle_udp, "{hook:?}: so does a crash");

        // Another configuration is another wish.
        config.gateway.push_str("[gateway.idle]\nudp = \"20s\"\n");
        gateway.rewrite_config(&config.text());
        gateway.terminate();
        gateway.run();
        assert_eq!(shown(&gateway, "idle.udp").0, "20s", "{hook:?}");
    }
}

#[test]
fn acceleration_is_switched_off_and_on_under_a_running_flow() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.fix_neighbours();
        topology.open_stack();
        let mut gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        let server = SocketAddr::new(Family::V4.server(), 7000);
        let (_echo, probe) = udp_flow(&topology, server);
        for daemon in ["up", "down"] {
            assert!(probe.echoes(b"accelerated", SOON), "{hook:?} {daemon}");
            let (in_stack, off) =
                (topology.frames_in_stack(), gateway.pins().packets(PathReason::ACCELERATION_OFF));
            gateway.command(&["set", "accelerate", "off"]);
            assert!(probe.echoes(b"by the stack", SOON), "{hook:?} {daemon}");
            assert_eq!(topology.frames_in_stack(), in_stack + 2, "{hook:?} {daemon}");
            assert_eq!(gateway.pins().packets(PathReason::ACCELERATION_OFF), off + 2, "{hook:?} {daemon}");
            gateway.command(&["set", "accelerate", "on"]);
            assert!(probe.echoes(b"accelerated", SOON), "{hook:?} {daemon}");
            assert_eq!(topology.frames_in_stack(), in_stack + 2, "{hook:?} {daemon}");
            if daemon == "up" {
                gateway.terminate();
            }
        }
    }
}

#[test]
fn slips_are_refused_with_what_was_meant_and_change_nothing() {
    requires_root!();
    let topology = Topology::new(Hook::Tc);
    let mut gateway = Gateway::start(&topology, &Config::new(Hook::Tc, ACCELERATE_ALL));
    let before = settings(&gateway);
    for daemon in ["up", "down"] {
        for (words, hint) in [
            (&["set", "idle.upd", "45s"][..], "did you mean `idle.udp`?"),
            (&["set", "idle.upd"], "did you mean `idle.udp`?"),
            (&["set", "idle.udp", "45"], "did you mean `45s`?"),
            (&["set", "idle.udp", "10ms"], "not between 1s and 14d"),
            (&["set", "accelerate", "Off"], "did you mean `off`?"),
            (&["set", "events", "opened,droped"], "did you mean `dropped`?"),
        ] {
            let said = refused(&gateway, words, USAGE);
            assert!(said.contains(hint), "{daemon} {words:?}: {said}");
            assert_eq!(settings(&gateway), before, "{daemon} {words:?}");
        }
        if daemon == "up" {
            gateway.terminate();
        }
    }
    gateway.stop();
    for words in [&["set"][..], &["set", "idle.udp", "45s"]] {
        let said = refused(&gateway, words, UNAVAILABLE);
        assert!(said.contains("nothing is loaded") && said.contains("postern run"), "{words:?}: {said}");
    }
}
