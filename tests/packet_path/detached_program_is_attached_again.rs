//! Somebody detaches a program: the daemon notices, says so, and attaches it again within a second.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use harness::deadline::{SOON, wait_until};
use harness::flow_probe::{EchoServer, connect, exchange};
use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::requires_root;
use harness::topology::{Family, Hook, Topology};

/// What the daemon promises, and some more for a machine that is busy with other builds.
const LIMIT: Duration = Duration::from_millis(1_500);

fn wait_until_attached(topology: &Topology, before: &[String], since: Instant) {
    wait_until("the programs are attached again", SOON, || topology.attached_programs() == before);
    assert!(since.elapsed() < LIMIT, "it took {:?}", since.elapsed());
}

#[test]
fn a_detached_link_is_made_again() {
    requires_root!();
    for (hook, kinds) in [(Hook::Tc, &["_tcx"][..]), (Hook::Xdp, &["_xdp", "_tcx"])] {
        let topology = Topology::new(hook);
        topology.fix_neighbours();
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        let server = SocketAddr::new(Family::V4.server(), 7000);
        let _echo = EchoServer::tcp(&topology.server, server);
        let stream = connect(&topology.client, server, SOON).expect("TCP connects");
        exchange(&stream, 1_000);
        let before = topology.attached_programs();
        for kind in kinds {
            let links: Vec<_> =
                gateway.pins().names().into_iter().filter(|name| name.ends_with(kind)).collect();
            assert_eq!(links.len(), 2, "{hook:?} {kind}: {links:?}");
            let begin = Instant::now();
            for link in &links {
                let pin = gateway.pins().path(link).display().to_string();
                topology.gateway.exec("bpftool", &["link", "detach", "pinned", &pin]);
            }
            assert_ne!(topology.attached_programs(), before, "{hook:?}: they are off");
            wait_until_attached(&topology, &before, begin);
        }
        gateway.wait_for_line(|line| line.contains("pgw0") && line.contains("attached"));
        topology.close_stack();
        exchange(&stream, 1_000);
        assert_eq!(topology.frames_in_stack(), 0, "{hook:?}: the flow is accelerated again");
    }
}

#[test]
fn an_interface_that_went_and_came_back_is_attached_again() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.fix_neighbours();
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        let before = topology.attached_programs();
        topology.gateway.ip("link del pgw1\n");
        topology.add_server_side();
        topology.fix_neighbours();
        let begin = Instant::now();
        wait_until_attached(&topology, &before, begin);
        topology.close_stack();
        let server = SocketAddr::new(Family::V4.server(), 7000);
        let _echo = EchoServer::tcp(&topology.server, server);
        let stream = connect(&topology.client, server, SOON).expect("TCP connects");
        exchange(&stream, 1_000);
        let reasons = gateway.pins().reasons();
        assert_eq!(topology.frames_in_stack(), 0, "{hook:?}: {reasons:?}");
    }
}
