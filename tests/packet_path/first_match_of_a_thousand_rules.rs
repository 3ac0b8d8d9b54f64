//! With a thousand rules, the first that matches decides.

use std::fmt::Write;
use std::net::SocketAddr;

use harness::deadline::SOON;
use harness::flow_probe::udp_flow;
use harness::gateway::{Config, Gateway};
use harness::packets::Packet;
use harness::program::Action;
use harness::requires_root;
use harness::topology::{CLIENT_SIDE, Family, Hook, Topology};

const PAIRS: u16 = 500;
const FIRST_PORT: u16 = 10_000;

fn first_action(i: u16) -> &'static str {
    ["accelerate", "drop", "stack"][usize::from(i % 3)]
}

/// Five hundred rules for a port each, then five hundred for the same ports that say something else.
fn rules() -> String {
    let mut text = String::new();
    for i in 0..PAIRS {
        let port = FIRST_PORT + i;
        let action = first_action(i);
        write!(
            text,
            "[[rule]]\nname = \"first {i}\"\nfrom = [\"10.77.1.0/24\", \"fd77:1::/64\"]\n\
             service = [\"udp/{port}\"]\naction = \"{action}\"\n"
        )
        .expect("a string takes everything");
    }
    for i in 0..PAIRS {
        let port = FIRST_PORT + i;
        let action = first_action(i + 1);
        write!(text, "[[rule]]\nname = \"second {i}\"\nservice = [\"udp/{port}\"]\naction = \"{action}\"\n")
            .expect("a string takes everything");
    }
    text
}

#[test]
fn the_first_of_a_thousand_rules_decides() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::with_closed_stack(hook);
        let gateway = Gateway::start(&topology, &Config::new(hook, &rules()));
        let program = gateway.program(hook);
        for family in Family::BOTH {
            let frames: Vec<_> = (0..PAIRS)
                .map(|i| {
                    let client = SocketAddr::new(family.client(), 30_000);
                    let server = SocketAddr::new(family.server(), FIRST_PORT + i);
                    Packet::udp(client, server).build()
                })
                .collect();
            for (i, action) in (0..PAIRS).zip(program.actions(CLIENT_SIDE, &frames)) {
                let expected = match first_action(i) {
                    "accelerate" => Action::Redirect,
                    "drop" => Action::Drop,
                    _ => Action::Pass,
                };
                assert_eq!(action, expected, "{hook:?} {family:?} rule {i}");
            }
        }
        // And so for real datagrams: 498 is the last that accelerates.
        for (i, comes_back) in [(0, true), (498, true), (1, false), (499, false)] {
            let server = SocketAddr::new(Family::V4.server(), FIRST_PORT + i);
            let (_echo, probe) = udp_flow(&topology, server);
            let limit = if comes_back { SOON } else { std::time::Duration::from_millis(50) };
            assert_eq!(probe.echoes(b"probe", limit), comes_back, "{hook:?} rule {i}");
        }
    }
}
