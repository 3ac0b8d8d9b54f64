//! How rules on parts and everything else become one decision, row by row.

use super::{down, engine};
use crate::content;
use crate::engine::outcome::{EngineOutcome, EngineReport};
use crate::inspect::combine::{Combined, Finding, FoundIn, Seen, combine};
use crate::inspect::config::{Actions, Rewriting};
use crate::inspect::ruled::{Ruled, changes};
use crate::model::decision::MessageAction::{
    self, Block, Defer, Drop as Discard, Pass, Quarantine, Refuse, Rewrite,
};
use crate::model::decision::MessageVerdict;
use crate::policy::part_action::PartAction;
use crate::policy::part_rule::{DEFAULT_BAN, PartRule};
use crate::wire::mime::defect::Defect;

fn ruled<'r>(part: &str, rule: &'r PartRule) -> Ruled<'r> {
    Ruled {
        part: part.to_owned(),
        name: Some("a.exe".to_owned()),
        media_type: "application/octet-stream".to_owned(),
        verdict: MessageVerdict::Clean,
        found: Vec::new(),
        rule,
    }
}

fn found(part: &str) -> Finding {
    let part = Some(FoundIn { number: part.to_owned(), name: None });
    Finding { name: "X".to_owned(), part }
}

fn decide(
    rules: &[(&str, PartAction)],
    findings: &[&str],
    defects: &[Defect],
    contents: &[&str],
    engines: &[(EngineReport, MessageAction)],
) -> Combined {
    let rules: Vec<_> = rules.iter().map(|(part, action)| (*part, PartRule::new("r", *action))).collect();
    let ruled: Vec<_> = rules.iter().map(|(part, rule)| ruled(part, rule)).collect();
    let findings: Vec<_> = findings.iter().map(|part| found(part)).collect();
    let defects: Vec<_> = defects.iter().map(|defect| (*defect, "2".to_owned())).collect();
    let contents: Vec<_> =
        contents.iter().map(|part| (content::Finding::Encrypted, (*part).to_owned())).collect();
    let seen = Seen {
        findings: &findings,
        defects: &defects,
        contents: &contents,
        engines,
        ruled: &ruled,
        ..Seen::default()
    };
    combine(seen, &Actions::default(), &Rewriting::default())
}

#[test]
fn every_action_on_a_part_with_every_state_of_the_message() {
    use PartAction as P;
    let infected = || vec![engine(EngineOutcome::Infected("Y".into()), Defer)];
    for (action, clean, in_part, elsewhere, defect, by_engine, away) in [
        (P::Allow, Pass, Pass, Refuse, Refuse, Refuse, Defer),
        (P::Scan, Pass, Refuse, Refuse, Refuse, Refuse, Defer),
        (P::Lock, Rewrite, Rewrite, Refuse, Refuse, Rewrite, Defer),
        (P::Strip, Rewrite, Rewrite, Refuse, Refuse, Rewrite, Defer),
        (P::Clean, Rewrite, Refuse, Refuse, Refuse, Refuse, Defer),
        (P::Quarantine, Quarantine, Quarantine, Refuse, Quarantine, Refuse, Quarantine),
        (P::Drop, Discard, Discard, Discard, Discard, Discard, Discard),
        (P::Block, Block, Block, Block, Block, Block, Block),
    ] {
        let rule = [("2", action)];
        let of = |combined: Combined| combined.decision.action;
        assert_eq!(of(decide(&rule, &[], &[], &[], &[])), clean, "{action} of a clean part");
        assert_eq!(of(decide(&rule, &["2"], &[], &["2"], &[])), in_part, "{action}, found in the part");
        assert_eq!(of(decide(&rule, &["1"], &[], &[], &[])), elsewhere, "{action}, found elsewhere");
        let two_types = [Defect::TwoContentTypes];
        assert_eq!(of(decide(&rule, &[], &two_types, &[], &[])), defect, "{action}, ambiguous");
        assert_eq!(of(decide(&rule, &[], &[], &[], &infected())), by_engine, "{action}, found by an engine");
        assert_eq!(of(decide(&rule, &[], &[], &[], &[down(Defer)])), away, "{action}, an engine is away");
    }
}

#[test]
fn of_several_rules_the_strictest_counts() {
    use PartAction as P;
    let order = [P::Block, P::Drop, P::Quarantine, P::Strip, P::Scan];
    for (index, strict) in order.iter().enumerate() {
        for mild in &order[index..] {
            let one = decide(&[("2", *mild), ("3", *strict)], &[], &[], &[], &[]);
            let alone = decide(&[("3", *strict)], &[], &[], &[], &[]);
            assert_eq!(one.decision.action, alone.decision.action, "{strict} with {mild}");
        }
    }
    assert_eq!(decide(&[("2", P::Block)], &[], &[], &[], &[]).ban_for, Some(DEFAULT_BAN));
    assert_eq!(decide(&[("2", P::Strip)], &[], &[], &[], &[]).ban_for, None);
    assert_eq!(decide(&[("2", P::Strip)], &[], &[], &[], &[]).rule.as_deref(), Some("r"));
    assert_eq!(decide(&[("2", P::Strip)], &["1"], &[], &[], &[]).rule, None);
}

#[test]
fn a_member_of_an_archive_takes_the_archive_with_it() {
    use PartAction as P;
    let of = |rule: (&str, P), found: &str| decide(&[rule], &[found], &[], &[found], &[]).decision.action;
    assert_eq!(of(("2/a.exe", P::Strip), "2/b.exe"), Rewrite);
    assert_eq!(of(("2/a.exe", P::Strip), "2"), Rewrite);
    assert_eq!(of(("2/a.exe", P::Strip), "20/a.exe"), Refuse);
    assert_eq!(of(("2", P::Allow), "2/b.exe"), Pass);
    assert_eq!(of(("2/a", P::Allow), "2/ab"), Refuse);
    assert_eq!(of(("2/a.exe", P::Allow), "2"), Refuse);
    let (strip, lock) = (PartRule::new("strip", P::Strip), PartRule::new("lock", P::Lock));
    let all = changes(&[ruled("2/a", &lock), ruled("2/b", &strip), ruled("2/c", &lock), ruled("3", &lock)]);
    let all: Vec<_> = all.iter().map(|change| (change.part.as_str(), change.rule.as_str())).collect();
    assert_eq!(all, [("2", "strip"), ("3", "lock")]);
}

#[test]
fn a_rule_about_what_is_in_a_member_cleans_that_and_one_about_the_archive_all_of_it() {
    let (one, two) = (PartRule::new("one", PartAction::Clean), PartRule::new("two", PartAction::Clean));
    let members = |all: &[Ruled<'_>]| -> Vec<Vec<String>> {
        changes(all).into_iter().map(|change| change.members).collect()
    };
    // What is in a member is in all that it is in.
    let all = [ruled("2", &one), ruled("2/in.zip", &one), ruled("2/in.zip/d/a.docm", &one), ruled("3", &one)];
    assert_eq!(members(&all), [vec!["/in.zip/d/a.docm"], vec![""]]);
    let all = [ruled("2", &two), ruled("2/a.docm", &one), ruled("2/in.zip", &two)];
    assert_eq!(members(&all), [["/a.docm", "/in.zip"]]);
    let all = [ruled("2", &two), ruled("2/a.docm", &one)];
    assert_eq!(members(&all), [["", "/a.docm"]]);
}

#[test]
fn a_message_whose_form_may_pass_is_still_not_rewritten() {
    let strip = PartRule::new("strip", PartAction::Strip);
    let ruled = [ruled("2", &strip)];
    let defects = [(Defect::TwoContentTypes, "3".to_owned())];
    let seen = Seen { defects: &defects, ruled: &ruled, ..Seen::default() };
    let actions = Actions { ambiguous: Pass, ..Actions::default() };
    for action in [Refuse, Defer, Quarantine] {
        let rewriting = Rewriting { not_possible: action.clone(), ..Rewriting::default() };
        assert_eq!(combine(seen, &actions, &rewriting).decision.action, action);
    }
}

#[test]
fn a_form_is_allowed_only_by_a_rule_that_names_it() {
    let mut allow = PartRule::new("allow", PartAction::Allow);
    let defects = [(Defect::TwoContentTypes, "2".to_owned())];
    for (verdicts, expected) in
        [(vec![], Refuse), (vec![MessageVerdict::Infected], Refuse), (vec![MessageVerdict::Ambiguous], Pass)]
    {
        allow.verdicts = verdicts;
        let ruled = [ruled("2", &allow)];
        let seen = Seen { defects: &defects, ruled: &ruled, ..Seen::default() };
        assert_eq!(combine(seen, &Actions::default(), &Rewriting::default()).decision.action, expected);
    }
}

#[test]
fn the_originator_is_not_told_which_rule() {
    let combined = decide(&[("2", PartAction::Block)], &[], &[], &[], &[]);
    assert_eq!(combined.decision.why, "a.exe (part 2) may not pass");
}
