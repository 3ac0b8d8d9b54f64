//! Cases of both address families.

use std::net::{IpAddr, SocketAddr};

use harness::packets::{ACK, FIN_ACK, Packet, RST, SYN, SYN_ACK};
use harness::topology::{CLIENT_MAC, Family, GATEWAY_SERVER_MAC, SERVER_MAC, SERVER_SIDE};
use smtp_common::packet_path::PathReason;

use super::case::Expected::For;
use super::case::{ACCELERATED, Cases, MAIL, MIDSTREAM_REFUSED, NEW_REFUSED, WEB};

pub(super) fn common_cases(cases: &mut Cases) {
    for (name, flags) in [("SYN", SYN), ("ACK", ACK), ("FIN", FIN_ACK), ("RST", RST)] {
        let (client, server) = (cases.client(), cases.server(WEB));
        let what = format!("TCP {name} to the web");
        cases.add_always(&what, &Packet::tcp(client, server, flags), ACCELERATED);
    }
    let mail = cases.tcp(MAIL);
    cases.add("SYN to mail", &mail, ACCELERATED, NEW_REFUSED);
    let (client, server) = (cases.client(), cases.server(MAIL));
    cases.add(
        "ACK to mail in mid-stream",
        &Packet::tcp(client, server, ACK).payload(b"MAIL FROM:<>\r\n"),
        ACCELERATED,
        MIDSTREAM_REFUSED,
    );
    for (name, flags) in [("SYN-ACK", SYN_ACK), ("ACK", ACK)] {
        let (client, server) = (cases.client(), cases.server(MAIL));
        let frame = Packet::tcp(server, client, flags).macs(SERVER_MAC, GATEWAY_SERVER_MAC).build();
        let what = format!("{name} from mail, flow unknown");
        cases.add_frame(&what, SERVER_SIDE, frame, ACCELERATED, MIDSTREAM_REFUSED);
    }
    let (client, server) = (cases.client(), cases.server(53));
    cases.add_always("UDP", &Packet::udp(client, server).payload(b"question"), ACCELERATED);
    let (client, server) = (cases.client(), cases.server(MAIL));
    cases.add_always("UDP to port 25, which no rule names", &Packet::udp(client, server), ACCELERATED);
    let (client, server) = (cases.family.client(), cases.family.server());
    cases.add_always("ping", &Packet::ping(client, server), For(PathReason::PROTOCOL));
    cases.add_always("GRE", &Packet::gre(client, server), For(PathReason::PROTOCOL));

    let packet = cases.tcp(WEB);
    cases.add_always("TTL 2", &packet.ttl(2), ACCELERATED);
    for ttl in [0, 1] {
        let packet = cases.tcp(WEB);
        let what = format!("TTL {ttl}");
        cases.add_always(&what, &packet.ttl(ttl), For(PathReason::TTL_EXCEEDED));
    }
    let packet = cases.tcp(MAIL);
    cases.add("TTL 1 to mail", &packet.ttl(1), For(PathReason::TTL_EXCEEDED), NEW_REFUSED);

    let packet = cases.tcp(WEB);
    let other_host = packet.macs(CLIENT_MAC, [2, 0, 0, 0, 9, 9]);
    cases.add_always("for another host's MAC address", &other_host, For(PathReason::OTHER_HOST));
    let packet = cases.tcp(WEB);
    let broadcast = packet.macs(CLIENT_MAC, [0xff; 6]);
    cases.add_always("for the broadcast MAC address", &broadcast, For(PathReason::LOCAL));

    for (what, tags) in [
        ("VLAN tag", &[(0x8100, 7)][..]),
        ("provider tag", &[(0x88a8, 7)]),
        ("QinQ", &[(0x88a8, 7), (0x8100, 8)]),
        ("three tags", &[(0x88a8, 7), (0x8100, 8), (0x8100, 9)]),
    ] {
        let packet = tags.iter().fold(cases.tcp(WEB), |packet, tag| packet.tag(tag.0, tag.1));
        cases.add_always(what, &packet, For(PathReason::TAGGED));
    }

    let packet = cases.tcp(WEB);
    cases.add_always("larger than the MTU", &packet.payload(&[0; 1600]), For(PathReason::TOO_BIG));
    let (client, neighbour) = (cases.client(), SocketAddr::new(cases.other_server(), WEB));
    cases.add_always(
        "to a neighbour not known yet",
        &Packet::tcp(client, neighbour, SYN),
        For(PathReason::NO_NEIGHBOUR),
    );
    let gateway: IpAddr = match cases.family {
        Family::V4 => "10.77.1.1".parse().expect("an address"),
        Family::V6 => "fd77:1::1".parse().expect("an address"),
    };
    let client = cases.client();
    cases.add_always(
        "to the gateway itself",
        &Packet::tcp(client, SocketAddr::new(gateway, WEB), SYN),
        For(PathReason::LOCAL),
    );
}
