//! Entries of the flow table are freed: by FIN, by RST, and by being idle.

use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use harness::deadline::{SOON, wait_until};
use harness::flow_probe::{tcp_flow, udp_flow};
use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::packets::{Packet, SYN};
use harness::requires_root;
use harness::topology::{CLIENT_SIDE, Family, Hook, Topology};
use smtp_common::flow::FlowLife;
use smtp_common::stats::Counter;
use socket2::SockRef;

/// A gateway whose entries do not live longer than a test can wait.
fn start(topology: &Topology, hook: Hook) -> Gateway<'_> {
    topology.fix_neighbours();
    topology.close_stack();
    let mut config = Config::new(hook, ACCELERATE_ALL);
    config.gateway.push_str(
        "[gateway.idle]\ntcp_closing = \"1s\"\ntcp_half_open = \"1s\"\nudp = \"1s\"\nudp_stream = \"1s\"\n",
    );
    Gateway::start(topology, &config)
}

fn wait_until_freed(gateway: &Gateway<'_>, endpoint: SocketAddr) {
    wait_until("the entry is freed", SOON, || gateway.pins().flow_of(endpoint).is_none());
}

#[test]
fn fin_from_both_sides_frees_the_entry() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        let gateway = start(&topology, hook);
        for (closed, family) in (1..).zip(Family::BOTH) {
            let server = SocketAddr::new(family.server(), 7000);
            let (_echo, stream) = tcp_flow(&topology, server);
            let local = stream.local_addr().expect("an address");
            let flow = gateway.pins().flow_of(local).expect("an entry");
            assert_eq!(flow.state.life, FlowLife::STEADY, "{hook:?} {family:?}");
            stream.shutdown(Shutdown::Both).expect("the stream can be shut down");
            drop(stream);
            wait_until_freed(&gateway, local);
            assert_eq!(gateway.pins().counter(Counter::FLOWS_FINISHED), closed, "{hook:?} {family:?}");
            assert_eq!(gateway.pins().counter(Counter::FLOWS_CLOSED), closed, "{hook:?} {family:?}");
            assert_eq!(topology.frames_in_stack(), 0, "{hook:?} {family:?}");
        }
    }
}

#[test]
fn rst_frees_the_entry() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        let gateway = start(&topology, hook);
        let server = SocketAddr::new(Family::V4.server(), 7000);
        let (_echo, stream) = tcp_flow(&topology, server);
        let local = stream.local_addr().expect("an address");
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("closing can be abrupt");
        drop(stream);
        wait_until_freed(&gateway, local);
        assert_eq!(gateway.pins().counter(Counter::FLOWS_FINISHED), 1, "{hook:?}");
    }
}

#[test]
fn idle_udp_and_half_open_tcp_are_freed() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        let gateway = start(&topology, hook);
        let server = SocketAddr::new(Family::V4.server(), 7000);
        let (_echo, probe) = udp_flow(&topology, server);
        assert!(probe.echoes(b"probe", SOON), "{hook:?}");
        let half_open = SocketAddr::new(Family::V4.client(), 40_000);
        gateway.program(hook).run(CLIENT_SIDE, &Packet::tcp(half_open, server, SYN).build());
        wait_until_freed(&gateway, probe.local());
        wait_until_freed(&gateway, half_open);
        assert_eq!(gateway.pins().counter(Counter::FLOWS_IDLE), 2, "{hook:?}");
        assert_eq!(gateway.pins().counter(Counter::FLOWS_CLOSED), 2, "{hook:?}");
    }
}

#[test]
fn a_busy_flow_is_not_freed() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        let gateway = start(&topology, hook);
        let server = SocketAddr::new(Family::V4.server(), 7000);
        let (_echo, probe) = udp_flow(&topology, server);
        assert!(probe.echoes(b"probe", SOON), "{hook:?}");
        let first = gateway.pins().flow_of(probe.local()).expect("an entry");
        let always = harness::deadline::never(Duration::from_millis(1_500), || !probe.echoes(b"probe", SOON));
        assert!(always, "{hook:?}");
        let last = gateway.pins().flow_of(probe.local()).expect("an entry");
        assert_eq!(first.state.created, last.state.created, "{hook:?}: it is the same entry");
    }
}
