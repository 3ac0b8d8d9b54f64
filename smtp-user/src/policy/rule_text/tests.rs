//! What is written is read back; what is damaged is refused with its place.

use super::*;
use crate::policy::action::{Action, WhenDown};

#[test]
fn a_full_rule_is_written_in_the_configuration_syntax_and_read_back() {
    let rules = PacketRules::with_own_ids(vec![
        PacketRule {
            id: 2047,
            name: "a \"quoted\" näme".to_owned(),
            from: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
            to: vec!["192.0.2.25/32".parse().unwrap()],
            service: vec!["smtp".parse().unwrap(), "tcp/8000-8100".parse().unwrap()],
            interface: Some("eth0".to_owned()),
            when_down: Some(WhenDown::Accelerate),
            track_starttls: true,
            resource: Some("inbound".to_owned()),
            ..PacketRule::new("", Action::Inspect)
        },
        PacketRule { id: 3, ..PacketRule::new("everything else", Action::Accelerate) },
    ])
    .unwrap();
    let text = write(&rules).unwrap();
    assert_eq!(
        text,
        r#"[[rule]]
id = 2047
name = 'a "quoted" näme'
from = ["10.0.0.0/8", "2001:db8::/32"]
to = ["192.0.2.25/32"]
service = ["smtp", "tcp/8000-8100"]
interface = "eth0"
action = "inspect"
when_down = "accelerate"
track = "starttls"
resource = "inbound"

[[rule]]
id = 3
name = "everything else"
action = "accelerate"
"#
    );
    assert_eq!(read(&text).unwrap(), rules);
}

#[test]
fn no_rules_are_a_text_too() {
    let none = PacketRules::new();
    assert_eq!(read(&write(&none).unwrap()).unwrap(), none);
    assert_eq!(read("").unwrap(), none);
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let text =
        "[[rule]]\nname = \"a\"\naction = \"dorp\"\n\n[[rule]]\nid = 2048\nname = \"b\"\naction = \"drop\"\n";
    let Err(RuleTextError::Mistakes { mistakes }) = read(text) else { panic!("no mistakes") };
    let places: Vec<_> = mistakes.iter().map(|(line, column, _)| (*line, *column)).collect();
    assert_eq!(places, [(1, 1), (3, 10), (6, 6)]);
}

#[test]
fn other_texts_are_refused() {
    assert!(matches!(read("[[rule"), Err(RuleTextError::Mistakes { .. })));
    assert!(matches!(read("gateway = 1"), Err(RuleTextError::Mistakes { .. })));
    assert!(matches!(read("rule = 1"), Err(RuleTextError::Mistakes { .. })));
    assert!(matches!(read("rule = [1]"), Err(RuleTextError::Mistakes { .. })));
    let twice = "[[rule]]\nid = 1\nname = \"a\"\naction = \"drop\"\n".repeat(2);
    assert!(matches!(read(&twice), Err(RuleTextError::Rules(RulesError::DuplicateName { .. }))));
    assert!(matches!(read(&" ".repeat(MAX_TEXT_BYTES + 1)), Err(RuleTextError::TooLong { .. })));
}

#[test]
fn rules_that_do_not_fit_are_refused() {
    let mut rule = PacketRule::new("wide", Action::Drop);
    rule.from = (0..=0x1_0000_u32).map(|i| std::net::IpAddr::from(i.to_be_bytes()).into()).collect();
    let rules = PacketRules::with_own_ids(vec![rule]).unwrap();
    assert!(matches!(write(&rules), Err(RuleTextError::TooLong { length }) if length > MAX_TEXT_BYTES));
}
