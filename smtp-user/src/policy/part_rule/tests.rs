//! Tests of rules on parts.

use super::{PartFacts, PartRule, first, unreachable};
use crate::content::{Kind, Trait};
use crate::model::decision::MessageVerdict;
use crate::policy::part_action::PartAction;
use crate::policy::part_pattern::PartPattern;

fn facts<'p>(media_type: &'p str, names: &'p [String]) -> PartFacts<'p> {
    PartFacts {
        media_type,
        kinds: &[],
        names,
        octets: 100,
        verdicts: &[],
        findings: &[],
        traits: &[],
        engines: &[],
        is_member: false,
    }
}

fn rule(change: impl FnOnce(&mut PartRule)) -> PartRule {
    let mut rule = PartRule::new("r", PartAction::Strip);
    change(&mut rule);
    rule
}

#[test]
fn every_key_restricts_and_every_name_is_tried() {
    let names = ["report.txt".to_owned(), "=?x?=".to_owned(), "Report.PDF.exe. ".to_owned()];
    let part = facts("application/pdf", &names);
    let pattern = |text: &str| vec![PartPattern::new(text)];
    for (wanted, expected) in [
        (rule(|_| {}), true),
        (rule(|r| r.types = pattern("application/*")), true),
        (rule(|r| r.types = pattern("text/*")), false),
        (rule(|r| r.extensions = vec!["exe".to_owned()]), true),
        (rule(|r| r.extensions = vec!["pdf.exe".to_owned()]), true),
        (rule(|r| r.extensions = vec!["xe".to_owned()]), false),
        (rule(|r| r.file_names = pattern("*.exe")), true),
        (rule(|r| r.file_names = pattern("*.zip")), false),
        (rule(|r| r.min_octets = 101), false),
        (rule(|r| r.max_octets = 100), true),
        (rule(|r| r.verdicts = vec![MessageVerdict::Clean]), true),
        (rule(|r| r.verdicts = vec![MessageVerdict::Infected]), false),
        (rule(|r| r.encrypted = Some(true)), false),
        (rule(|r| r.encrypted = Some(false)), true),
        (rule(|r| r.archive_member = Some(true)), false),
        (rule(|r| r.kinds = vec![Kind::Pe]), false),
        (rule(|r| r.findings = pattern("*")), false),
        (rule(|r| r.traits = vec![Trait::Macros]), false),
        (rule(|r| r.engines = vec!["clamd".to_owned()]), false),
    ] {
        assert_eq!(wanted.matches(&part), expected, "{wanted:?}");
    }
    let kinds = ["pe".to_owned()];
    let found = PartFacts {
        kinds: &kinds,
        verdicts: &[MessageVerdict::Encrypted, MessageVerdict::Infected],
        findings: &["Eicar-Test-Signature"],
        traits: &[Trait::Signed, Trait::Macros],
        engines: &["clamd"],
        is_member: true,
        ..part
    };
    for wanted in [
        rule(|r| r.kinds = vec![Kind::Pe]),
        rule(|r| r.verdicts = vec![MessageVerdict::Infected]),
        rule(|r| r.findings = pattern("eicar*")),
        rule(|r| r.traits = vec![Trait::Macros]),
        rule(|r| r.engines = vec!["clamd".to_owned()]),
        rule(|r| r.encrypted = Some(true)),
        rule(|r| r.archive_member = Some(true)),
    ] {
        assert!(wanted.matches(&found), "{wanted:?}");
    }
}

#[test]
fn a_member_of_an_archive_is_known_by_its_name_without_folders_too() {
    let names = ["2024/to\\pay/Invoice 7.js".to_owned()];
    for (pattern, expected) in [("invoice*", true), ("2024/*", true), ("to*", false), ("*.js", true)] {
        let rule = rule(|rule| rule.file_names = vec![PartPattern::new(pattern)]);
        assert_eq!(rule.matches(&facts("", &names)), expected, "{pattern}");
    }
}

#[test]
fn the_first_that_matches_is_taken() {
    let named = |name: &str, extension: &str| {
        let mut rule = PartRule::new(name, PartAction::Drop);
        rule.extensions = vec![extension.to_owned()];
        rule
    };
    let rules = [named("a", "zip"), named("b", "exe"), PartRule::new("c", PartAction::Scan)];
    let at = |name: &str| first(&rules, &facts("", &[name.to_owned()])).unwrap().name.clone();
    assert_eq!((at("x.exe"), at("x.zip"), at("x")), ("b".to_owned(), "a".to_owned(), "c".to_owned()));
}

#[test]
fn rules_that_nothing_reaches_are_found() {
    let wide = rule(|r| r.types = vec![PartPattern::new("application/*")]);
    let narrow = rule(|r| {
        r.name = "narrow".to_owned();
        r.types = vec![PartPattern::new("application/pdf")];
        r.extensions = vec!["pdf".to_owned()];
    });
    let other = rule(|r| {
        r.name = "other".to_owned();
        r.types = vec![PartPattern::new("application/pdf"), PartPattern::new("text/*")];
    });
    let small = rule(|r| {
        r.name = "small".to_owned();
        r.types = vec![PartPattern::new("application/zip")];
        r.max_octets = 10;
    });
    assert_eq!(unreachable(&[wide.clone(), narrow, other, small]), [("narrow", "r"), ("small", "r")]);
    let later = rule(|r| {
        r.name = "later".to_owned();
        r.verdicts = vec![MessageVerdict::Infected];
    });
    assert_eq!(unreachable(&[later, wide]), []);
}

#[test]
fn a_rule_without_conditions_matches_everything() {
    assert!(rule(|_| {}).matches_everything());
    assert!(!rule(|rule| rule.max_octets = 1 << 40).matches_everything());
    assert!(!rule(|rule| rule.encrypted = Some(false)).matches_everything());
}

#[test]
fn a_slip_in_an_action_is_pointed_out() {
    let error = "quarantin".parse::<PartAction>().unwrap_err();
    assert_eq!(error.suggestion.as_deref(), Some("quarantine"));
}
