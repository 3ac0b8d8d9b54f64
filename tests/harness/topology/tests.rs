use std::net::SocketAddr;

use super::{Family, Hook, Topology};
use crate::capture::Wire;
use crate::deadline::SOON;
use crate::flow_probe::{EchoServer, UdpProbe, connect, exchange};
use crate::packets::{Packet, SYN, read_segment};
use crate::requires_root;

#[test]
fn without_a_gateway_program_the_stack_forwards_and_counts() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.open_stack();
        for family in Family::BOTH {
            let server = SocketAddr::new(family.server(), 7000);
            let _tcp = EchoServer::tcp(&topology.server, server);
            let _udp = EchoServer::udp(&topology.server, server);
            let stream = connect(&topology.client, server, SOON).expect("TCP connects");
            exchange(&stream, 100_000);
            let probe = UdpProbe::new(&topology.client, SocketAddr::new(family.client(), 0), server);
            assert!(probe.echoes(b"probe", SOON));
        }
        assert!(topology.frames_in_stack() > 10);
        assert_eq!(topology.attached_programs(), Vec::<String>::new());

        topology.close_stack();
        let server = SocketAddr::new(Family::V4.server(), 7000);
        let probe = UdpProbe::new(&topology.client, SocketAddr::new(Family::V4.client(), 0), server);
        assert!(!probe.echoes(b"probe", std::time::Duration::from_millis(50)));
        assert_eq!(topology.frames_in_stack(), 1);
    }
}

#[test]
fn a_frame_sent_on_the_wire_is_seen_on_the_other_side() {
    requires_root!();
    let topology = Topology::new(Hook::Tc);
    topology.fix_neighbours();
    let (at_client, at_server) = (Wire::open(&topology.client, "eth0"), Wire::open(&topology.server, "eth0"));
    let server = SocketAddr::new(Family::V6.server(), 80);
    at_client.send(&Packet::tcp(SocketAddr::new(Family::V6.client(), 40_000), server, SYN).build());
    let seen =
        at_server.next_within(SOON, |frame| read_segment(frame).is_some_and(|s| s.destination == server));
    assert!(read_segment(&seen.expect("the frame arrives")).expect("a segment").sound);
}
