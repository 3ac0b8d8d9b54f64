//! Adding, removing and moving rules; ids that stay.

use super::*;
use crate::policy::action::Action;

fn rule(name: &str) -> PacketRule {
    PacketRule::new(name, Action::Accelerate)
}

fn list(names: &[&str]) -> PacketRules {
    PacketRules::with_ids_of(names.iter().map(|name| rule(name)).collect(), &PacketRules::new()).unwrap()
}

fn names(rules: &PacketRules) -> Vec<&str> {
    rules.iter().map(|rule| rule.name.as_str()).collect()
}

fn named(name: &str) -> RuleRef {
    name.parse().unwrap()
}

#[test]
fn rules_are_added_where_asked() {
    let mut rules = list(&["a", "b"]);
    let none = BTreeSet::new();
    assert_eq!(rules.add(rule("end"), &Place::End, &none), Ok(2));
    assert_eq!(rules.add(rule("before b"), &Place::Before(named("b")), &none), Ok(1));
    assert_eq!(rules.add(rule("after a"), &Place::After(named("1")), &none), Ok(1));
    assert_eq!(rules.add(rule("first"), &Place::Position(1), &none), Ok(0));
    assert_eq!(rules.add(rule("last"), &Place::Position(7), &none), Ok(6));
    assert_eq!(names(&rules), ["first", "a", "after a", "before b", "b", "end", "last"]);
    assert_eq!(
        rules.add(rule("far"), &Place::Position(9), &none),
        Err(RulesError::NoSuchPosition { number: 9, rules: 7 })
    );
    assert_eq!(
        rules.add(rule("zero"), &Place::Position(0), &none),
        Err(RulesError::NoSuchPosition { number: 0, rules: 7 })
    );
}

#[test]
fn rules_are_moved_where_asked() {
    for (which, place, expected) in [
        ("a", Place::End, ["b", "c", "d", "a"]),
        ("d", Place::Before(named("a")), ["d", "a", "b", "c"]),
        ("a", Place::Before(named("d")), ["b", "c", "a", "d"]),
        ("a", Place::After(named("c")), ["b", "c", "a", "d"]),
        ("d", Place::After(named("a")), ["a", "d", "b", "c"]),
        ("a", Place::Position(3), ["b", "c", "a", "d"]),
        ("d", Place::Position(1), ["d", "a", "b", "c"]),
        ("4", Place::Position(2), ["a", "d", "b", "c"]),
        ("a", Place::Position(4), ["b", "c", "d", "a"]),
        ("b", Place::Before(named("b")), ["a", "b", "c", "d"]),
        ("b", Place::After(named("b")), ["a", "b", "c", "d"]),
    ] {
        let mut rules = list(&["a", "b", "c", "d"]);
        let at = rules.move_to(&named(which), &place).unwrap();
        assert_eq!(names(&rules), expected, "{which} to {place:?}");
        let moved = if which == "4" { "d" } else { which };
        assert_eq!(names(&rules)[at], moved, "{which} to {place:?}");
    }
}

#[test]
fn a_moved_rule_keeps_its_id() {
    let mut rules = list(&["a", "b", "c"]);
    rules.move_to(&named("c"), &Place::Position(1)).unwrap();
    assert_eq!(rules.iter().map(|rule| rule.id).collect::<Vec<_>>(), [2, 0, 1]);
}

#[test]
fn new_rules_get_the_lowest_id_that_nothing_counts_under() {
    let mut rules = list(&["a", "b", "c"]);
    let previous = rules.ids();
    assert_eq!(rules.remove(&named("b")).unwrap().id, 1);
    rules.add(rule("d"), &Place::End, &previous).unwrap();
    assert_eq!(rules.as_slice()[2].id, 3);
    rules.add(rule("e"), &Place::End, &BTreeSet::new()).unwrap();
    assert_eq!(rules.as_slice()[3].id, 1);
}

#[test]
fn a_reloaded_list_keeps_ids_by_name() {
    let previous = list(&["a", "b", "c"]);
    let next = list(&["new", "c", "a", "newer"]).keep_ids(&previous).unwrap();
    assert_eq!(next.iter().map(|rule| rule.id).collect::<Vec<_>>(), [3, 2, 0, 4]);
}

#[test]
fn two_full_policies_have_ids_for_all() {
    let numbered = |word: &str| (0..MAX_RULES).map(|i| rule(&format!("{word} {i}"))).collect::<Vec<_>>();
    let first = PacketRules::with_ids_of(numbered("old"), &PacketRules::new()).unwrap();
    let mut second = PacketRules::with_ids_of(numbered("new"), &first).unwrap();
    assert!(second.ids().is_disjoint(&first.ids()));
    assert_eq!(second.add(rule("more"), &Place::End, &BTreeSet::new()), Err(RulesError::TooMany));
    second.remove(&named("1")).unwrap();
    assert_eq!(second.add(rule("more"), &Place::End, &first.ids()), Ok(1023));
    second.remove(&named("more")).unwrap();
    let all: BTreeSet<u16> = (0..MAX_RULE_IDS as u16).collect();
    assert_eq!(second.add(rule("more"), &Place::End, &all), Err(RulesError::NoFreeId));
}

#[test]
fn names_are_unique_and_can_be_told_from_positions() {
    let mut rules = list(&["a"]);
    let mut add = |name: &str| rules.add(rule(name), &Place::End, &BTreeSet::new()).unwrap_err();
    assert_eq!(add("a"), RulesError::DuplicateName { name: "a".to_owned() });
    assert_eq!(add("12").suggestion().as_deref(), Some("rule 12"));
    assert_eq!(add(" b\n").suggestion().as_deref(), Some("b"));
    assert_eq!(add(""), RulesError::Name(NameError::Empty));
    assert_eq!(add(&"x".repeat(65)), RulesError::Name(NameError::TooLong { length: 65 }));
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    let rules = list(&["inbound mail", "newsletters"]);
    let error = rules.position(&named("inbuond mail")).unwrap_err();
    assert_eq!(error.suggestion().as_deref(), Some("inbound mail"));
    assert_eq!(error.to_string(), "there is no rule named `inbuond mail`; did you mean `inbound mail`?");
    assert_eq!(rules.position(&named("0")), Err(RulesError::NoSuchPosition { number: 0, rules: 2 }));
    assert_eq!(rules.position(&named("3")), Err(RulesError::NoSuchPosition { number: 3, rules: 2 }));
    assert_eq!(rules.position(&named("2")), Ok(1));
}

#[test]
fn damaged_ids_are_refused() {
    let with_id = |name: &str, id| PacketRule { id, ..rule(name) };
    assert_eq!(
        PacketRules::with_own_ids(vec![with_id("a", 7), with_id("b", 7)]),
        Err(RulesError::DuplicateId { name: "b".to_owned(), id: 7 })
    );
    assert_eq!(
        PacketRules::with_own_ids(vec![with_id("a", 2048)]),
        Err(RulesError::IdTooLarge { name: "a".to_owned(), id: 2048 })
    );
}
