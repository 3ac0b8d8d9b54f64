//! Mail under an inspecting rule, with no inspector alive: it follows the rule's `when_down`, never chance.

use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use harness::capture::Wire;
use harness::deadline::SOON;
use harness::flow_probe::{EchoServer, connect, connect_from, exchange, tcp_flow};
use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::packets::{ACK, Packet, SYN, read_segment};
use harness::program::Action;
use harness::requires_root;
use harness::topology::{CLIENT_MAC, CLIENT_SIDE, Family, GATEWAY_CLIENT_MAC, Hook, Topology};
use smtp_common::packet_path::PathReason;
use smtp_common::stats::Counter;

const MAIL: u16 = 25;

fn rules(action: &str, when_down: &str) -> String {
    format!(
        "[[rule]]\nname = \"mail\"\nservice = [\"smtp\"]\naction = \"{action}\"\nresource = \"inbound\"\nwhen_down = \"{when_down}\"\n\
         {ACCELERATE_ALL}"
    )
}

#[test]
fn a_new_connection_is_refused_at_once() {
    requires_root!();
    for hook in Hook::BOTH {
        for action in ["inspect", "watch"] {
            let topology = Topology::new(hook);
            topology.fix_neighbours();
            topology.open_stack();
            let gateway = Gateway::start(&topology, &Config::new(hook, &rules(action, "refuse")));
            for family in Family::BOTH {
                let server = SocketAddr::new(family.server(), MAIL);
                let _echo = EchoServer::tcp(&topology.server, server);
                let wire = Wire::open(&topology.server, "eth0");
                let begin = Instant::now();
                let error = connect(&topology.client, server, SOON).expect_err("there is no inspector");
                assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{hook:?} {action} {family:?}");
                // A SYN that was dropped would be sent again after a second at the earliest.
                assert!(begin.elapsed() < Duration::from_millis(900), "{hook:?} {action} {family:?}");
                let seen = wire.drain(|frame| read_segment(frame).is_some_and(|s| s.destination == server));
                assert!(seen.is_empty(), "{hook:?} {action} {family:?}: the server saw {seen:02x?}");
            }
            assert_eq!(topology.frames_in_stack(), 0, "{hook:?} {action}");
            assert_eq!(gateway.pins().packets(PathReason::INSPECTOR_DOWN_REFUSE), 2, "{hook:?} {action}");
            assert_eq!(gateway.pins().counter(Counter::RESETS_SENT), 2, "{hook:?} {action}");
            assert_eq!(gateway.pins().flows(), [], "{hook:?} {action}: no entry for what is refused");
        }
    }
}

#[test]
fn a_new_connection_is_accelerated_and_counted_where_the_rule_says_so() {
    requires_root!();
    for hook in Hook::BOTH {
        for action in ["inspect", "watch"] {
            let topology = Topology::with_closed_stack(hook);
            let gateway = Gateway::start(&topology, &Config::new(hook, &rules(action, "accelerate")));
            for family in Family::BOTH {
                let server = SocketAddr::new(family.server(), MAIL);
                let (_echo, stream) = tcp_flow(&topology, server);
                exchange(&stream, 10_000);
                let flow =
                    gateway.pins().flow_of(stream.local_addr().expect("an address")).expect("an entry");
                assert_eq!(PathReason(flow.state.reason), PathReason::INSPECTOR_DOWN_ACCELERATE);
            }
            assert_eq!(gateway.pins().counter(Counter::BYPASSED_INSPECTOR_DOWN), 2, "{hook:?} {action}");
            assert!(gateway.pins().packets(PathReason::INSPECTOR_DOWN_ACCELERATE) >= 10, "{hook:?} {action}");
            assert_eq!(topology.frames_in_stack(), 0, "{hook:?} {action}");
        }
    }
}

#[test]
fn a_segment_in_mid_stream_without_a_flow_is_refused() {
    requires_root!();
    for hook in Hook::BOTH {
        // Even when new connections would be let by: this one cannot be told from a hidden one.
        for when_down in ["refuse", "accelerate"] {
            let topology = Topology::new(hook);
            topology.fix_neighbours();
            topology.open_stack();
            let gateway = Gateway::start(&topology, &Config::new(hook, &rules("inspect", when_down)));
            for family in Family::BOTH {
                let client = SocketAddr::new(family.client(), 40_000);
                let server = SocketAddr::new(family.server(), MAIL);
                let at_client = Wire::open(&topology.client, "eth0");
                let at_server = Wire::open(&topology.server, "eth0");
                at_client.send(&Packet::tcp(client, server, ACK).payload(b"MAIL FROM:<>\r\n").build());
                let reset = at_client.next_within(SOON, |frame| {
                    read_segment(frame).is_some_and(|s| s.flags.rst && s.destination == client)
                });
                let reset = reset.unwrap_or_else(|| panic!("{hook:?} {family:?}: a reset comes"));
                assert_eq!((&reset[..6], &reset[6..12]), (&CLIENT_MAC[..], &GATEWAY_CLIENT_MAC[..]));
                let segment = read_segment(&reset).expect("a segment");
                assert!(segment.sound, "its checksums are right");
                assert_eq!(segment.source, server);
                // A segment with ACK is reset at the number it acknowledges (RFC 9293 §3.5.2).
                assert_eq!((segment.sequence, segment.flags.ack), (2000, false));
                let seen =
                    at_server.drain(|frame| read_segment(frame).is_some_and(|s| s.destination == server));
                assert!(seen.is_empty(), "{hook:?} {family:?}: the server saw it");
            }
            assert_eq!(gateway.pins().packets(PathReason::MIDSTREAM_GUARDED), 2, "{hook:?} {when_down}");
            assert_eq!(topology.frames_in_stack(), 0, "{hook:?} {when_down}");
        }
    }
}

#[test]
fn a_reset_is_not_answered_by_a_reset() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.make_still();
        let gateway = Gateway::start(&topology, &Config::new(hook, &rules("inspect", "refuse")));
        let client = SocketAddr::new(Family::V4.client(), 40_000);
        let server = SocketAddr::new(Family::V4.server(), MAIL);
        let frame = Packet::tcp(client, server, harness::packets::RST).build();
        // TC has the last word on both hooks.
        let run = gateway.program(Hook::Tc).run(CLIENT_SIDE, &frame);
        assert_eq!(run.action, Action::Drop, "{hook:?}");
        assert_eq!(gateway.pins().counter(Counter::RESETS_SENT), 0, "{hook:?}");
    }
}

#[test]
fn a_flow_that_a_new_policy_inspects_is_refused() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.fix_neighbours();
        topology.open_stack();
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        let server = SocketAddr::new(Family::V4.server(), MAIL);
        let (_echo, mut stream) = tcp_flow(&topology, server);

        gateway.load_rules(&rules("inspect", "refuse"));
        let _ = std::io::Write::write_all(&mut stream, b"RSET\r\n");
        let error = stream.read(&mut [0; 16]).expect_err("the connection is cut");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{hook:?}");
        assert!(gateway.pins().packets(PathReason::MIDSTREAM_GUARDED) >= 1, "{hook:?}");
        assert_eq!(topology.frames_in_stack(), 0, "{hook:?}");
    }
}

#[test]
fn a_new_syn_clears_the_old_verdict() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.fix_neighbours();
        topology.open_stack();
        let gateway = Gateway::start(&topology, &Config::new(hook, &rules("inspect", "accelerate")));
        let client = SocketAddr::new(Family::V4.client(), 40_000);
        let server = SocketAddr::new(Family::V4.server(), MAIL);
        let echo = EchoServer::tcp(&topology.server, server);
        let stream = connect_from(&topology.client, Some(client), server, SOON).expect("mail passes unseen");
        exchange(&stream, 1_000);

        // Same revision, same 5-tuple, another connection: it is decided anew.
        let hits = gateway.pins().counter(Counter::RULE_LOOKUPS);
        let program = gateway.program(hook);
        assert_eq!(
            program.run(CLIENT_SIDE, &Packet::tcp(client, server, ACK).build()).action,
            Action::Redirect
        );
        assert_eq!(gateway.pins().counter(Counter::RULE_LOOKUPS), hits, "a known flow asks no rule");
        assert_eq!(
            program.run(CLIENT_SIDE, &Packet::tcp(client, server, SYN).build()).action,
            Action::Redirect
        );
        assert_eq!(gateway.pins().counter(Counter::RULE_LOOKUPS), hits + 1, "{hook:?}: a SYN does");
        assert_eq!(gateway.pins().counter(Counter::FLOWS_REPLACED), 1, "{hook:?}");

        drop(stream);
        drop(echo);
        // And under another policy its answer is another.
        gateway.load_rules(&rules("inspect", "refuse"));
        let refused = gateway.program(Hook::Tc).run(CLIENT_SIDE, &Packet::tcp(client, server, SYN).build());
        assert_eq!(refused.counted.get("inspector_down_refuse"), Some(&1), "{hook:?}");
        assert!(gateway.pins().flow_of(client).is_none(), "{hook:?}: the old entry is gone");
    }
}
