//! The `[[inspection.rule]]` tables: what is done about parts of messages.

mod doubts;

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(crate) use self::doubts::doubts;
use crate::app::config::document::Notes;
use crate::app::config::duration::parse_duration;
use crate::app::config::inspection::flag;
use crate::app::config::problem::ConfigProblem;
use crate::app::config::size::parse_size;
use crate::content::{Kind, Trait};
use crate::model::decision::MessageVerdict;
use crate::policy::action::UnknownWord;
use crate::policy::mistake::Mistake;
use crate::policy::packet_rule::check_name;
use crate::policy::part_action::PartAction;
use crate::policy::part_pattern::PartPattern;
use crate::policy::part_rule::PartRule;
use crate::policy::rule_table::read_tables;
use crate::policy::toml_table::TableReader;

/// A rule as it was read, and where its name stands.
#[derive(Clone, Debug)]
pub(crate) struct PartRuleTable {
    pub(crate) rule: PartRule,
    pub(crate) name_span: Range<usize>,
}

const PLACE: &str = "[[inspection.rule]]";
const KEYS: &[&str] = &[
    "name",
    "type",
    "kind",
    "file_name",
    "extension",
    "min_size",
    "max_size",
    "verdict",
    "finding",
    "trait",
    "engine",
    "encrypted",
    "archive_member",
    "action",
    "ban_for",
];

/// Shortest and longest ban.
const BAN: [Duration; 2] = [Duration::from_secs(1), Duration::from_hours(24 * 365)];
/// Words for several kinds at once.
const PROGRAMS: &str = "programs";
const SCRIPTS: &str = "scripts";

/// Reads all of them.
pub(crate) fn read_all<'t>(
    value: &'t Spanned<DeValue<'t>>,
    notes: &mut Notes,
) -> (Vec<PartRuleTable>, Vec<Mistake>) {
    read_tables(value, "rule", PLACE, |table, span| (read(table, span, notes), Vec::new()))
}

fn read(table: &DeTable<'_>, span: Range<usize>, notes: &mut Notes) -> PartRuleTable {
    let mut reader = TableReader::new(table, span, PLACE, KEYS);
    reader.require("name");
    reader.require("action");
    let name = reader
        .text("name")
        .and_then(|text| reader.parsed(&text, |name| check_name(name).map(|()| name.to_owned())));
    let action: Option<PartAction> = reader.word("action");
    let mut rule = PartRule::new(&name.unwrap_or_default(), action.unwrap_or(PartAction::Scan));
    rule.types = patterns(&mut reader, "type");
    rule.kinds = reader.list("kind", kinds).concat();
    rule.file_names = patterns(&mut reader, "file_name");
    rule.extensions = reader.texts("extension").iter().map(|text| extension(text.get_ref())).collect();
    sizes(&mut reader, &mut rule, notes);
    rule.verdicts = reader.list("verdict", verdict);
    rule.findings = patterns(&mut reader, "finding");
    rule.traits = reader.list("trait", has);
    rule.engines = reader.texts("engine").iter().map(|text| (*text.get_ref()).to_owned()).collect();
    rule.encrypted = flag(&mut reader, "encrypted");
    rule.archive_member = flag(&mut reader, "archive_member");
    if let Some(text) = reader.duration("ban_for") {
        ban_for(&text, action, &mut rule, notes);
    }
    let name_span = reader.span_of("name").unwrap_or_else(|| reader.span());
    notes.adopt(reader.finish());
    PartRuleTable { rule, name_span }
}

fn sizes(reader: &mut TableReader<'_>, rule: &mut PartRule, notes: &mut Notes) {
    for (key, place) in [("min_size", &mut rule.min_octets), ("max_size", &mut rule.max_octets)] {
        let Some(text) = reader.text(key) else { continue };
        match parse_size(text.get_ref()) {
            Ok(octets) => *place = octets,
            Err(problem) => notes.error(text.span(), problem),
        }
    }
    if rule.min_octets > rule.max_octets {
        let place = reader.span_of("max_size").unwrap_or_else(|| reader.span());
        notes.error(place, ConfigProblem::SizesCross);
    }
}

fn ban_for(text: &Spanned<&str>, action: Option<PartAction>, rule: &mut PartRule, notes: &mut Notes) {
    let [min, max] = BAN;
    match (parse_duration(text.get_ref()), action) {
        (Err(problem), _) => notes.error(text.span(), problem),
        (Ok(_), Some(action)) if action != PartAction::Block => {
            notes.error(text.span(), ConfigProblem::NoBan { action: action.name() });
        }
        (Ok(time), _) if (min..=max).contains(&time) => rule.ban_for = time,
        (Ok(_), _) => {
            notes.error(text.span(), ConfigProblem::DurationOutOfRange { key: "ban_for", min, max });
        }
    }
}

fn patterns(reader: &mut TableReader<'_>, key: &'static str) -> Vec<PartPattern> {
    reader.texts(key).iter().map(|text| PartPattern::new(text.get_ref())).collect()
}

/// Without the full stop that people write before it.
fn extension(text: &str) -> String {
    text.strip_prefix("*.").or(text.strip_prefix('.')).unwrap_or(text).to_lowercase()
}

/// The kinds of a word: one, or all programs, or all scripts.
fn kinds(text: &str) -> Result<Vec<Kind>, UnknownWord> {
    let all = |wanted: fn(Kind) -> bool| Kind::ALL.into_iter().filter(|kind| wanted(*kind)).collect();
    match text {
        PROGRAMS => Ok(all(Kind::is_executable)),
        SCRIPTS => Ok(all(Kind::is_script)),
        _ => Kind::of_word(text).map(|kind| vec![kind]).ok_or_else(|| {
            let words: Vec<&str> =
                [PROGRAMS, SCRIPTS].into_iter().chain(Kind::ALL.iter().map(|kind| kind.name())).collect();
            UnknownWord::new(text, "a kind of content", &words)
        }),
    }
}

fn verdict(text: &str) -> Result<MessageVerdict, UnknownWord> {
    const WORDS: [(&str, MessageVerdict); 6] = [
        ("clean", MessageVerdict::Clean),
        ("infected", MessageVerdict::Infected),
        ("ambiguous", MessageVerdict::Ambiguous),
        ("encrypted", MessageVerdict::Encrypted),
        ("limit_exceeded", MessageVerdict::LimitExceeded),
        ("unsupported", MessageVerdict::Unsupported),
    ];
    let found = WORDS.iter().find(|(word, _)| *word == text).map(|(_, verdict)| *verdict);
    found.ok_or_else(|| UnknownWord::new(text, "a verdict on a part", &WORDS.map(|(word, _)| word)))
}

fn has(text: &str) -> Result<Trait, UnknownWord> {
    let found = Trait::ALL.into_iter().find(|has| has.name() == text);
    found.ok_or_else(|| UnknownWord::new(text, "what a part can have", &Trait::ALL.map(Trait::name)))
}

#[cfg(test)]
mod tests;
