//! A full flow table: what has no room goes to the stack, and established flows are left in peace.

use std::net::SocketAddr;

use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::packets::{ACK, Packet, SYN, SYN_ACK};
use harness::program::Action;
use harness::requires_root;
use harness::topology::{CLIENT_SIDE, Family, GATEWAY_SERVER_MAC, Hook, SERVER_MAC, SERVER_SIDE, Topology};
use smtp_common::abi::MIN_FLOW_SLOTS;
use smtp_common::packet_path::PathReason;
use smtp_common::stats::Counter;

/// A gateway that accelerates everything, with the smallest tables there are.
fn start(topology: &Topology, hook: Hook) -> Gateway<'_> {
    topology.make_still();
    let smallest = "flows_v4 = 1\nflows_v6 = 1\n".to_owned();
    Gateway::start(topology, &Config { gateway: smallest, ..Config::new(hook, ACCELERATE_ALL) })
}

#[test]
fn flows_without_room_go_to_the_stack_and_established_ones_stay() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        let gateway = start(&topology, hook);
        let program = gateway.program(hook);
        for family in Family::BOTH {
            let full = gateway.pins().packets(PathReason::FLOW_TABLE_FULL);
            let full_count = gateway.pins().counter(Counter::FLOW_TABLE_FULL);
            let server = SocketAddr::new(family.server(), 7000);
            let client = |port| SocketAddr::new(family.client(), port);

            let mut established = Vec::new();
            let mut without_room = 0;
            for port in 20_000..20_000 + 4 * u16::try_from(MIN_FLOW_SLOTS).expect("few slots") {
                let from_client = |flags| Packet::tcp(client(port), server, flags).build();
                let answer = Packet::tcp(server, client(port), SYN_ACK).macs(SERVER_MAC, GATEWAY_SERVER_MAC);
                let one = |side, frame| program.actions(side, &[frame])[0];
                match one(CLIENT_SIDE, from_client(SYN)) {
                    Action::Redirect => {
                        assert_eq!(one(SERVER_SIDE, answer.build()), Action::Redirect);
                        assert_eq!(one(CLIENT_SIDE, from_client(ACK)), Action::Redirect);
                        established.push(port);
                    }
                    Action::Pass => without_room += 1,
                    other => panic!("{hook:?} {family:?} port {port}: {other:?}"),
                }
            }
            let slots = usize::try_from(MIN_FLOW_SLOTS).expect("few slots");
            assert!(
                established.len() > slots / 2,
                "{hook:?} {family:?}: only {} had room",
                established.len()
            );
            assert!(established.len() <= slots, "{hook:?} {family:?}: {} had room", established.len());
            assert!(without_room > 0, "{hook:?} {family:?}");
            if hook == Hook::Tc {
                assert_eq!(gateway.pins().packets(PathReason::FLOW_TABLE_FULL), full + without_room);
            }
            assert!(
                gateway.pins().counter(Counter::FLOW_TABLE_FULL) >= full_count + without_room,
                "{hook:?} {family:?}"
            );

            // A flood of SYNs displaces none of them.
            let flood: Vec<_> =
                (30_000..32_000).map(|port| Packet::tcp(client(port), server, SYN).build()).collect();
            program.actions(CLIENT_SIDE, &flood);
            let lookups = gateway.pins().counter(Counter::RULE_LOOKUPS);
            let later: Vec<_> =
                established.iter().map(|&port| Packet::tcp(client(port), server, ACK).build()).collect();
            let actions = program.actions(CLIENT_SIDE, &later);
            assert!(actions.iter().all(|&action| action == Action::Redirect), "{hook:?} {family:?}");
            assert_eq!(gateway.pins().counter(Counter::RULE_LOOKUPS), lookups, "each still has its entry");
        }
    }
}

#[test]
fn as_many_flows_as_the_table_is_made_for_all_have_room() {
    requires_root!();
    let hook = Hook::Tc;
    let topology = Topology::new(hook);
    let gateway = start(&topology, hook);
    let program = gateway.program(hook);
    for family in Family::BOTH {
        // Half of the slots. Some group of sixteen is over-full in most tables; its flows stand in another one.
        let server = SocketAddr::new(family.server(), 7000);
        let ports = 20_000..20_000 + u16::try_from(MIN_FLOW_SLOTS / 2).expect("few slots");
        let packets = |flags| -> Vec<_> {
            let client = |port| SocketAddr::new(family.client(), port);
            ports.clone().map(|port| Packet::tcp(client(port), server, flags).build()).collect()
        };
        let full = gateway.pins().counter(Counter::FLOW_TABLE_FULL);
        let evicted = gateway.pins().counter(Counter::FLOWS_EVICTED);
        assert!(program.actions(CLIENT_SIDE, &packets(SYN)).iter().all(|&action| action == Action::Redirect));
        let lookups = gateway.pins().counter(Counter::RULE_LOOKUPS);
        assert!(program.actions(CLIENT_SIDE, &packets(ACK)).iter().all(|&action| action == Action::Redirect));
        assert_eq!(gateway.pins().counter(Counter::RULE_LOOKUPS), lookups, "{family:?}: each has its entry");
        assert_eq!(gateway.pins().counter(Counter::FLOW_TABLE_FULL), full, "{family:?}");
        assert_eq!(gateway.pins().counter(Counter::FLOWS_EVICTED), evicted, "{family:?}");
    }
}

#[test]
fn half_open_flows_make_room_for_others() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        let gateway = start(&topology, hook);
        let program = gateway.program(hook);
        let server = SocketAddr::new(Family::V4.server(), 7000);
        let flood: Vec<_> = (20_000..21_000)
            .map(|port| Packet::tcp(SocketAddr::new(Family::V4.client(), port), server, SYN).build())
            .collect();
        let actions = program.actions(CLIENT_SIDE, &flood);
        assert!(actions.iter().all(|&action| action == Action::Redirect), "{hook:?}: a SYN always has room");
        assert!(gateway.pins().counter(Counter::FLOWS_EVICTED) >= 900, "{hook:?}");
        assert!(gateway.pins().flows().len() <= usize::try_from(MIN_FLOW_SLOTS).expect("few slots"));
    }
}
