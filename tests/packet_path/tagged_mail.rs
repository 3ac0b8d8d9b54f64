//! A tag does not carry mail past an inspecting rule: the kernel strips the tag of VLAN 0 and forwards.

use std::net::SocketAddr;
use std::time::Duration;

use harness::capture::Wire;
use harness::deadline::SOON;
use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::packets::{Packet, SYN, read_segment};
use harness::requires_root;
use harness::topology::{Family, Hook, Topology};

fn rules() -> String {
    format!(
        "[[rule]]\nname = \"mail\"\nservice = [\"smtp\"]\naction = \"inspect\"\nresource = \"inbound\"\n{ACCELERATE_ALL}"
    )
}

#[test]
fn priority_tagged_mail_is_not_forwarded_unseen() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.fix_neighbours();
        topology.open_stack();
        let _gateway = Gateway::start(&topology, &Config::new(hook, &rules()));
        for family in Family::BOTH {
            let client = SocketAddr::new(family.client(), 40_000);
            let at_client = Wire::open(&topology.client, "eth0");
            let at_server = Wire::open(&topology.server, "eth0");
            let to = |port| SocketAddr::new(family.server(), port);
            // Each copy comes from a port of its own, so that a failure tells which tags carried it.
            let tagged = [
                &[0x8100_u16][..],
                &[0x88a8],
                &[0x8100, 0x8100],
                &[0x88a8, 0x8100],
                &[0x8100; 3],
                &[0x8100; 9],
            ];
            for (port, tags) in (41_000..).zip(tagged) {
                let packet = Packet::tcp(SocketAddr::new(family.client(), port), to(25), SYN);
                // Priority 5, VLAN 0 (IEEE 802.1Q §9.6).
                let packet = tags.iter().fold(packet, |packet, &tag| packet.tag(tag, 5 << 13));
                at_client.send(&packet.build());
            }
            // The untagged one behind them tells that they are through, and is itself forwarded.
            at_client.send(&Packet::tcp(client, to(80), SYN).build());
            let mut mail = Vec::new();
            let web = at_server.next_within(SOON, |frame| {
                let Some(segment) = read_segment(frame) else { return false };
                if segment.destination == to(25) {
                    mail.push(segment.source.port());
                }
                segment.destination == to(80)
            });
            assert!(web.is_some(), "{hook:?} {family:?}: the web is reached");
            let late = at_server.next_within(Duration::from_millis(50), |frame| {
                read_segment(frame).is_some_and(|segment| segment.destination == to(25))
            });
            assert!(mail.is_empty() && late.is_none(), "{hook:?} {family:?}: mail came through: {mail:?}");
        }
    }
}
