//! A policy is swapped while packets flow: no packet sees half of one, and no accelerated flow loses any.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use harness::deadline::{SOON, wait_until};
use harness::flow_probe::{EchoServer, UdpProbe, connect, try_exchange};
use harness::gateway::{Config, Gateway};
use harness::packets::Packet;
use harness::program::Action;
use harness::requires_root;
use harness::topology::{CLIENT_SIDE, Family, Hook, Topology};
use smtp_common::packet_path::PathReason;

const SWAPS: usize = 20;

/// Whatever the revision, a datagram from client to server is accelerated; but what a rule of the one says
/// by position is said by another position in the other, so half of each would drop it or match nothing.
const ONE: &str = r#"
[[rule]]
name = "wanted"
from = ["10.77.1.0/24"]
service = ["udp/7001"]
action = "accelerate"

[[rule]]
name = "others"
from = ["192.0.2.0/24"]
action = "drop"
"#;

const OTHER: &str = r#"
[[rule]]
name = "others"
from = ["192.0.2.0/24"]
action = "drop"

[[rule]]
name = "others to 7002"
to = ["192.0.2.0/24"]
service = ["udp/7002"]
action = "drop"

[[rule]]
name = "wanted"
from = ["10.77.1.0/24"]
service = ["udp/7001"]
action = "accelerate"
"#;

fn no_packet_sees_half_a_policy(hook: Hook) {
    let topology = Topology::new(hook);
    topology.make_still();
    let mut config = Config::new(hook, ONE);
    "flows_v4 = 65536\nflows_v6 = 64\n".clone_into(&mut config.gateway);
    let gateway = Gateway::start(&topology, &config);
    let program = gateway.program(hook);
    let server = SocketAddr::new(Family::V4.server(), 7001);
    // Every datagram is a flow of its own, so each asks the rules.
    let frames: Vec<_> = (1_000..40_000)
        .map(|port| Packet::udp(SocketAddr::new(Family::V4.client(), port), server).build())
        .collect();
    let over = AtomicBool::new(false);
    let asked = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let hammer = scope.spawn(|| {
            for frames in frames.chunks(500).cycle() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                for action in program.actions(CLIENT_SIDE, frames) {
                    assert_eq!(action, Action::Redirect, "a packet saw half a policy");
                }
                asked.fetch_add(frames.len() as u64, Ordering::Relaxed);
            }
        });
        for i in 0..SWAPS {
            let before = asked.load(Ordering::Relaxed);
            gateway.load_rules(if i % 2 == 0 { OTHER } else { ONE });
            wait_until("packets after the swap", SOON, || {
                asked.load(Ordering::Relaxed) > before || hammer.is_finished()
            });
        }
        over.store(true, Ordering::Relaxed);
        hammer.join().expect("every packet saw one policy");
    });
    for reason in [PathReason::RULE_DROP, PathReason::NO_RULE, PathReason::NO_POLICY] {
        assert_eq!(gateway.pins().packets(reason), 0, "{}", reason.name());
    }
    let packets = gateway.pins().packets(PathReason::RULE_ACCELERATE);
    assert!(packets >= asked.load(Ordering::Relaxed), "{packets} accelerated");
}

#[test]
fn no_packet_sees_half_a_policy_on_xdp() {
    requires_root!();
    no_packet_sees_half_a_policy(Hook::Xdp);
}

#[test]
fn no_packet_sees_half_a_policy_on_tc() {
    requires_root!();
    no_packet_sees_half_a_policy(Hook::Tc);
}

fn one_port_open(open: u16, closed: u16) -> String {
    format!(
        "[[rule]]\nname = \"closed\"\nservice = [\"udp/{closed}\"]\naction = \"drop\"\n\
         [[rule]]\nname = \"open\"\nservice = [\"udp/{open}\"]\naction = \"accelerate\"\n\
         [[rule]]\nname = \"long flow\"\nservice = [\"tcp/7000\"]\naction = \"accelerate\"\n"
    )
}

#[test]
fn a_loaded_policy_holds_at_once_and_a_long_flow_loses_nothing() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::with_closed_stack(hook);
        let gateway = Gateway::start(&topology, &Config::new(hook, &one_port_open(7001, 7002)));
        let at_server = |port| SocketAddr::new(Family::V4.server(), port);
        let _servers = [
            EchoServer::tcp(&topology.server, at_server(7000)),
            EchoServer::udp(&topology.server, at_server(7001)),
            EchoServer::udp(&topology.server, at_server(7002)),
        ];
        let any = SocketAddr::new(Family::V4.client(), 0);
        let probes = [7001, 7002].map(|port| UdpProbe::new(&topology.client, any, at_server(port)));
        let stream = connect(&topology.client, at_server(7000), SOON).expect("the long flow connects");
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let long_flow = scope.spawn(|| {
                let mut rounds = 0;
                while !over.load(Ordering::Relaxed) {
                    try_exchange(&stream, 50_000).expect("the long flow goes on");
                    rounds += 1;
                }
                rounds
            });
            for i in 0..SWAPS {
                let open = i % 2;
                let (open_port, closed_port) = if open == 0 { (7001, 7002) } else { (7002, 7001) };
                gateway.load_rules(&one_port_open(open_port, closed_port));
                let word = format!("probe {i}");
                assert!(probes[open].echoes(word.as_bytes(), SOON), "{hook:?}: port {open_port} is open");
                let through = probes[1 - open].echoes(word.as_bytes(), Duration::from_millis(20));
                assert!(!through, "{hook:?}: port {closed_port} is closed, though it had a flow");
            }
            over.store(true, Ordering::Relaxed);
            let rounds = long_flow.join().expect("the long flow loses nothing");
            assert!(rounds > 0, "the long flow had no time");
        });
        assert_eq!(topology.frames_in_stack(), 0, "{hook:?}");
    }
}
