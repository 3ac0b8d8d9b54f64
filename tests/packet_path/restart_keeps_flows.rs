//! The daemon goes and comes; the data path stays, with its flows and counters.

use std::net::SocketAddr;

use harness::deadline::SOON;
use harness::flow_probe::{EchoServer, connect, exchange};
use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::requires_root;
use harness::topology::{Family, Hook, Topology};
use smtp_common::packet_path::PathReason;

fn flows_outlive(hook: Hook, end: impl Fn(&mut Gateway<'_>)) {
    let topology = Topology::with_closed_stack(hook);
    let mut gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
    let streams: Vec<_> = Family::BOTH
        .into_iter()
        .map(|family| {
            let server = SocketAddr::new(family.server(), 7000);
            let echo = EchoServer::tcp(&topology.server, server);
            let stream = connect(&topology.client, server, SOON).expect("TCP connects");
            exchange(&stream, 100_000);
            (echo, stream)
        })
        .collect();
    let flow = |gateway: &Gateway<'_>, i: usize| {
        let endpoint = streams[i].1.local_addr().expect("an address");
        gateway.pins().flow_of(endpoint).expect("the flow has its entry")
    };
    let before = [flow(&gateway, 0), flow(&gateway, 1)];
    let packets_before = gateway.pins().packets(PathReason::RULE_ACCELERATE);

    end(&mut gateway);
    for (_, stream) in &streams {
        exchange(stream, 100_000);
    }
    let while_down = [flow(&gateway, 0), flow(&gateway, 1)];
    gateway.run();
    for (_, stream) in &streams {
        exchange(stream, 100_000);
    }
    let after = [flow(&gateway, 0), flow(&gateway, 1)];

    for i in 0..2 {
        for (earlier, later) in [(&before[i], &while_down[i]), (&while_down[i], &after[i])] {
            assert_eq!(earlier.state.created, later.state.created, "it is the same entry");
            assert!(later.packets() > earlier.packets(), "its counters go on: {earlier:?} {later:?}");
        }
    }
    assert!(gateway.pins().packets(PathReason::RULE_ACCELERATE) > packets_before, "counters go on");
    assert_eq!(topology.frames_in_stack(), 0, "no frame fell to the stack meanwhile");
}

#[test]
fn flows_outlive_a_restart_on_xdp() {
    requires_root!();
    flows_outlive(Hook::Xdp, |gateway| {
        gateway.terminate();
    });
}

#[test]
fn flows_outlive_a_restart_on_tc() {
    requires_root!();
    flows_outlive(Hook::Tc, |gateway| {
        gateway.terminate();
    });
}

#[test]
fn flows_outlive_a_killed_daemon_on_xdp() {
    requires_root!();
    flows_outlive(Hook::Xdp, |gateway| gateway.kill9());
}

#[test]
fn flows_outlive_a_killed_daemon_on_tc() {
    requires_root!();
    flows_outlive(Hook::Tc, |gateway| gateway.kill9());
}

#[test]
fn stop_leaves_nothing_behind() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::with_closed_stack(hook);
        let mut gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        assert!(!topology.attached_programs().is_empty(), "{hook:?}");
        gateway.stop();
        assert_eq!(topology.attached_programs(), Vec::<String>::new(), "{hook:?}");
        assert_eq!(gateway.pins().names(), Vec::<String>::new(), "{hook:?}");
        // Stopping again is no mistake of anybody's.
        gateway.command(&["stop"]);
        gateway.run();
        assert!(!topology.attached_programs().is_empty(), "{hook:?}");
    }
}
