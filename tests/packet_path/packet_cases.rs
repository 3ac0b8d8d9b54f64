//! Every packet case, on both hooks, without and with a rule that inspects mail to the server.

mod case;
mod common;
mod ipv4;
mod ipv6;
mod judge;

use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::packets::{ACK, Packet, SYN};
use harness::program::Action;
use harness::requires_root;
use harness::topology::{CLIENT_SIDE, Family, Hook, Topology};
use smtp_common::abi::map;

use self::case::{Case, Cases, Expected, WEB};
use self::common::common_cases;
use self::ipv4::ipv4_cases;
use self::ipv6::ipv6_cases;
use self::judge::fault;

/// Mail to the server is inspected, all else accelerated. No inspector is alive.
const GUARDED: &str = r#"
[[rule]]
name = "mail"
to = ["10.77.2.2/32", "fd77:2::2/128"]
service = ["smtp"]
action = "inspect"
resource = "inbound"

[[rule]]
name = "all"
action = "accelerate"
"#;

fn all_cases() -> Vec<Case> {
    let mut list = Vec::new();
    for family in Family::BOTH {
        let mut cases = Cases::of(family);
        common_cases(&mut cases);
        match family {
            Family::V4 => ipv4_cases(&mut cases),
            Family::V6 => ipv6_cases(&mut cases),
        }
        list.extend(cases.into_list());
    }
    list
}

fn judge_all(hook: Hook, rules: &str, expected: impl Fn(&Case) -> Expected) {
    let topology = Topology::new(hook);
    topology.make_still();
    let gateway = Gateway::start(&topology, &Config::new(hook, rules));
    let cases = all_cases();
    let faults: Vec<String> =
        cases.iter().filter_map(|case| fault(&gateway, hook, case, expected(case))).collect();
    assert!(faults.is_empty(), "{} of {} cases:\n{}", faults.len(), cases.len(), faults.join("\n"));
}

#[test]
fn every_packet_case_on_xdp_without_an_inspecting_rule() {
    requires_root!();
    judge_all(Hook::Xdp, ACCELERATE_ALL, |case| case.plain);
}

#[test]
fn every_packet_case_on_tc_without_an_inspecting_rule() {
    requires_root!();
    judge_all(Hook::Tc, ACCELERATE_ALL, |case| case.plain);
}

#[test]
fn every_packet_case_on_xdp_with_an_inspecting_rule() {
    requires_root!();
    judge_all(Hook::Xdp, GUARDED, |case| case.guarded);
}

#[test]
fn every_packet_case_on_tc_with_an_inspecting_rule() {
    requires_root!();
    judge_all(Hook::Tc, GUARDED, |case| case.guarded);
}

#[test]
fn a_packet_on_an_interface_that_is_not_listed_goes_to_the_stack() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.make_still();
        topology.gateway.ip("link add other0 type veth peer name other1\nlink set other0 up\n");
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        let mut cases = Cases::of(Family::V4);
        let frame = cases.tcp(WEB).build();
        let run = gateway.program(hook).run("other0", &frame);
        assert_eq!(run.action, Action::Pass, "{hook:?}");
        assert_eq!(run.frame, frame, "{hook:?}");
        let counted = if hook == Hook::Tc { vec![("ingress_not_listed", 1)] } else { vec![] };
        assert_eq!(run.counted.into_iter().collect::<Vec<_>>(), counted, "{hook:?}");
    }
}

#[test]
fn a_packet_before_any_policy_goes_to_the_stack() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.make_still();
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        gateway.pins().set_array_entry(map::ACTIVE, 0, 0_u64);
        let mut cases = Cases::of(Family::V4);
        let frame = cases.tcp(WEB).build();
        let run = gateway.program(hook).run(CLIENT_SIDE, &frame);
        assert_eq!(run.action, Action::Pass, "{hook:?}");
        let counted = if hook == Hook::Tc { vec![("no_policy", 1)] } else { vec![] };
        assert_eq!(run.counted.into_iter().collect::<Vec<_>>(), counted, "{hook:?}");
    }
}

#[test]
fn a_packet_with_options_of_an_accelerated_flow_goes_to_the_stack() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.make_still();
        let gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        let mut cases = Cases::of(Family::V4);
        let (client, server) = (cases.client(), cases.server(WEB));
        let program = gateway.program(hook);
        let opened = program.run(CLIENT_SIDE, &Packet::tcp(client, server, SYN).build());
        assert_eq!(opened.action, Action::Redirect, "{hook:?}");
        let frame = Packet::tcp(client, server, ACK).options(8).build();
        assert_eq!(program.run(CLIENT_SIDE, &frame).action, Action::Pass, "{hook:?}");
        let frame = Packet::tcp(client, server, ACK).payload(&[0; 64]).fragment(0, true).build();
        assert_eq!(program.run(CLIENT_SIDE, &frame).action, Action::Pass, "{hook:?}");
        // The flow itself goes on.
        let frame = Packet::tcp(client, server, ACK).build();
        assert_eq!(program.run(CLIENT_SIDE, &frame).action, Action::Redirect, "{hook:?}");
    }
}

#[test]
fn a_dropping_rule_drops_fragments_that_match_whatever_their_ports_are() {
    requires_root!();
    let rules = "[[rule]]\nname = \"no\"\nfrom = [\"10.77.1.0/24\"]\naction = \"drop\"\n";
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.make_still();
        let gateway = Gateway::start(&topology, &Config::new(hook, rules));
        let mut cases = Cases::of(Family::V4);
        for frame in [
            cases.tcp(WEB),
            cases.tcp(WEB).payload(&[0; 64]).fragment(3, false),
            cases.tcp(WEB).options(6),
            cases.tcp(WEB).header_words(2),
            Packet::ping(Family::V4.client(), Family::V4.server()),
        ] {
            let run = gateway.program(hook).run(CLIENT_SIDE, &frame.build());
            assert_eq!(run.action, Action::Drop, "{hook:?} {frame:?}");
            assert_eq!(run.counted.get("rule_drop"), Some(&1), "{hook:?} {frame:?}");
        }
    }
}
