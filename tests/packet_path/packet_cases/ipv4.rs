//! IPv4: options, lengths that are not true, fragments.

use std::net::SocketAddr;

use harness::packets::{Packet, SYN, arp_request};
use harness::topology::CLIENT_SIDE;
use smtp_common::packet_path::PathReason;

use super::case::Expected::For;
use super::case::{Cases, MAIL, NEW_REFUSED, WEB};

pub(super) fn ipv4_cases(cases: &mut Cases) {
    for words in 6..=15 {
        let packet = cases.tcp(WEB).options(words);
        let what = format!("header of {words} words");
        cases.add_always(&what, &packet, For(PathReason::IP_OPTIONS));
        let packet = cases.tcp(MAIL).options(words);
        let what = format!("header of {words} words, to mail");
        cases.add(&what, &packet, For(PathReason::IP_OPTIONS), NEW_REFUSED);
    }
    for words in 0..5 {
        let packet = cases.tcp(WEB).header_words(words);
        cases.add_unreadable(&format!("header that claims {words} words"), &packet);
    }
    let packet = cases.tcp(WEB).header_words(15);
    cases.add_unreadable("header that claims more than the packet has", &packet);
    for version in [0, 5, 6, 15] {
        let packet = cases.tcp(WEB).version(version);
        cases.add_unreadable(&format!("version {version} in an IPv4 frame"), &packet);
    }
    for length in [0, 19, 20, 39] {
        let packet = cases.tcp(WEB).total_length(length);
        cases.add_unreadable(&format!("total length {length}"), &packet);
    }
    for cut in [20, 24, 39] {
        let packet = cases.tcp(WEB).cut(cut);
        cases.add_unreadable(&format!("cut after {cut} octets"), &packet);
    }
    for cut in [0, 1, 19] {
        let packet = cases.tcp(WEB).cut(cut);
        // Nothing can make anything of it, so it is nobody's mail.
        let what = format!("header cut after {cut} octets");
        cases.add_always(&what, &packet, For(PathReason::UNREADABLE));
    }

    let data = [0x55; 64];
    let packet = cases.tcp(WEB).payload(&data).fragment(0, true);
    cases.add_always("first fragment", &packet, For(PathReason::FRAGMENT));
    let packet = cases.tcp(MAIL).payload(&data).fragment(0, true);
    cases.add_fragment("first fragment to mail", &packet);
    let packet = cases.tcp(WEB).options(7).payload(&data).fragment(0, true);
    cases.add_always("first fragment with options", &packet, For(PathReason::FRAGMENT));
    for length in [8, 16] {
        let packet = cases.tcp(WEB).fragment(0, true).shortened(length);
        cases.add_fragment(&format!("first fragment of {length} octets"), &packet);
    }
    let packet = cases.tcp(WEB).payload(&data).fragment(1, true);
    cases.add_fragment("second fragment that rewrites flags", &packet);
    let packet = cases.tcp(WEB).payload(&data).fragment(3, true);
    cases.add_fragment("middle fragment", &packet);
    let packet = cases.tcp(WEB).payload(&data).fragment(3, false);
    cases.add_fragment("last fragment", &packet);
    let (client, server) = (cases.client(), cases.server(53));
    let packet = Packet::udp(client, server).payload(&data).fragment(3, false);
    // The protocol stands in every fragment, and mail is TCP.
    cases.add_always("last fragment of UDP", &packet, For(PathReason::FRAGMENT));
    let (client, other) = (cases.client(), SocketAddr::new(cases.other_server(), MAIL));
    let packet = Packet::tcp(client, other, SYN).payload(&data).fragment(3, false);
    cases.add_always("last fragment to where nothing is inspected", &packet, For(PathReason::FRAGMENT));
    let packet = Packet::tcp(client, other, SYN).header_words(2);
    cases.add_always("bad header to where nothing is inspected", &packet, For(PathReason::UNREADABLE));
    cases.add_frame("ARP", CLIENT_SIDE, arp_request(), For(PathReason::NOT_IP), For(PathReason::NOT_IP));
}
