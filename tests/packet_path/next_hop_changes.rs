//! The way changes under a flow: another MAC address, another interface. The flow follows at once.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use harness::deadline::{SOON, wait_until};
use harness::flow_probe::{EchoServer, UdpProbe, connect, exchange};
use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::requires_root;
use harness::topology::{Family, Hook, SECOND_SERVER_SIDE, Topology};

#[test]
fn a_flow_follows_the_next_hops_new_mac_address() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::with_closed_stack(hook);
        let _gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        let flows = Family::BOTH.map(|family| {
            let server = SocketAddr::new(family.server(), 7000);
            let echoes =
                [EchoServer::udp(&topology.server, server), EchoServer::tcp(&topology.server, server)];
            let probe = UdpProbe::new(&topology.client, SocketAddr::new(family.client(), 0), server);
            let stream = connect(&topology.client, server, SOON).expect("TCP connects");
            exchange(&stream, 10_000);
            assert!(probe.echoes(b"before", SOON), "{hook:?} {family:?}");
            (echoes, probe, stream)
        });

        topology.change_server_mac("02:00:00:00:02:99");
        for (_, probe, stream) in &flows {
            wait_until("the flow goes to the new address", Duration::from_secs(2), || {
                probe.echoes(b"after", Duration::from_millis(50))
            });
            exchange(stream, 10_000);
        }
        assert_eq!(topology.frames_in_stack(), 0, "{hook:?}: by the program, not the stack");
    }
}

#[test]
fn a_flow_follows_a_route_that_moves_to_another_interface() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.add_second_server_side();
        topology.fix_neighbours();
        topology.close_stack();
        let mut config = Config::new(hook, ACCELERATE_ALL);
        config.interfaces.push(SECOND_SERVER_SIDE.to_owned());
        let gateway = Gateway::start(&topology, &config);
        let created = |stream: &TcpStream| {
            let local = stream.local_addr().expect("an address");
            gateway.pins().flow_of(local).expect("the flow has its entry").state.created
        };
        let flows = Family::BOTH.map(|family| {
            let server = SocketAddr::new(family.server(), 7000);
            let echo = EchoServer::tcp(&topology.server, server);
            let stream = connect(&topology.client, server, SOON).expect("TCP connects");
            exchange(&stream, 10_000);
            let begin = created(&stream);
            (echo, stream, begin)
        });

        topology.move_route();
        for (_, stream, begin) in &flows {
            let before = topology.server.received_frames("eth1");
            wait_until("frames come by the other interface", SOON, || {
                exchange(stream, 10_000);
                topology.server.received_frames("eth1") > before + 5
            });
            let settled = topology.server.received_frames("eth0");
            exchange(stream, 10_000);
            // The neighbour protocols may have a word on the old link; the flow may not.
            assert!(topology.server.received_frames("eth0") <= settled + 2, "{hook:?}");
            assert_eq!(created(stream), *begin, "{hook:?}: it is the same entry");
        }
        assert_eq!(topology.frames_in_stack(), 0, "{hook:?}: by the program, not the stack");
    }
}
