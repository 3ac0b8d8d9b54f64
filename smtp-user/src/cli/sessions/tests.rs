//! Sessions are listed as they ended, filtered as asked, and add up.

use clap::Parser as _;

use super::*;
use crate::audit::fixture::{self, Fact, account, envelope, opened, session, tls};
use crate::cli::args::{Cli, Command};
use crate::model::disposition::Disposition;
use crate::model::leg::Leg;

/// One of each disposition, and one that is open.
fn facts() -> Vec<Fact> {
    let mut facts = Vec::new();
    for ms in 1..=5 {
        facts.push((session(ms), None, opened()));
    }
    facts.push((session(1), None, tls(Leg::Server)));
    facts.push((session(1), None, tls(Leg::Client)));
    facts.push((session(1), Some(1), envelope("Ann@Example.org", &["bob@example.net"])));
    facts.push((session(2), Some(1), envelope("", &["bob@example.net", "carl@example.net"])));
    facts.push((session(1), None, account(Disposition::Inspected, [2, 0, 0])));
    facts.push((session(2), None, account(Disposition::Bypassed("tls_not_inspected".to_owned()), [0; 3])));
    facts.push((session(3), None, account(Disposition::Refused("policy".to_owned()), [0, 1, 0])));
    facts.push((session(4), None, account(Disposition::Failed("next_hop".to_owned()), [0, 0, 1])));
    facts
}

fn args(options: &str) -> SessionsArgs {
    let words = ["postern", "sessions"].into_iter().chain(options.split_whitespace());
    let Command::Sessions(args) = Cli::try_parse_from(words).unwrap().command else { panic!() };
    args
}

/// Sessions that meet conditions, as rows.
fn rows(options: &str) -> Vec<SessionRow> {
    let (_guard, folder) = fixture::write(facts());
    let args = args(options);
    let mut rows = Vec::new();
    each_ended(&mut Reader::open(&folder, 0).unwrap(), &mut Sessions::default(), |session| {
        if args.filter.matches(session) {
            rows.push(SessionRow::new(session));
        }
        Ok(())
    })
    .unwrap();
    rows
}

#[test]
fn a_session_is_one_row() {
    let rows = rows("");
    // The one that was left open was accounted for when the writer ended.
    assert_eq!(rows.len(), 5);
    let row = &rows[0];
    assert_eq!((row.id, row.disposition, row.delivered), (session(1), "inspected", 2));
    assert_eq!(row.client_tls.as_ref().map(|tls| tls.version.as_str()), Some("TLSv1.3"));
    assert_eq!(row.from, ["Ann@Example.org"]);
    let text = table(&rows);
    assert!(text.contains("bypassed(tls_not_inspected)") && text.contains("42ms"), "{text}");
    assert!(text.lines().nth(2).unwrap().contains("  -           -  "), "{text}");
    let json = serde_json::to_value(row).unwrap();
    assert_eq!(json["server_tls"]["cipher"], "TLS_AES_128_GCM_SHA256");
    assert_eq!(json["reason"], serde_json::Value::Null);
}

fn table(rows: &[SessionRow]) -> String {
    row::table(rows).text(0)
}

#[test]
fn sessions_meet_every_condition_or_are_left_out() {
    for (options, expected) in [
        ("--from ann@example.ORG", vec![1]),
        ("--from @example.org", vec![1]),
        ("--from <>", vec![2]),
        ("--to bob@example.net", vec![1, 2]),
        ("--from 10.77.1.0/24 --to 10.77.2.2", vec![1, 2, 3, 4, 5]),
        ("--from 10.77.2.0/24", vec![]),
        ("--disposition refused", vec![3]),
        ("--rule 3 --disposition bypassed", vec![2]),
        ("--rule other", vec![]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(session).collect();
        assert_eq!(rows(options).iter().map(|row| row.id).collect::<Vec<_>>(), expected, "{options}");
    }
    for options in ["--from example.org", "--disposition passed", "--since yesterday"] {
        let words = ["postern", "sessions"].into_iter().chain(options.split_whitespace());
        assert!(Cli::try_parse_from(words).is_err(), "{options}");
    }
}

#[test]
fn the_account_adds_up() {
    let (_guard, folder) = fixture::write(facts());
    let balance = account::balance(&mut Reader::open(&folder, 0).unwrap(), 0).unwrap();
    assert_eq!((balance.opened, balance.open, balance.stray_accounts, balance.balances), (5, 0, 0, true));
    let expected = [("bypassed", 1), ("failed", 2), ("inspected", 1), ("refused", 1)];
    assert!(balance.dispositions.iter().map(|(word, number)| (word.as_str(), *number)).eq(expected));
    assert_eq!(balance.reasons["failed(daemon_stopped)"], 1);
    assert_eq!((balance.delivered, balance.refused, balance.deferred), (2, 1, 1));
}

#[test]
fn sessions_from_before_the_time_asked_for_do_not_unbalance_the_account() {
    let (_guard, folder) = fixture::write(facts());
    // Sessions 1 to 3 had their names by then; their accounts come later.
    let since = fixture::BEGAN + 4_000;
    let balance = account::balance(&mut Reader::open(&folder, since).unwrap(), since).unwrap();
    assert_eq!((balance.opened, balance.balances), (2, true));
    assert_eq!(balance.dispositions["failed"], 2);
}

#[test]
fn only_the_latest_are_kept() {
    let mut latest = Latest { limit: 2, rows: VecDeque::new(), matching: 0 };
    for row in rows("") {
        latest.push(row);
    }
    assert_eq!(latest.matching, 5);
    assert!(latest.rows.iter().map(|row| row.id).eq([session(4), session(5)]));
}
