//! The ring buffer's events: each has the tuple, the rule and the reason of what happened; what does not fit is counted.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use harness::deadline::SOON;
use harness::flow_probe::connect;
use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::packets::{ACK, Packet, SYN, SYN_ACK};
use harness::program::Action;
use harness::requires_root;
use harness::smtp_dialogue::{CLIENT_HELLO, SmtpClient, SmtpServer};
use harness::topology::{CLIENT_SIDE, Family, GATEWAY_SERVER_MAC, Hook, SERVER_MAC, SERVER_SIDE, Topology};
use smtp_common::abi::{EVENTS_BYTES, MIN_FLOW_SLOTS};
use smtp_common::flow::{FlowMarks, NO_RULE_ID, TCP};
use smtp_common::packet_event::{EventKind, PacketEvent};
use smtp_common::packet_path::PathReason;
use smtp_common::stage::SmtpStage;
use smtp_common::stats::Counter;

const RULES: &str = r#"
[[rule]]
name = "no telnet"
service = ["tcp/23"]
action = "drop"

[[rule]]
name = "submission"
service = ["tcp/587"]
action = "inspect"
resource = "inbound"

[[rule]]
name = "mail"
service = ["smtp"]
action = "accelerate"
track = "starttls"

[[rule]]
name = "all"
action = "accelerate"
"#;

/// A gateway that reports everything, and whose daemon is gone: the test is the only reader.
fn start<'a>(topology: &'a Topology, config: &Config) -> Gateway<'a> {
    let mut gateway = Gateway::start(topology, config);
    gateway.terminate();
    gateway.command(&["set", "events", "opened,closed,refused,dropped,stage,table_full"]);
    gateway.pins().events();
    gateway
}

fn rule(gateway: &Gateway<'_>, name: &str) -> u16 {
    let list = gateway.json(&["rules", "list"]);
    let rules = list.as_array().or_else(|| list["rules"].as_array()).expect("a list of rules");
    let id = rules.iter().find(|rule| rule["name"] == name).and_then(|rule| rule["id"].as_u64());
    u16::try_from(id.unwrap_or_else(|| panic!("no rule {name}: {list}"))).expect("rule ids have 16 bits")
}

/// What an event says, without time and amounts.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    kind: &'static str,
    source: SocketAddr,
    destination: SocketAddr,
    protocol: u8,
    rule: u16,
    reason: &'static str,
    ifindex: u32,
}

fn told(event: &PacketEvent) -> Told {
    let address = |octets| IpAddr::V6(Ipv6Addr::from(octets)).to_canonical();
    Told {
        kind: event.kind.name(),
        source: SocketAddr::new(address(event.source), event.source_port),
        destination: SocketAddr::new(address(event.destination), event.destination_port),
        protocol: event.protocol,
        rule: event.rule,
        reason: PathReason(event.reason).name(),
        ifindex: event.ifindex,
    }
}

#[test]
fn a_flow_is_opened_replaced_and_revoked() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.make_still();
        let gateway = start(&topology, &Config::new(hook, RULES));
        let program = gateway.program(hook);
        for family in Family::BOTH {
            let (client, server) =
                (SocketAddr::new(family.client(), 40_000), SocketAddr::new(family.server(), 7000));
            let of_flow = |kind: EventKind| Told {
                kind: kind.name(),
                source: client,
                destination: server,
                protocol: TCP,
                rule: rule(&gateway, "all"),
                reason: "rule_accelerate",
                ifindex: 0,
            };
            let to_server = |flags| Packet::tcp(client, server, flags).build();
            let answer = Packet::tcp(server, client, SYN_ACK).macs(SERVER_MAC, GATEWAY_SERVER_MAC).build();

            assert_eq!(program.run(CLIENT_SIDE, &to_server(SYN)).action, Action::Redirect);
            let events = gateway.pins().events();
            let opened: Vec<_> = events.iter().map(told).collect();
            assert_eq!(opened, [of_flow(EventKind::OPENED)], "{hook:?} {family:?}");

            // The initiator stays the initiator, whoever sends.
            program.run(SERVER_SIDE, &answer);
            program.run(CLIENT_SIDE, &to_server(ACK));
            let flow = gateway.pins().flow_of(client).expect("an entry");
            program.run(CLIENT_SIDE, &to_server(SYN));
            let events = gateway.pins().events();
            let replaced: Vec<_> = events.iter().map(told).collect();
            let expected = [of_flow(EventKind::CLOSED), of_flow(EventKind::OPENED)];
            assert_eq!(replaced, expected, "{hook:?} {family:?}");
            let octets: u64 = flow.state.octets.iter().sum();
            assert_eq!((events[0].packets, events[0].octets), (3, octets), "{hook:?} {family:?}");
            assert!(events[0].time_ns <= events[1].time_ns && events[0].time_ns > 0);

            // A ban ends the flow and drops the packet.
            gateway.command(&["ban", "add", &client.ip().to_string()]);
            assert_eq!(program.run(CLIENT_SIDE, &to_server(SYN)).action, Action::Drop);
            let revoked: Vec<_> = gateway.pins().events().iter().map(told).collect();
            let dropped = Told {
                kind: "dropped",
                rule: NO_RULE_ID,
                reason: "banned",
                ifindex: topology.gateway.ifindex(CLIENT_SIDE),
                ..of_flow(EventKind::DROPPED)
            };
            assert_eq!(revoked, [of_flow(EventKind::CLOSED), dropped], "{hook:?} {family:?}");
            gateway.command(&["ban", "del", &client.ip().to_string()]);
        }
    }
}

#[test]
fn drops_and_refusals_name_their_rule() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.make_still();
        let gateway = start(&topology, &Config::new(hook, RULES));
        for family in Family::BOTH {
            let client = SocketAddr::new(family.client(), 40_000);
            let ifindex = topology.gateway.ifindex(CLIENT_SIDE);
            for (port, flags, kind, name, reason) in [
                (23, SYN, EventKind::DROPPED, "no telnet", PathReason::RULE_DROP),
                (587, SYN, EventKind::REFUSED, "submission", PathReason::INSPECTOR_DOWN_REFUSE),
                (587, ACK, EventKind::REFUSED, "submission", PathReason::MIDSTREAM_GUARDED),
            ] {
                let server = SocketAddr::new(family.server(), port);
                let frame = Packet::tcp(client, server, flags).payload(&[0; 10]).build();
                // TC has the last word on both hooks; only it refuses.
                let by = if kind == EventKind::REFUSED { Hook::Tc } else { hook };
                gateway.program(by).run(CLIENT_SIDE, &frame);
                let events = gateway.pins().events();
                let expected = Told {
                    kind: kind.name(),
                    source: client,
                    destination: server,
                    protocol: TCP,
                    rule: rule(&gateway, name),
                    reason: reason.name(),
                    ifindex,
                };
                assert_eq!(events.iter().map(told).collect::<Vec<_>>(), [expected], "{hook:?} {family:?}");
                // The Ethernet header is not part of the IP packet.
                let octets = u64::try_from(frame.len() - 14).expect("the frame is short");
                assert_eq!((events[0].packets, events[0].octets), (1, octets), "{hook:?} {family:?}");
            }
        }
    }
}

#[test]
fn every_stage_of_a_tracked_dialogue_is_told() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.fix_neighbours();
        let gateway = start(&topology, &Config::new(hook, RULES));
        for family in Family::BOTH {
            let address = SocketAddr::new(family.server(), 25);
            let server = SmtpServer::new(&topology.server, address);
            let mut client = SmtpClient::new(&topology.client, address);
            let local = client.local();
            client.say("EHLO client.test", "250");
            client.say("STARTTLS", "220");
            client.send(&CLIENT_HELLO);
            drop(client);
            server.join();

            let events = gateway.pins().events();
            let events: Vec<_> = events.iter().filter(|event| told(event).source == local).collect();
            let stages: Vec<_> = events
                .iter()
                .filter(|event| event.kind == EventKind::STAGE)
                .map(|event| SmtpStage(event.stage).name())
                .collect();
            let expected =
                ["greeting", "helo", "starttls_offered", "starttls_requested", "starttls_accepted", "tls"];
            assert_eq!(stages, expected, "{hook:?} {family:?}");
            assert_eq!(events[0].kind, EventKind::OPENED, "{hook:?} {family:?}");
            let mail = rule(&gateway, "mail");
            for event in &events {
                let told = told(event);
                assert_eq!((told.destination, told.rule), (address, mail), "{hook:?} {family:?} {told:?}");
                assert_eq!((told.protocol, told.reason), (TCP, "rule_accelerate"), "{hook:?} {told:?}");
                assert!(FlowMarks(event.marks).any(FlowMarks::TRACKED), "{hook:?} {family:?}");
            }
            let tls: Vec<_> =
                events.iter().filter(|event| FlowMarks(event.marks).any(FlowMarks::TLS)).collect();
            assert_eq!(tls.len(), 1, "{hook:?} {family:?}: only the last says TLS");
            assert_eq!(tls[0].stage, SmtpStage::TLS.0, "{hook:?} {family:?}");
        }
    }
}

#[test]
fn a_flow_without_room_is_told() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.make_still();
        let mut config = Config::new(hook, ACCELERATE_ALL);
        config.gateway = "flows_v4 = 1\nflows_v6 = 1\n".to_owned();
        let gateway = start(&topology, &config);
        let program = gateway.program(hook);
        let server = SocketAddr::new(Family::V4.server(), 7000);
        let mut without_room = Vec::new();
        for port in 20_000..20_000 + 2 * u16::try_from(MIN_FLOW_SLOTS).expect("few slots") {
            let client = SocketAddr::new(Family::V4.client(), port);
            let answer = Packet::tcp(server, client, SYN_ACK).macs(SERVER_MAC, GATEWAY_SERVER_MAC).build();
            let action = program.actions(CLIENT_SIDE, &[Packet::tcp(client, server, SYN).build()]).pop();
            if action == Some(Action::Pass) {
                without_room.push(client);
            } else {
                program.actions(SERVER_SIDE, &[answer]);
                program.actions(CLIENT_SIDE, &[Packet::tcp(client, server, ACK).build()]);
            }
        }
        let events = gateway.pins().events();
        let full: Vec<_> = events.iter().map(told).filter(|told| told.kind == "flow_table_full").collect();
        let sources: Vec<_> = full.iter().map(|told| told.source).collect();
        assert!(!without_room.is_empty(), "{hook:?}");
        assert_eq!(sources, without_room, "{hook:?}");
        assert!(full.iter().all(|told| told.destination == server && told.reason == "flow_table_full"));
        let opened = events.iter().filter(|event| event.kind == EventKind::OPENED).count();
        assert_eq!(
            u64::try_from(opened).ok(),
            Some(gateway.pins().counter(Counter::FLOWS_OPENED)),
            "{hook:?}"
        );
    }
}

#[test]
fn what_does_not_fit_into_the_ring_is_counted() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.make_still();
        let gateway = start(&topology, &Config::new(hook, RULES));
        let client = SocketAddr::new(Family::V4.client(), 40_000);
        let server = SocketAddr::new(Family::V4.server(), 23);
        let frame = Packet::tcp(client, server, SYN).build();
        let program = gateway.program(hook);
        // Eight octets stand before each (struct bpf_ringbuf_hdr).
        let room = EVENTS_BYTES / (u32::try_from(size_of::<PacketEvent>()).expect("an event is small") + 8);
        let times = room + 1_000;
        assert_eq!(gateway.pins().counter(Counter::EVENTS_LOST), 0, "{hook:?}");
        assert_eq!(program.run_often(CLIENT_SIDE, &frame, times), Action::Drop, "{hook:?}");

        let lost = gateway.pins().counter(Counter::EVENTS_LOST);
        assert!((1_000..1_010).contains(&lost), "{hook:?}: {lost} lost");
        let stat = gateway.json(&["stat"]);
        assert_eq!(stat["counters"]["events_lost"], lost, "{hook:?}");
        assert_eq!(
            gateway.pins().packets(PathReason::RULE_DROP),
            u64::from(times),
            "{hook:?}: all are dropped"
        );
        let events = gateway.pins().events();
        assert_eq!(u64::try_from(events.len()).ok(), Some(u64::from(times) - lost), "{hook:?}");

        // Read, it has room again.
        program.run_often(CLIENT_SIDE, &frame, 10);
        assert_eq!(gateway.pins().events().len(), 10, "{hook:?}");
        assert_eq!(gateway.pins().counter(Counter::EVENTS_LOST), lost, "{hook:?}");

        // What is not asked for is neither told nor lost.
        gateway.command(&["set", "events", "none"]);
        program.run_often(CLIENT_SIDE, &frame, 10);
        assert_eq!(gateway.pins().events(), [], "{hook:?}");
    }
}

#[test]
fn the_daemon_logs_refusals_and_stages() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.fix_neighbours();
        let gateway = Gateway::start(&topology, &Config::new(hook, RULES));
        let submission = SocketAddr::new(Family::V4.server(), 587);
        connect(&topology.client, submission, SOON).expect_err("there is no inspector");
        let rule = format!("rule={}", rule(&gateway, "submission"));
        let line = gateway.wait_for_line(|line| line.contains(" refused "));
        let (source, destination) =
            (format!("source={}:", Family::V4.client()), format!("destination={submission}"));
        for part in [&source, &destination, &rule, "inspector_down_refuse"] {
            assert!(line.contains(part), "{hook:?}: {part}: {line}");
        }

        let address = SocketAddr::new(Family::V6.server(), 25);
        let server = SmtpServer::new(&topology.server, address);
        let client = SmtpClient::new(&topology.client, address);
        let source = format!("source={}", client.local());
        let line = gateway.wait_for_line(|line| line.contains("smtp_stage") && line.contains("greeting"));
        assert!(line.contains(&source), "{hook:?}: {line}");
        drop(client);
        server.join();
    }
}
