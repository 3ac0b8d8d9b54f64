//! A banned source is dropped at once, on flows that exist too, until the ban ends.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use harness::deadline::{SOON, wait_until};
use harness::flow_probe::udp_flow;
use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::packets::{Extension, Packet, SYN};
use harness::program::Action;
use harness::requires_root;
use harness::topology::{CLIENT_SIDE, Family, Hook, Topology};
use smtp_common::packet_path::PathReason;

#[test]
fn a_ban_holds_at_once_and_ends_by_itself() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::with_closed_stack(hook);
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        for family in Family::BOTH {
            let server = SocketAddr::new(family.server(), 7000);
            let (_echo, probe) = udp_flow(&topology, server);
            assert!(probe.echoes(b"before", SOON), "{hook:?} {family:?}");

            let stopped = gateway.pins().packets(PathReason::BANNED);
            let begin = Instant::now();
            gateway.command(&["ban", "add", &family.client().to_string(), "--for", "1s"]);
            assert!(!probe.echoes(b"banned", Duration::from_millis(50)), "{hook:?} {family:?}");
            assert!(gateway.pins().packets(PathReason::BANNED) > stopped, "{hook:?} {family:?}");
            wait_until("the ban ends", SOON, || probe.echoes(b"after", Duration::from_millis(50)));
            assert!(begin.elapsed() >= Duration::from_millis(900), "{hook:?} {family:?}: it ended too soon");
        }
    }
}

#[test]
fn a_ban_can_be_taken_back() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::with_closed_stack(hook);
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        let server = SocketAddr::new(Family::V4.server(), 7000);
        let (_echo, probe) = udp_flow(&topology, server);
        gateway.command(&["ban", "add", "10.77.1.0/24"]);
        assert!(!probe.echoes(b"banned", Duration::from_millis(50)), "{hook:?}");
        let list = gateway.json(&["ban", "list"]);
        assert!(list.to_string().contains("10.77.1.0/24"), "{hook:?}: {list}");
        assert_eq!(list[0]["packets"], 1, "{hook:?}: {list}");
        gateway.command(&["ban", "del", "10.77.1.0/24"]);
        assert!(probe.echoes(b"free", SOON), "{hook:?}");
    }
}

#[test]
fn a_banned_source_cannot_hide_behind_what_cannot_be_read() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.make_still();
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        for family in Family::BOTH {
            gateway.command(&["ban", "add", &family.client().to_string()]);
            let (client, server) =
                (SocketAddr::new(family.client(), 40_000), SocketAddr::new(family.server(), 25));
            let segment = Packet::tcp(client, server, SYN).payload(&[0; 64]);
            let fragment = match family {
                Family::V4 => segment.clone().fragment(3, false),
                Family::V6 => segment.clone().extension(Extension::Fragment(3, false)),
            };
            let unreadable = match family {
                Family::V4 => segment.clone().header_words(2),
                Family::V6 => segment.clone().extension(Extension::Unknown),
            };
            let ping = Packet::ping(family.client(), family.server());
            for packet in [segment, fragment, unreadable, ping] {
                // TC has the last word on both hooks.
                let run = gateway.program(Hook::Tc).run(CLIENT_SIDE, &packet.build());
                assert_eq!(run.action, Action::Drop, "{hook:?} {packet:?}");
                assert_eq!(run.counted.get("banned"), Some(&1), "{hook:?} {packet:?}");
            }
        }
    }
}
