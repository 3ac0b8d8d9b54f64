//! Flows are shown from the end that opened them, and filters mean what they say.

use bytemuck::Zeroable as _;
use clap::Parser as _;
use smtp_common::flow::{FlowLife, FlowMarks, FlowState, NO_RULE_ID, TCP};
use smtp_common::packet_path::PathReason;
use smtp_common::stage::SmtpStage;
use smtp_common::tick;

use super::column::{FlowColumn, table};
use super::row::FlowRow;
use super::*;
use crate::cli::args::{Cli, Command};
use crate::policy::action::Action;
use crate::policy::packet_rule::PacketRule;
use crate::policy::packet_rules::PacketRules;

/// Opened by side 1, 10.77.2.9:40000, to side 0, 10.77.1.25:25.
fn flow() -> Flow {
    Flow {
        address: ["10.77.1.25".parse().unwrap(), "10.77.2.9".parse().unwrap()],
        port: [25, 40_000],
        protocol: TCP,
        state: FlowState {
            created: tick::from_ms(1_000),
            last_seen: tick::from_ms(61_000),
            rule: 1,
            reason: PathReason::RULE_ACCELERATE.0,
            life: FlowLife::STEADY,
            stage: SmtpStage::TLS.0,
            marks: FlowMarks(
                FlowMarks::INITIATOR_1 | FlowMarks::TRACKED | FlowMarks::STARTTLS_OFFERED | FlowMarks::TLS,
            ),
            packets: [10, 20],
            octets: [1_000, 2_000],
            ..FlowState::zeroed()
        },
        session: None,
    }
}

fn rules() -> PacketRules {
    let rules = ["a", "b"].map(|name| PacketRule::new(name, Action::Accelerate)).to_vec();
    PacketRules::with_ids_of(rules, &PacketRules::new()).unwrap()
}

fn matches(options: &str) -> bool {
    let words = ["postern", "conns"].into_iter().chain(options.split_whitespace());
    let Command::Conns(args) = Cli::try_parse_from(words).unwrap().command else { panic!() };
    args.filter.resolve(&rules()).unwrap().matches(&flow())
}

#[test]
fn a_flow_is_shown_from_the_end_that_opened_it() {
    let row = FlowRow::new(&flow(), &rules(), tick::from_ms(91_000));
    assert_eq!(row.initiator.to_string(), "10.77.2.9:40000");
    assert_eq!(row.responder.to_string(), "10.77.1.25:25");
    assert_eq!((row.to_responder.packets, row.to_responder.octets), (20, 2_000));
    assert_eq!((row.to_initiator.packets, row.to_initiator.octets), (10, 1_000));
    assert_eq!(row.rule.as_deref(), Some("b"));
    assert!((row.age_seconds - 90.0).abs() < 0.01 && (row.idle_seconds - 30.0).abs() < 0.01, "{row:?}");
    assert_eq!(row.starttls.to_string(), "offered,tls");
}

#[test]
fn a_rule_that_is_gone_is_named_by_its_id() {
    let mut flow = flow();
    flow.state.rule = 7;
    assert!(table([FlowRow::new(&flow, &rules(), 0)], &[]).text(0).contains("(gone, id 7)"));
    flow.state.rule = NO_RULE_ID;
    assert_eq!(FlowRow::new(&flow, &rules(), 0).rule_id, None);
}

#[test]
fn a_flow_meets_every_condition_or_is_left_out() {
    for options in [
        "",
        "--path accelerated --reason rule_accelerate --rule b --proto tcp",
        "--rule 2",
        "--source 10.77.2.0/24 --destination 10.77.1.25",
        "--port 25",
        "--port 40000",
        "--stage tls --tls --state established",
    ] {
        assert!(matches(options), "{options}");
    }
    for options in [
        "--path inspected",
        "--reason no_rule",
        "--rule a",
        "--proto udp",
        "--source 10.77.1.0/24",
        "--destination 10.77.2.0/24",
        "--source ::/0",
        "--port 26",
        "--stage mail",
        "--state syn_sent",
        "--port 25 --proto udp",
    ] {
        assert!(!matches(options), "{options}");
    }
}

#[test]
fn flows_are_sorted_by_what_is_asked() {
    let now = tick::from_ms(91_000);
    assert_eq!(SortKey::Octets.of(&flow(), now), 3_000);
    assert!(SortKey::Age.of(&flow(), now) > SortKey::Idle.of(&flow(), now));
}

#[test]
fn columns_are_those_that_were_asked_for() {
    let words = ["postern", "conns", "--columns", "responder,path,back-octets"];
    let Command::Conns(args) = Cli::try_parse_from(words).unwrap().command else { panic!() };
    assert_eq!(
        table([FlowRow::new(&flow(), &rules(), 0)], &args.columns).text(0),
        "responder      path         back octets\n10.77.1.25:25  accelerated       1000 B\n"
    );
    assert!(FlowColumn::parse("respnder").unwrap_err().to_string().contains("did you mean `responder`?"));
    let all = table([FlowRow::new(&flow(), &rules(), 0)], &[]).text(0);
    assert!(!all.contains("session"), "{all}");
}

#[test]
fn json_names_both_directions() {
    let json = serde_json::to_value(FlowRow::new(&flow(), &rules(), 0)).unwrap();
    assert_eq!(json["initiator"]["address"], "10.77.2.9");
    assert_eq!(json["to_initiator"]["octets"], 1_000);
    assert_eq!(json["starttls"]["tls"], true);
}
