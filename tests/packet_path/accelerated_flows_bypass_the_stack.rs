//! Frames of accelerated flows never reach the gateway's stack; everything else does.

use std::net::SocketAddr;

use harness::capture::Wire;
use harness::deadline::SOON;
use harness::flow_probe::{EchoServer, UdpProbe, connect, exchange};
use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::packets::{Mac, Packet};
use harness::requires_root;
use harness::topology::{Family, GATEWAY_CLIENT_MAC, Hook, Topology};
use smtp_common::packet_path::PathReason;

fn tcp_and_udp_with_the_stack_closed(hook: Hook, family: Family) {
    let topology = Topology::with_closed_stack(hook);
    let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
    let server = SocketAddr::new(family.server(), 7000);
    let _tcp = EchoServer::tcp(&topology.server, server);
    let _udp = EchoServer::udp(&topology.server, server);

    let stream = connect(&topology.client, server, SOON).expect("TCP connects through the program");
    exchange(&stream, 1_000_000);
    let probe = UdpProbe::new(&topology.client, SocketAddr::new(family.client(), 0), server);
    for i in 0..20_u8 {
        assert!(probe.echoes(&[i; 512], SOON), "datagram {i} came back");
    }

    assert_eq!(topology.frames_in_stack(), 0, "frames of accelerated flows in the stack");
    let accelerated = gateway.pins().packets(PathReason::RULE_ACCELERATE);
    assert!(accelerated > 1_000, "only {accelerated} packets counted as accelerated");
    for endpoint in [stream.local_addr().expect("an address"), probe.local()] {
        let flow = gateway.pins().flow_of(endpoint).expect("the flow has an entry");
        assert!(flow.state.packets.iter().all(|&packets| packets >= 20), "{flow:?}");
    }
}

#[test]
fn tcp_and_udp_over_ipv4_are_forwarded_by_xdp_alone() {
    requires_root!();
    tcp_and_udp_with_the_stack_closed(Hook::Xdp, Family::V4);
}

#[test]
fn tcp_and_udp_over_ipv6_are_forwarded_by_xdp_alone() {
    requires_root!();
    tcp_and_udp_with_the_stack_closed(Hook::Xdp, Family::V6);
}

#[test]
fn tcp_and_udp_over_ipv4_are_forwarded_by_tc_alone() {
    requires_root!();
    tcp_and_udp_with_the_stack_closed(Hook::Tc, Family::V4);
}

#[test]
fn tcp_and_udp_over_ipv6_are_forwarded_by_tc_alone() {
    requires_root!();
    tcp_and_udp_with_the_stack_closed(Hook::Tc, Family::V6);
}

#[test]
fn what_no_rule_accelerates_goes_through_the_stack() {
    requires_root!();
    let rules = "[[rule]]\nname = \"web\"\nservice = [\"tcp/7000\"]\naction = \"accelerate\"\n";
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.fix_neighbours();
        let gateway = Gateway::start(&topology, &Config::new(hook, rules));
        for family in Family::BOTH {
            topology.open_stack();
            let server = SocketAddr::new(family.server(), 7001);
            let _tcp = EchoServer::tcp(&topology.server, server);

            let stream = connect(&topology.client, server, SOON).expect("TCP connects through the stack");
            exchange(&stream, 10_000);
            let tcp_frames = topology.frames_in_stack();
            // SYN, SYN-ACK, ACK, and data both ways.
            assert!(tcp_frames >= 5, "{hook:?} {family:?}: {tcp_frames} frames in the stack");
            assert_eq!(gateway.pins().packets(PathReason::RULE_ACCELERATE), 0);
            assert!(gateway.pins().packets(PathReason::NO_RULE) >= 5);

            let wire = Wire::open(&topology.client, "eth0");
            wire.send(&Packet::ping(family.client(), family.server()).build());
            let reply = wire.next_within(SOON, |frame| is_echo_reply(frame, GATEWAY_CLIENT_MAC));
            assert!(reply.is_some(), "{hook:?} {family:?}: the ping comes back");
            assert!(topology.frames_in_stack() >= tcp_frames + 2, "the ping went through the stack");
        }
    }
}

fn is_echo_reply(frame: &[u8], source: Mac) -> bool {
    let kind = match frame.get(12..14) {
        Some([0x08, 0x00]) if frame.get(23) == Some(&1) => frame.get(34),
        Some([0x86, 0xdd]) if frame.get(20) == Some(&58) => frame.get(54),
        _ => None,
    };
    frame.get(6..12) == Some(&source[..]) && matches!(kind, Some(0 | 129))
}

#[test]
fn the_first_packet_to_an_unknown_neighbour_lets_the_kernel_ask_for_it() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.open_stack();
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        for family in Family::BOTH {
            let server = SocketAddr::new(family.server(), 7000);
            let _tcp = EchoServer::tcp(&topology.server, server);
            let stream = connect(&topology.client, server, SOON).expect("TCP connects");
            exchange(&stream, 200_000);
            assert!(gateway.pins().packets(PathReason::NO_NEIGHBOUR) >= 1, "{hook:?} {family:?}");
            let in_stack = topology.frames_in_stack();
            exchange(&stream, 200_000);
            assert_eq!(topology.frames_in_stack(), in_stack, "{hook:?} {family:?}: known by now");
        }
    }
}
