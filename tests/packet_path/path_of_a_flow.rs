//! `postern path TUPLE`: a flow of the table as it is, and for any other what its first packet would meet. What it
//! foretells is what the program then does.

use std::net::{IpAddr, SocketAddr};

use harness::flow_probe::{exchange, tcp_flow};
use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::packets::{Packet, SYN};
use harness::requires_root;
use harness::topology::{CLIENT_SIDE, Family, Hook, Topology};
use serde_json::Value;

const RULES: &str = r#"
[[rule]]
name = "no telnet"
service = ["tcp/23"]
action = "drop"

[[rule]]
name = "by the kernel"
service = ["tcp/22"]
action = "stack"

[[rule]]
name = "mail"
service = ["smtp"]
action = "inspect"
resource = "inbound"

[[rule]]
name = "submission"
service = ["tcp/587"]
action = "inspect"
resource = "inbound"
when_down = "accelerate"

[[rule]]
name = "high ports"
service = ["tcp/1024-65535"]
action = "accelerate"
"#;

fn ask(gateway: &Gateway<'_>, source: SocketAddr, destination: SocketAddr) -> Value {
    gateway.json(&["path", "tcp", &source.to_string(), &destination.to_string()])
}

/// Names of the steps of a forecast.
fn steps(report: &Value) -> Vec<&str> {
    let steps = report["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    steps.iter().filter_map(|step| step["step"].as_str()).collect()
}

#[test]
fn a_live_flow_is_shown_as_it_is() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.fix_neighbours();
        let mut gateway = Gateway::start(&topology, &Config::new(hook, RULES));
        for daemon in ["up", "down"] {
            for family in Family::BOTH {
                let server = SocketAddr::new(family.server(), 7000);
                let (_echo, stream) = tcp_flow(&topology, server);
                let client = stream.local_addr().expect("an address");
                // Either end can be named first; who opened it is known.
                for (one, other) in [(client, server), (server, client)] {
                    let report = ask(&gateway, one, other);
                    let told = (&report["path"], &report["reason"], &report["rule"], &report["current"]);
                    let expected = (
                        &"accelerated".into(),
                        &"rule_accelerate".into(),
                        &"high ports".into(),
                        &true.into(),
                    );
                    assert_eq!(told, expected, "{hook:?} {family:?} {daemon}: {report}");
                    let flow = &report["flow"];
                    assert_eq!(flow["initiator"]["port"], client.port(), "{hook:?} {daemon}: {report}");
                    assert_eq!(flow["responder"]["address"], server.ip().to_string(), "{hook:?}: {report}");
                    assert!(flow["to_responder"]["packets"].as_u64() > Some(2), "{hook:?}: {report}");
                    assert_eq!(steps(&report), [""; 0], "{hook:?}: nothing is foretold");
                }
                let (one, other) = (client.to_string(), server.to_string());
                let output = gateway.try_command(&["path", "tcp", &one, &other]);
                let text = String::from_utf8_lossy(&output.stdout);
                assert!(text.contains("The flow is on the path accelerated"), "{hook:?}: {text}");
                let said = String::from_utf8_lossy(&output.stderr);
                assert_eq!(said.contains("the daemon is not running"), daemon == "down", "{hook:?}: {said}");
                // UDP between the same ends is another flow.
                let udp = gateway.json(&["path", "udp", &one, &other]);
                assert_eq!((&udp["flow"], &udp["reason"]), (&Value::Null, &"no_rule".into()), "{hook:?}");

                gateway.load_rules(ACCELERATE_ALL);
                let report = ask(&gateway, client, server);
                assert_eq!(report["current"], false, "{hook:?}: its next packet is decided again: {report}");
                exchange(&stream, 1_000);
                let report = ask(&gateway, client, server);
                assert_eq!((&report["current"], &report["rule"]), (&true.into(), &"all".into()), "{hook:?}");
                gateway.load_rules(RULES);
            }
            if daemon == "up" {
                gateway.terminate();
            }
        }
    }
}

/// A flow that does not run: destination, what becomes of it, by which rule, and the last step that tells.
type Foretold = (IpAddr, u16, &'static str, Option<&'static str>, &'static str);

#[test]
fn what_is_foretold_is_what_happens() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.make_still();
        let mut gateway = Gateway::start(&topology, &Config::new(hook, RULES));
        topology.gateway.ip("route add unreachable 203.0.113.0/24\n");
        let own: IpAddr = "10.77.2.1".parse().expect("an address");
        let nowhere: IpAddr = "203.0.113.9".parse().expect("an address");
        for (daemon, source_port) in [("up", 40_000), ("down", 41_000)] {
            let mut cases: Vec<Foretold> = Vec::new();
            for family in Family::BOTH {
                let server = family.server();
                cases.extend([
                    (server, 7000, "rule_accelerate", Some("high ports"), "neighbour"),
                    (server, 23, "rule_drop", Some("no telnet"), "rule"),
                    (server, 22, "rule_stack", Some("by the kernel"), "rule"),
                    (server, 25, "inspector_down_refuse", Some("mail"), "inspector"),
                    (server, 587, "inspector_down_accelerate", Some("submission"), "neighbour"),
                    (server, 80, "no_rule", None, "rule"),
                ] as [Foretold; 6]);
            }
            cases.push((nowhere, 7000, "no_route", Some("high ports"), "route"));
            cases.push((own, 7000, "local", Some("high ports"), "route"));
            for (number, (address, port, reason, rule, last)) in (0..).zip(cases) {
                let client = if address.is_ipv4() { Family::V4.client() } else { Family::V6.client() };
                let source = SocketAddr::new(client, source_port + number);
                let destination = SocketAddr::new(address, port);
                let report = ask(&gateway, source, destination);
                let what = format!("{hook:?} {daemon} {destination}: {report}");
                assert_eq!((&report["flow"], &report["reason"]), (&Value::Null, &reason.into()), "{what}");
                assert_eq!(report["rule"], rule.map_or(Value::Null, Value::from), "{what}");
                assert!(report["explanation"].as_str().is_some_and(|words| words.len() > 10), "{what}");
                assert_eq!(
                    (steps(&report).first(), steps(&report).last()),
                    (Some(&"ingress"), Some(&last)),
                    "{what}"
                );

                let frame = Packet::tcp(source, destination, SYN).build();
                let run = gateway.program(Hook::Tc).run(CLIENT_SIDE, &frame);
                assert_eq!(run.counted.keys().collect::<Vec<_>>(), [&reason], "{what}");
            }

            let (source, destination) =
                (SocketAddr::new(Family::V4.client(), 50_000), SocketAddr::new(Family::V4.server(), 7000));
            gateway.command(&["set", "accelerate", "off"]);
            assert_eq!(ask(&gateway, source, destination)["reason"], "acceleration_off", "{hook:?} {daemon}");
            gateway.command(&["set", "accelerate", "on"]);
            gateway.command(&["ban", "add", "10.77.1.0/24"]);
            let report = ask(&gateway, source, destination);
            assert_eq!(
                (&report["path"], &report["reason"]),
                (&"dropped".into(), &"banned".into()),
                "{report}"
            );
            assert!(report.to_string().contains("banned by 10.77.1.0/24"), "{report}");
            gateway.command(&["ban", "del", "10.77.1.0/24"]);
            let text = gateway.command(&["path", "tcp", &source.to_string(), &destination.to_string()]);
            for part in ["There is no such flow", "accelerated", "high ports", "pgw1", "10.77.2.2"] {
                assert!(text.contains(part), "{hook:?} {daemon}: {part}: {text}");
            }
            if daemon == "up" {
                gateway.terminate();
            }
        }
    }
}

#[test]
fn a_wrong_tuple_is_refused_with_what_was_meant() {
    requires_root!();
    let topology = Topology::new(Hook::Tc);
    topology.fix_neighbours();
    let mut gateway = Gateway::start(&topology, &Config::new(Hook::Tc, RULES));
    for daemon in ["up", "down"] {
        for (tuple, hint) in [
            (&["tcp", "10.77.1.2:40000"][..], "three words"),
            (&["tpc", "10.77.1.2:40000", "10.77.2.2:25"], "did you mean `tcp`?"),
            (&["icmp", "10.77.1.2:40000", "10.77.2.2:25"], "not a protocol"),
            (&["tcp", "10.77.1.2", "10.77.2.2:25"], "`10.77.1.2` is not an address with a port"),
            (&["tcp", "fd77:1::2:40000", "[fd77:2::2]:25"], "did you mean `[fd77:1::2]:40000`?"),
            (&["tcp", "10.77.1.2:40000", "[fd77:2::2]:25"], "not of one address family"),
            (&["tcp", "10.77.1.2:40000", "10.77.2.2:25", "--ingress", "pwg0"], "did you mean \"pgw0\"?"),
            (&["tcp", "203.0.113.9:40000", "10.77.2.2:25"], "say --ingress NAME"),
        ] {
            let output = gateway.try_command(&[&["path"], tuple].concat());
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(64), "{daemon} {tuple:?}: {said}");
            assert!(said.contains(hint), "{daemon} {tuple:?}: {said}");
            assert!(output.stdout.is_empty(), "{daemon} {tuple:?}");
        }
        if daemon == "up" {
            gateway.terminate();
        }
    }
    gateway.stop();
    let output = gateway.try_command(&["path", "tcp", "10.77.1.2:40000", "10.77.2.2:25"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains("nothing is loaded"), "{said}");
}
