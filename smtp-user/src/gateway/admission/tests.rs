//! Bounds are met exactly, and whoever leaves makes room.

use std::net::IpAddr;

use super::{Admission, Bounds, TurnedAway};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_source_has_its_share_and_others_theirs() {
    let admission = Admission::new(Bounds { in_all: 4, per_source: 2 });
    let a = admission.admit(address("192.0.2.1")).unwrap();
    let _b = admission.admit(address("192.0.2.1")).unwrap();
    assert_eq!(admission.admit(address("192.0.2.1")).unwrap_err(), TurnedAway::SourceFull);
    let _c = admission.admit(address("192.0.2.2")).unwrap();
    drop(a);
    let _d = admission.admit(address("192.0.2.1")).unwrap();
    let _e = admission.admit(address("192.0.2.3")).unwrap();
    assert_eq!(admission.in_all(), 4);
    assert_eq!(admission.admit(address("192.0.2.4")).unwrap_err(), TurnedAway::Full);
}

#[test]
fn an_ipv6_network_of_64_bits_is_one_source() {
    let admission = Admission::new(Bounds { in_all: 10, per_source: 1 });
    let _a = admission.admit(address("2001:db8::1")).unwrap();
    assert_eq!(admission.admit(address("2001:db8::ffff:1")).unwrap_err(), TurnedAway::SourceFull);
    let _b = admission.admit(address("2001:db8:0:1::1")).unwrap();
}

#[test]
fn an_ipv4_address_in_ipv6_clothes_is_itself() {
    let admission = Admission::new(Bounds { in_all: 10, per_source: 1 });
    let _a = admission.admit(address("::ffff:192.0.2.1")).unwrap();
    assert_eq!(admission.admit(address("192.0.2.1")).unwrap_err(), TurnedAway::SourceFull);
    let _b = admission.admit(address("::ffff:192.0.2.2")).unwrap();
}

#[test]
fn nothing_is_left_behind() {
    let admission = Admission::new(Bounds { in_all: 10, per_source: 10 });
    drop(admission.admit(address("192.0.2.1")).unwrap());
    assert_eq!(admission.in_all(), 0);
    assert!(admission.lock().by_source.is_empty());
}
