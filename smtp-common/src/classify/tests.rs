use bytemuck::Zeroable;

use super::*;
use crate::verdict::Steer;

const SYN: u8 = TCP_SYN;
const DATA: u8 = TCP_ACK;

fn tcp(tcp_flags: u8) -> Headers {
    Headers { protocol: TCP, tcp_flags, ttl: 64, obstacle: Obstacle::NONE }
}

fn udp() -> Headers {
    Headers { protocol: UDP, tcp_flags: 0, ttl: 64, obstacle: Obstacle::NONE }
}

#[expect(clippy::unnecessary_wraps, reason = "`by_rule` takes what a search found, if anything")]
fn rule(action: RuleAction, when_down: WhenDown) -> Option<RuleEntry> {
    Some(RuleEntry { action, when_down, flags: 0, pad: 0, id: 7, resource: u16::MAX })
}

fn steady() -> FlowState {
    let mut state = FlowState::zeroed();
    state.generation = 5;
    state.ingress = [1, 2];
    state.next_hop = [11, 12];
    state.reason = PathReason::RULE_ACCELERATE.0;
    state
}

#[test]
fn a_known_flow_is_forwarded_on_both_sides() {
    assert_eq!(by_flow(&tcp(DATA), &steady(), 5, 0, 1), FlowStep::Forward);
    assert_eq!(by_flow(&tcp(DATA), &steady(), 5, 1, 2), FlowStep::Forward);
}

#[test]
fn another_generation_ingress_or_a_missing_next_hop_asks_again() {
    assert_eq!(by_flow(&tcp(DATA), &steady(), 6, 0, 1), FlowStep::Decide);
    assert_eq!(by_flow(&tcp(DATA), &steady(), 5, 0, 2), FlowStep::Decide);
    let mut unresolved = steady();
    unresolved.next_hop[1] = 0;
    assert_eq!(by_flow(&tcp(DATA), &unresolved, 5, 1, 2), FlowStep::Decide);
}

#[test]
fn a_new_syn_clears_the_verdict() {
    assert_eq!(by_flow(&tcp(SYN), &steady(), 5, 0, 1), FlowStep::Decide);
    // A SYN-ACK belongs to the flow.
    assert_eq!(by_flow(&tcp(SYN | TCP_ACK), &steady(), 5, 1, 2), FlowStep::Follow);
}

#[test]
fn fin_rst_and_unsteady_lives_are_followed() {
    assert_eq!(by_flow(&tcp(TCP_FIN | DATA), &steady(), 5, 0, 1), FlowStep::Follow);
    assert_eq!(by_flow(&tcp(TCP_RST), &steady(), 5, 0, 1), FlowStep::Follow);
    let mut half = steady();
    half.life = FlowLife(FlowLife::HALF_OPEN);
    assert_eq!(by_flow(&tcp(DATA), &half, 5, 0, 1), FlowStep::Follow);
    let mut tracked = steady();
    tracked.marks = FlowMarks(FlowMarks::TRACKED);
    assert_eq!(by_flow(&tcp(DATA), &tracked, 5, 0, 1), FlowStep::Follow);
}

#[test]
fn a_known_flow_with_odd_headers_or_no_ttl_goes_to_the_stack() {
    let mut headers = udp();
    headers.obstacle = Obstacle::OPTIONS;
    assert_eq!(by_flow(&headers, &steady(), 5, 0, 1), FlowStep::Stack(PathReason::IP_OPTIONS));
    let mut headers = udp();
    headers.ttl = 1;
    assert_eq!(by_flow(&headers, &steady(), 5, 0, 1), FlowStep::Stack(PathReason::TTL_EXCEEDED));
}

/// Every action × inspector × `when_down` × kind of packet, written out.
#[test]
fn every_rule_action_has_its_verdict() {
    use PathReason as R;
    use RuleAction as A;
    use WhenDown as W;
    let rows: &[(&str, Option<RuleEntry>, Headers, bool, PacketVerdict)] = &[
        ("no rule", None, tcp(SYN), false, PacketVerdict::stack(R::NO_RULE)),
        ("stack", rule(A::STACK, W::REFUSE), tcp(SYN), true, PacketVerdict::stack(R::RULE_STACK)),
        ("drop syn", rule(A::DROP, W::REFUSE), tcp(SYN), true, PacketVerdict::drop(R::RULE_DROP)),
        ("drop udp", rule(A::DROP, W::REFUSE), udp(), true, PacketVerdict::drop(R::RULE_DROP)),
        (
            "accelerate syn",
            rule(A::ACCELERATE, W::REFUSE),
            tcp(SYN),
            false,
            PacketVerdict::forward(R::RULE_ACCELERATE),
        ),
        (
            "accelerate data",
            rule(A::ACCELERATE, W::REFUSE),
            tcp(DATA),
            false,
            PacketVerdict::forward(R::RULE_ACCELERATE),
        ),
        (
            "accelerate udp",
            rule(A::ACCELERATE, W::REFUSE),
            udp(),
            false,
            PacketVerdict::forward(R::RULE_ACCELERATE),
        ),
        (
            "inspect, alive",
            rule(A::INSPECT, W::REFUSE),
            tcp(SYN),
            true,
            PacketVerdict::inspect(R::RULE_INSPECT),
        ),
        ("watch, alive", rule(A::WATCH, W::REFUSE), tcp(SYN), true, PacketVerdict::inspect(R::RULE_INSPECT)),
        (
            "inspect, down, refuse",
            rule(A::INSPECT, W::REFUSE),
            tcp(SYN),
            false,
            PacketVerdict::refuse(R::INSPECTOR_DOWN_REFUSE),
        ),
        (
            "watch, down, refuse",
            rule(A::WATCH, W::REFUSE),
            tcp(SYN),
            false,
            PacketVerdict::refuse(R::INSPECTOR_DOWN_REFUSE),
        ),
        (
            "inspect, down, accelerate",
            rule(A::INSPECT, W::ACCELERATE),
            tcp(SYN),
            false,
            PacketVerdict::forward(R::INSPECTOR_DOWN_ACCELERATE),
        ),
        (
            "watch, down, accelerate",
            rule(A::WATCH, W::ACCELERATE),
            tcp(SYN),
            false,
            PacketVerdict::forward(R::INSPECTOR_DOWN_ACCELERATE),
        ),
        (
            "inspect, alive, accelerate",
            rule(A::INSPECT, W::ACCELERATE),
            tcp(SYN),
            true,
            PacketVerdict::inspect(R::RULE_INSPECT),
        ),
        (
            "inspect, mid-stream",
            rule(A::INSPECT, W::REFUSE),
            tcp(DATA),
            true,
            PacketVerdict::refuse(R::MIDSTREAM_GUARDED),
        ),
        (
            "inspect, mid-stream, down",
            rule(A::INSPECT, W::ACCELERATE),
            tcp(DATA),
            false,
            PacketVerdict::refuse(R::MIDSTREAM_GUARDED),
        ),
        (
            "inspect, syn-ack",
            rule(A::INSPECT, W::ACCELERATE),
            tcp(SYN | TCP_ACK),
            false,
            PacketVerdict::refuse(R::MIDSTREAM_GUARDED),
        ),
        (
            "inspect, udp",
            rule(A::INSPECT, W::ACCELERATE),
            udp(),
            true,
            PacketVerdict::drop(R::GUARDED_PROTOCOL),
        ),
    ];
    for (what, rule, headers, alive, expected) in rows {
        assert_eq!(by_rule(headers, *rule, *alive), *expected, "{what}");
    }
}

#[test]
fn odd_headers_never_take_the_accelerated_path() {
    for obstacle in [Obstacle::OPTIONS, Obstacle::EXTENSION, Obstacle::FIRST_FRAGMENT] {
        let mut headers = tcp(SYN);
        headers.obstacle = obstacle;
        for when_down in [WhenDown::REFUSE, WhenDown::ACCELERATE] {
            for action in 0..=4 {
                for alive in [false, true] {
                    let verdict = by_rule(&headers, rule(RuleAction(action), when_down), alive);
                    assert_ne!(verdict.steer, Steer::Forward, "{obstacle:?} {action} {alive}");
                }
            }
        }
    }
}

#[test]
fn other_protocols_are_left_to_the_stack_or_dropped() {
    let mut icmp = udp();
    icmp.protocol = 1;
    let verdict = |action| by_rule(&icmp, rule(action, WhenDown::REFUSE), false);
    assert_eq!(verdict(RuleAction::ACCELERATE), PacketVerdict::stack(PathReason::PROTOCOL));
    assert_eq!(verdict(RuleAction::DROP), PacketVerdict::drop(PathReason::RULE_DROP));
}

#[test]
fn what_cannot_be_read_is_dropped_where_a_guarded_rule_may_be_meant() {
    let accelerate = rule(RuleAction::ACCELERATE, WhenDown::REFUSE);
    for (obstacle, guarded_reason, open_reason) in [
        (Obstacle::FRAGMENT, PathReason::FRAGMENT_GUARDED, PathReason::FRAGMENT),
        (Obstacle::UNREADABLE, PathReason::UNREADABLE_GUARDED, PathReason::UNREADABLE),
    ] {
        assert_eq!(by_addresses(obstacle, true, accelerate), PacketVerdict::drop(guarded_reason));
        assert_eq!(by_addresses(obstacle, false, accelerate), PacketVerdict::stack(open_reason));
        assert_eq!(by_addresses(obstacle, false, None), PacketVerdict::stack(open_reason));
        let drop = rule(RuleAction::DROP, WhenDown::REFUSE);
        assert_eq!(by_addresses(obstacle, false, drop), PacketVerdict::drop(PathReason::RULE_DROP));
    }
}

#[test]
fn a_guarded_rule_in_either_orientation_wins() {
    let guard = rule(RuleAction::INSPECT, WhenDown::REFUSE);
    let accelerate = rule(RuleAction::ACCELERATE, WhenDown::REFUSE);
    let drop = rule(RuleAction::DROP, WhenDown::REFUSE);
    assert_eq!(orientation(accelerate, guard, DATA), Orientation::Swapped);
    assert_eq!(orientation(guard, accelerate, DATA), Orientation::Own);
    assert_eq!(orientation(accelerate, drop, DATA), Orientation::Own);
    assert_eq!(orientation(drop, accelerate, DATA), Orientation::Swapped);
    assert_eq!(orientation(accelerate, accelerate, TCP_SYN | TCP_ACK), Orientation::Swapped);
}

#[test]
fn only_a_bypass_its_rule_still_allows_goes_on_under_a_guarded_rule() {
    let allows = rule(RuleAction::INSPECT, WhenDown::ACCELERATE);
    let refuses = rule(RuleAction::INSPECT, WhenDown::REFUSE);
    let bypassed = PathReason::INSPECTOR_DOWN_ACCELERATE.0;
    assert!(keeps_bypass(bypassed, allows));
    assert!(!keeps_bypass(bypassed, refuses));
    assert!(!keeps_bypass(PathReason::RULE_ACCELERATE.0, allows));
    assert!(!keeps_bypass(bypassed, None));
}

#[test]
fn packets_of_an_inspected_flow_are_for_its_sockets_until_a_rule_drops_it() {
    let mut state = FlowState::zeroed();
    state.reason = PathReason::RULE_INSPECT.0;
    for (side, ingress) in [(0, 1), (1, 1), (1, 2)] {
        for flags in [TCP_ACK, TCP_SYN | TCP_ACK, TCP_FIN | TCP_ACK, TCP_RST] {
            assert_eq!(by_flow(&tcp(flags), &state, 0, side, ingress), FlowStep::Inspect);
        }
        assert_eq!(by_flow(&tcp(TCP_SYN), &state, 0, side, ingress), FlowStep::Decide);
        assert_eq!(by_flow(&tcp(TCP_ACK), &state, 1, side, ingress), FlowStep::Decide);
    }
    let rule = |action| rule(action, WhenDown::REFUSE);
    assert!(keeps_inspection(state.reason, None));
    assert!(keeps_inspection(state.reason, rule(RuleAction::ACCELERATE)));
    assert!(!keeps_inspection(state.reason, rule(RuleAction::DROP)));
    assert!(!keeps_inspection(PathReason::RULE_ACCELERATE.0, rule(RuleAction::INSPECT)));
}
