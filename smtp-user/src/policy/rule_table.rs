//! One `[[rule]]` table as a packet rule, with the places of its parts.

use std::collections::BTreeMap;
use std::ops::Range;

use smtp_common::abi::MAX_RULE_IDS;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::policy::action::{Action, UnknownWord};
use crate::policy::mistake::{Mistake, Problem};
use crate::policy::packet_rule::{PacketRule, TRACK_STARTTLS, check_name};
use crate::policy::prefix::parse_prefix;
use crate::policy::service::Service;
use crate::policy::toml_table::TableReader;

/// Keys of a rule in a configuration file.
const KEYS: &[&str] =
    &["name", "from", "to", "service", "interface", "action", "when_down", "track", "resource"];
/// Keys of a rule in the rule text that is kept with a loaded policy.
const KEYS_WITH_ID: &[&str] =
    &["id", "name", "from", "to", "service", "interface", "action", "when_down", "track", "resource"];

/// Whether the rules of a text carry their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleIds {
    /// They have none yet: a configuration file.
    Absent,
    /// They must have one: the text of a loaded policy.
    Present,
}

/// A rule and where its parts stand in the text.
#[derive(Clone, Debug)]
pub struct RuleTable {
    /// The rule; parts with mistakes are as if they were absent.
    pub rule: PacketRule,
    /// Whether every part could be read, so that the rule is what was written.
    pub is_sound: bool,
    /// Where the table begins.
    pub span: Range<usize>,
    /// Where the values of its keys stand.
    pub keys: BTreeMap<String, Range<usize>>,
}

impl RuleTable {
    /// Where a key's value stands, else the rule's name, else its table.
    pub fn span_of(&self, key: &str) -> Range<usize> {
        self.keys.get(key).or_else(|| self.keys.get("name")).unwrap_or(&self.span).clone()
    }
}

/// Reads the list under the key `rule`.
pub fn read_rules(value: &Spanned<DeValue<'_>>, ids: RuleIds) -> (Vec<RuleTable>, Vec<Mistake>) {
    read_tables(value, "rule", "[[rule]]", |table, span| read_rule(table, span, ids))
}

/// Reads a list of tables; `read` is given each of them.
pub fn read_tables<'t, T>(
    value: &'t Spanned<DeValue<'t>>,
    key: &'static str,
    place: &'static str,
    mut read: impl FnMut(&'t DeTable<'t>, Range<usize>) -> (T, Vec<Mistake>),
) -> (Vec<T>, Vec<Mistake>) {
    let wrong = |found: &Spanned<DeValue<'_>>| {
        let problem = Problem::WrongType {
            key: key.to_owned(),
            expected: "a list of tables",
            found: if matches!(found.get_ref(), DeValue::Table(_)) { "one table" } else { "a value" },
            suggestion: Some(place.to_owned()),
        };
        Mistake::new(found.span(), problem)
    };
    let mut tables = Vec::new();
    let mut mistakes = Vec::new();
    let DeValue::Array(array) = value.get_ref() else {
        return (tables, vec![wrong(value)]);
    };
    for element in array {
        if let DeValue::Table(table) = element.get_ref() {
            let (one, more) = read(table, element.span());
            tables.push(one);
            mistakes.extend(more);
        } else {
            mistakes.push(wrong(element));
        }
    }
    (tables, mistakes)
}

fn read_rule<'t>(table: &'t DeTable<'t>, span: Range<usize>, ids: RuleIds) -> (RuleTable, Vec<Mistake>) {
    let keys = if ids == RuleIds::Present { KEYS_WITH_ID } else { KEYS };
    let mut reader = TableReader::new(table, span.clone(), "[[rule]]", keys);
    reader.require("name");
    reader.require("action");
    let name = reader
        .text("name")
        .and_then(|text| reader.parsed(&text, |name| check_name(name).map(|()| name.to_owned())));
    let action = reader.word("action").unwrap_or(Action::Stack);
    let mut rule = PacketRule::new(name.unwrap_or_default(), action);
    if ids == RuleIds::Present {
        reader.require("id");
        let id = reader.integer("id", 0..=u64::from(MAX_RULE_IDS) - 1);
        rule.id = id.and_then(|id| u16::try_from(id).ok()).unwrap_or_default();
    }
    rule.from = reader.list("from", parse_prefix);
    rule.to = reader.list("to", parse_prefix);
    rule.service = reader.list("service", str::parse::<Service>);
    rule.interface = reader.text("interface").and_then(|text| reader.parsed(&text, parse_interface_name));
    rule.when_down = reader.word("when_down");
    rule.track_starttls = reader.text("track").and_then(|text| reader.parsed(&text, parse_track)).is_some();
    rule.resource = reader
        .text("resource")
        .and_then(|text| reader.parsed(&text, |name| check_name(name).map(|()| name.to_owned())));
    let places = table.iter().map(|(key, value)| (key.get_ref().to_string(), value.span())).collect();
    let mistakes = reader.finish();
    (RuleTable { rule, is_sound: mistakes.is_empty(), span, keys: places }, mistakes)
}

/// Reads the name of a network interface, as the kernel allows it.
pub fn parse_interface_name(text: &str) -> Result<String, Problem> {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == '/' || c == ':';
    let fits = (1..=MAX_INTERFACE_NAME_BYTES).contains(&text.len()) && text != "." && text != "..";
    if fits && !text.contains(forbidden) {
        Ok(text.to_owned())
    } else {
        Err(Problem::InterfaceName { name: text.to_owned() })
    }
}

/// Octets of an interface name at most (`IFNAMSIZ` without the final NUL).
const MAX_INTERFACE_NAME_BYTES: usize = 15;

fn parse_track(text: &str) -> Result<(), UnknownWord> {
    if text == TRACK_STARTTLS {
        Ok(())
    } else {
        Err(UnknownWord::new(text, "something to track", &[TRACK_STARTTLS]))
    }
}
