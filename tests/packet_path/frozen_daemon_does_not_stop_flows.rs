//! A daemon that stands still keeps no accelerated flow from going on, old or new.

use std::net::SocketAddr;
use std::time::Duration;

use harness::deadline::{SOON, never};
use harness::flow_probe::{connect, exchange, tcp_flow, try_exchange};
use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::requires_root;
use harness::topology::{Family, Hook, Topology};
use nix::sys::signal::Signal;
use smtp_common::heartbeat::STALE_NS;

#[test]
fn accelerated_flows_go_on_while_the_daemon_is_frozen() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::with_closed_stack(hook);
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        let server = SocketAddr::new(Family::V4.server(), 7000);
        let (_echo, stream) = tcp_flow(&topology, server);
        exchange(&stream, 10_000);

        gateway.signal(Signal::SIGSTOP);
        // Longer than a heartbeat may be old.
        let span = Duration::from_nanos(STALE_NS) + Duration::from_millis(200);
        assert!(never(span, || try_exchange(&stream, 1_000).is_err()), "{hook:?}: the flow goes on");
        let new = connect(&topology.client, server, SOON).expect("a new flow begins");
        exchange(&new, 10_000);
        gateway.signal(Signal::SIGCONT);
        exchange(&stream, 10_000);
        assert_eq!(topology.frames_in_stack(), 0, "{hook:?}");
    }
}
