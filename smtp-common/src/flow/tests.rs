use bytemuck::Zeroable;
use proptest::prelude::*;

use super::*;

const KEYS: HashKeys = {
    let mut keys = [0x0123_4567_89ab_cdef_u64; 11];
    let mut i = 1;
    while i < keys.len() {
        keys[i] = keys[i - 1].wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
        i += 1;
    }
    keys
};

proptest! {
    #[test]
    fn both_directions_share_key_and_hash(a: u32, b: u32, ap: u16, bp: u16, udp: bool) {
        let protocol = if udp { UDP } else { TCP };
        let there = KeyV4::of(a, b, ap, bp, protocol);
        let back = KeyV4::of(b, a, bp, ap, protocol);
        prop_assert_eq!(there.address, back.address);
        prop_assert_eq!(there.port, back.port);
        prop_assert_eq!(there.hash(&KEYS), back.hash(&KEYS));
        if (a, ap) != (b, bp) {
            prop_assert_ne!(there.side, back.side);
        }
    }

    #[test]
    fn both_directions_share_key_and_hash_in_ipv6(a: [u64; 2], b: [u64; 2], ap: u16, bp: u16) {
        let there = KeyV6::of(a, b, ap, bp, TCP);
        let back = KeyV6::of(b, a, bp, ap, TCP);
        prop_assert_eq!((there.address, there.port), (back.address, back.port));
        prop_assert_eq!(there.hash(&KEYS), back.hash(&KEYS));
    }

    #[test]
    fn a_life_never_leaves_its_end(life: u8, flags: u8, side in 0u32..2, initiator in 0u32..2) {
        let life = FlowLife(life);
        if life.is_over() {
            prop_assert!(life.after(TCP, flags, side, initiator).is_over());
        }
    }
}

#[test]
fn a_handshake_makes_a_flow_steady() {
    let (client, server) = (1, 0);
    let life = FlowLife::begin(TCP, TCP_SYN);
    assert_eq!(life.name(), "syn_sent");
    let life = life.after(TCP, TCP_SYN | TCP_ACK, server, client);
    assert_eq!(life.name(), "syn_received");
    assert!(life.is_unconfirmed());
    let life = life.after(TCP, TCP_ACK, client, client);
    assert_eq!(life, FlowLife::STEADY);
}

#[test]
fn an_ack_without_an_answer_does_not_confirm() {
    let life = FlowLife::begin(TCP, TCP_SYN).after(TCP, TCP_ACK, 0, 0);
    assert!(life.is_unconfirmed());
}

#[test]
fn a_syn_ack_from_the_initiator_does_not_answer() {
    let life = FlowLife::begin(TCP, TCP_SYN).after(TCP, TCP_SYN | TCP_ACK, 0, 0);
    assert_eq!(life.0, FlowLife::HALF_OPEN);
}

#[test]
fn one_fin_is_not_the_end_and_two_are() {
    let life = FlowLife::STEADY.after(TCP, TCP_FIN | TCP_ACK, 0, 0);
    assert!(!life.is_over());
    assert!(life.after(TCP, TCP_FIN | TCP_ACK, 1, 0).is_over());
}

#[test]
fn a_reset_is_the_end() {
    assert!(FlowLife::STEADY.after(TCP, TCP_RST, 1, 0).is_over());
}

#[test]
fn a_udp_answer_confirms_and_a_repeated_question_does_not() {
    let life = FlowLife::begin(UDP, 0);
    assert!(life.after(UDP, 0, 1, 1).is_unconfirmed());
    assert_eq!(life.after(UDP, 0, 0, 1), FlowLife::STEADY);
}

#[test]
fn idle_limits_follow_life_and_protocol() {
    let settings = GatewaySettings::with_keys(KEYS);
    let mut state = FlowState::zeroed();
    assert_eq!(state.idle_limit(TCP, &settings), settings.idle_tcp_established);
    assert_eq!(state.idle_limit(UDP, &settings), settings.idle_udp_stream);
    state.life = FlowLife(FlowLife::ONE_SIDED);
    assert_eq!(state.idle_limit(UDP, &settings), settings.idle_udp);
    state.life = FlowLife::begin(TCP, TCP_SYN);
    assert_eq!(state.idle_limit(TCP, &settings), settings.idle_tcp_half_open);
    state.life = FlowLife(FlowLife::RESET);
    assert_eq!(state.idle_limit(TCP, &settings), settings.idle_tcp_closing);
}

#[test]
fn expiry_survives_the_wrap_of_the_clock() {
    let settings = GatewaySettings::with_keys(KEYS);
    let mut state = FlowState::zeroed();
    state.life = FlowLife(FlowLife::RESET);
    state.last_seen = u32::MAX - 5;
    assert!(!state.is_expired(TCP, &settings, 4));
    assert!(state.is_expired(TCP, &settings, settings.idle_tcp_closing));
}

#[test]
fn a_million_flows_fill_half_a_table_evenly() {
    // Poisson with mean 8: more than 16 in a group happens to about 0.4 % of groups. A hash that
    // clusters neighbouring ports and addresses would do far worse.
    let mask = (1u32 << 17) - 1;
    let mut groups = vec![0u32; ((mask + 1) / GROUP) as usize];
    for n in 0..(1u32 << 16) {
        let source = (0x0ac9_0002 + (n >> 14)).to_be();
        let key = KeyV4::of(
            source,
            0x0aca_0002u32.to_be(),
            (16_384 + (n & 16_383) as u16).to_be(),
            25u16.to_be(),
            TCP,
        );
        groups[((key.hash(&KEYS) & mask) / GROUP) as usize] += 1;
    }
    let full = groups.iter().filter(|&&n| n > GROUP).count();
    assert!(full * 100 < groups.len(), "{full} of {} groups overflow", groups.len());
}

#[test]
fn the_second_slot_is_in_another_group() {
    for slots in [32_u32, 64, 1 << 21, 1 << 26] {
        for n in 0..10_000_u32 {
            let hash = n.wrapping_mul(0x9e37_79b9);
            let (home, away) = (hash & (slots - 1), second(hash, slots - 1));
            assert!(away < slots && home / GROUP != away / GROUP, "{slots} slots, hash {hash:#x}");
        }
    }
}

#[test]
fn neighbouring_ports_use_every_group_of_a_small_table() {
    for slots in [64_u32, 256, 4096] {
        let mut groups = vec![0_u32; (slots / GROUP) as usize];
        for n in 0..slots {
            let port = (20_000 + n as u16).to_be();
            let key = KeyV4::of(0x0a4d_0102_u32.to_be(), 0x0a4d_0202_u32.to_be(), port, 25_u16.to_be(), TCP);
            groups[((key.hash(&KEYS) & (slots - 1)) / GROUP) as usize] += 1;
        }
        // Sixteen each on average; a few more or less is chance.
        assert!(groups.iter().all(|&n| (2..=40).contains(&n)), "{slots} slots: {groups:?}");
    }
}
