//! Edits of the list, and what is refused.

use super::change::{Edit, check};
use super::row::{RuleRow, table};
use super::*;
use crate::cli::mistake::CommandError;
use crate::policy::packet_rules::{PacketRules, RulesError};

fn rules(names: &[&str]) -> PacketRules {
    let rules = names.iter().map(|name| PacketRule::new(*name, Action::Accelerate)).collect();
    PacketRules::with_ids_of(rules, &PacketRules::new()).unwrap()
}

fn names(rules: &PacketRules) -> Vec<&str> {
    rules.iter().map(|rule| rule.name.as_str()).collect()
}

#[test]
fn a_rule_is_added_moved_and_removed_by_name_or_position() {
    let active = rules(&["a", "b"]);
    let rule = PacketRule::new("c", Action::Drop);
    let before = RuleRef::Name("b".to_owned());
    let added = Edit::Add { rule, place: place(None, Some(&before), None) }.result(&active).unwrap();
    assert_eq!(names(&added), ["a", "c", "b"]);
    let moved = Edit::Move { rule: RuleRef::Position(3), place: place(Some(1), None, None) };
    let moved = moved.result(&added).unwrap();
    assert_eq!(names(&moved), ["b", "a", "c"]);
    let removed = Edit::Remove { rule: RuleRef::Name("a".to_owned()) }.result(&moved).unwrap();
    assert_eq!(names(&removed), ["b", "c"]);
    assert_eq!(removed.iter().map(|rule| rule.id).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn loaded_rules_keep_their_ids_by_name() {
    let active = rules(&["a", "b"]);
    let loaded = Edit::Replace { rules: rules(&["new", "b"]) }.result(&active).unwrap();
    assert_eq!(loaded.iter().map(|rule| rule.id).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn an_unknown_rule_is_refused_with_a_suggestion() {
    let edit = Edit::Remove { rule: RuleRef::Name("newsletter".to_owned()) };
    let error = edit.result(&rules(&["newsletters"])).unwrap_err();
    assert!(matches!(error, RulesError::NoSuchRule { suggestion: Some(_), .. }), "{error}");
}

#[test]
fn new_errors_are_refused_and_old_ones_become_warnings() {
    let interfaces = ["eth0".to_owned()];
    let mut bad = PacketRule::new("bad", Action::Accelerate);
    bad.interface = Some("eth1".to_owned());
    let bad = PacketRules::with_ids_of(vec![bad], &PacketRules::new()).unwrap();
    let CommandError::Refused { findings } = check(&bad, &PacketRules::new(), &interfaces).unwrap_err()
    else {
        panic!()
    };
    assert!(findings[0].contains("`eth1` is not one of the gateway's interfaces"), "{findings:?}");
    let warnings = check(&bad, &bad, &interfaces).unwrap();
    assert!(warnings.iter().any(|warning| warning.contains("eth1")), "{warnings:?}");
}

#[test]
fn a_long_list_is_cut_in_tables() {
    let mut rule = PacketRule::new("many", Action::Inspect);
    rule.from = (0..9).map(|i| format!("10.0.{i}.0/24").parse().unwrap()).collect();
    let row = RuleRow::new(1, &rule);
    assert_eq!(row.when_down, Some("refuse"));
    let text = table(&[row]).text(0);
    assert!(text.contains("10.0.3.0/24, and 5 more"), "{text}");
}
