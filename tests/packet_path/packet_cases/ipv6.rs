//! IPv6: extension headers, lengths that are not true, fragments.

use std::net::SocketAddr;

use harness::packets::{Extension, Packet, SYN};
use smtp_common::packet_path::PathReason;

use super::case::Expected::For;
use super::case::{Cases, MAIL, NEW_REFUSED, WEB};

pub(super) fn ipv6_cases(cases: &mut Cases) {
    use Extension::{Authentication, Destination, Fragment, HopByHop, Mobility, Overlong, Routing, Unknown};
    for extension in [HopByHop, Destination, Routing, Authentication] {
        let packet = cases.tcp(WEB).extension(extension);
        let what = format!("{extension:?}");
        cases.add_always(&what, &packet, For(PathReason::EXTENSION_HEADER));
        let packet = cases.tcp(MAIL).extension(extension);
        let what = format!("{extension:?} to mail");
        cases.add(&what, &packet, For(PathReason::EXTENSION_HEADER), NEW_REFUSED);
    }
    for depth in 1..=12 {
        let deep = |packet: Packet| (0..depth).fold(packet, |packet, _| packet.extension(Destination));
        let (to_web, to_mail) = (deep(cases.tcp(WEB)), deep(cases.tcp(MAIL)));
        if depth <= 8 {
            let what = format!("{depth} extension headers");
            cases.add_always(&what, &to_web, For(PathReason::EXTENSION_HEADER));
            let what = format!("{depth} extension headers, to mail");
            cases.add(&what, &to_mail, For(PathReason::EXTENSION_HEADER), NEW_REFUSED);
        } else {
            cases.add_unreadable(&format!("{depth} extension headers"), &to_web);
            cases.add_unreadable(&format!("{depth} extension headers, to mail"), &to_mail);
        }
    }
    for extension in [Mobility, Unknown, Overlong] {
        let packet = cases.tcp(WEB).extension(extension);
        cases.add_unreadable(&format!("{extension:?}"), &packet);
        let packet = cases.tcp(WEB).extension(HopByHop).extension(extension);
        cases.add_unreadable(&format!("{extension:?} behind hop-by-hop"), &packet);
    }
    let packet = cases.tcp(MAIL).no_next_header();
    cases.add_always("no next header", &packet, For(PathReason::PROTOCOL));
    for cut in [41, 47, 48, 60] {
        let packet = cases.tcp(WEB).extension(HopByHop).cut(cut);
        cases.add_unreadable(&format!("cut after {cut} octets"), &packet);
    }
    for version in [0, 4, 15] {
        let packet = cases.tcp(WEB).version(version);
        cases.add_unreadable(&format!("version {version} in an IPv6 frame"), &packet);
    }
    for length in [0, 8, 19] {
        let packet = cases.tcp(WEB).total_length(length);
        cases.add_unreadable(&format!("payload length {length}"), &packet);
    }
    for cut in [0, 39] {
        let packet = cases.tcp(WEB).cut(cut);
        let what = format!("header cut after {cut} octets");
        cases.add_always(&what, &packet, For(PathReason::UNREADABLE));
    }

    let data = [0x55; 64];
    for (what, more) in [("first fragment", true), ("atomic fragment", false)] {
        let packet = cases.tcp(WEB).payload(&data).extension(Fragment(0, more));
        cases.add_always(what, &packet, For(PathReason::FRAGMENT));
        let packet = cases.tcp(MAIL).payload(&data).extension(Fragment(0, more));
        cases.add_fragment(&format!("{what} to mail"), &packet);
        let packet = cases.tcp(MAIL).payload(&data).extension(HopByHop).extension(Fragment(0, more));
        cases.add_fragment(&format!("{what} to mail behind hop-by-hop"), &packet);
    }
    for (what, fragment) in [("middle", Fragment(3, true)), ("last", Fragment(3, false))] {
        let packet = cases.tcp(WEB).payload(&data).extension(fragment);
        cases.add_fragment(&format!("{what} fragment"), &packet);
        let packet = cases.tcp(WEB).payload(&data).extension(Routing).extension(fragment);
        cases.add_fragment(&format!("{what} fragment behind routing"), &packet);
    }
    for length in [8, 16] {
        let packet = cases.tcp(WEB).extension(Fragment(0, true)).shortened(length);
        cases.add_fragment(&format!("first fragment of {length} octets"), &packet);
    }
    let packet = cases.tcp(WEB).extension(Fragment(0, true)).extension(Unknown);
    cases.add("unknown header in a first fragment", &packet, For(PathReason::UNREADABLE), {
        For(PathReason::UNREADABLE_GUARDED)
    });
    let (client, other) = (cases.client(), SocketAddr::new(cases.other_server(), MAIL));
    let packet = Packet::tcp(client, other, SYN).extension(Unknown);
    cases.add_always("unknown header to where nothing is inspected", &packet, For(PathReason::UNREADABLE));
}
