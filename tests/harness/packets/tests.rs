use std::net::SocketAddr;

use etherparse::{NetHeaders, PacketHeaders};

use super::{ACK, Extension, Packet, SYN, forwarded, read_segment};
use crate::topology::{Family, GATEWAY_SERVER_MAC, SERVER_MAC};

fn tcp(family: Family) -> Packet {
    Packet::tcp(SocketAddr::new(family.client(), 40_000), SocketAddr::new(family.server(), 25), SYN)
}

#[test]
fn a_plain_segment_is_sound() {
    for family in Family::BOTH {
        let segment = read_segment(&tcp(family).payload(b"data").build()).expect("a segment");
        assert!(segment.sound);
        assert_eq!(segment.flags, SYN);
        assert_eq!(segment.destination, SocketAddr::new(family.server(), 25));
    }
}

#[test]
fn a_forwarded_frame_is_sound_and_one_hop_older() {
    for family in Family::BOTH {
        let frame = forwarded(&tcp(family).ttl(7).build(), GATEWAY_SERVER_MAC, SERVER_MAC);
        assert_eq!((&frame[..6], &frame[6..12]), (&SERVER_MAC[..], &GATEWAY_SERVER_MAC[..]));
        let segment = read_segment(&frame).expect("a segment");
        assert!(segment.sound);
        assert_eq!(segment.ttl, 6);
    }
}

#[test]
fn options_and_extension_headers_can_be_read_by_another_parser() {
    for words in 5..=15 {
        assert!(read_segment(&tcp(Family::V4).options(words).build()).expect("a segment").sound, "{words}");
    }
    for extension in [
        Extension::HopByHop,
        Extension::Destination,
        Extension::Routing,
        Extension::Authentication,
        Extension::Fragment(0, false),
    ] {
        let frame = tcp(Family::V6).extension(extension).build();
        assert!(read_segment(&frame).expect("a segment").sound, "{extension:?}");
    }
}

#[test]
fn tags_stand_in_the_order_given() {
    let frame = tcp(Family::V4).tag(0x88a8, 7).tag(0x8100, 8).build();
    assert_eq!(frame[12..22], [0x88, 0xa8, 0, 7, 0x81, 0, 0, 8, 0x08, 0]);
}

#[test]
fn a_later_fragment_has_no_ports() {
    let frame = tcp(Family::V4).payload(&[9; 40]).fragment(3, false).build();
    let headers = PacketHeaders::from_ethernet_slice(&frame).expect("headers");
    let Some(NetHeaders::Ipv4(ip, _)) = headers.net else { panic!("IPv4") };
    assert_eq!((ip.fragment_offset.value(), ip.more_fragments, ip.payload_len()), (3, false, Ok(36)));
    assert!(headers.transport.is_none());
}

#[test]
fn broken_lengths_are_broken() {
    assert_eq!(tcp(Family::V4).header_words(3).build()[14], 0x43);
    assert_eq!(tcp(Family::V4).total_length(19).build()[16..18], [0, 19]);
    assert_eq!(tcp(Family::V6).total_length(8).build()[18..20], [0, 8]);
    assert_eq!(tcp(Family::V6).version(4).build()[14] >> 4, 4);
    assert_eq!(tcp(Family::V4).cut(19).build().len(), 14 + 19);
    assert_eq!(
        Packet::tcp(
            "10.0.0.1:1".parse().expect("an address"),
            "10.0.0.2:2".parse().expect("an address"),
            ACK
        )
        .fragment(0, true)
        .shortened(8)
        .build()
        .len(),
        14 + 20 + 8
    );
}
