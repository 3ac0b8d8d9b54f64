//! The `[inspection]` table: how mail is looked at, and what follows.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use crate::app::config::document::Notes;
use crate::app::config::duration::parse_duration;
use crate::app::config::part_rule::{self, PartRuleTable};
use crate::app::config::problem::ConfigProblem;
use crate::app::config::rewriting;
use crate::app::config::size::parse_size;
use crate::content::ContentLimits;
use crate::engine::config::Protocol;
use crate::inspect;
use crate::model::decision::MessageAction;
use crate::policy::action::UnknownWord;
use crate::policy::toml_table::TableReader;

/// With relative paths meant from the folder of the configuration file.
#[must_use]
pub fn within(config: &inspect::Config, file: &Path) -> inspect::Config {
    let folder = file.parent().unwrap_or(Path::new(""));
    let hash_lists = config.hash_lists.iter().map(|path| folder.join(path)).collect();
    let link_lists = config.link_lists.iter().map(|path| folder.join(path)).collect();
    let mut within = inspect::Config { hash_lists, link_lists, ..config.clone() };
    for engine in &mut within.engines {
        if let Protocol::Yara { rules } = &mut engine.protocol {
            for path in rules {
                *path = folder.join(&*path);
            }
        }
    }
    within
}

const KEYS: &[&str] = &[
    "hash_lists",
    "link_lists",
    "digests",
    "executables",
    "max_depth",
    "max_parts",
    "max_header",
    "archives",
    "actions",
    "rule",
    "rewrite",
];
const ARCHIVE_KEYS: &[&str] = &[
    "max_part",
    "max_member",
    "max_octets",
    "max_ratio",
    "max_members",
    "max_depth",
    "deadline",
    "max_passwords",
];
const ACTION_KEYS: &[&str] = &["infected", "ambiguous", "encrypted", "limit_exceeded", "unsupported"];

/// Deepest nesting that can be asked for: each level costs a look at every delimiter.
const MAX_DEPTH: u64 = 100;
/// Most parts that can be asked for: each is a record.
const MAX_PARTS: u64 = 100_000;
/// Shortest and longest header section that can be asked for.
const HEADER: [u64; 2] = [16 << 10, 16 << 20];
/// Smallest and largest bound of octets that are unpacked: it is memory, once for each processor.
const UNPACKED: [u64; 2] = [64 << 10, 4 << 30];
/// Largest ratio: no compression in use makes more of one octet than this.
const MAX_RATIO: u64 = 100_000;
/// Most archives within each other: each is a level of calls.
const MAX_ARCHIVE_DEPTH: u64 = 32;
/// Most members, and most passwords that are tried.
const MAX_MEMBERS: u64 = 1_000_000;
const MAX_PASSWORDS: u64 = 1000;
/// Shortest and longest time for an engine: clients give up after 10 minutes, RFC 5321 §4.5.3.2.6.
const DEADLINE: [Duration; 2] = [Duration::from_secs(1), Duration::from_mins(5)];
/// Reads the `[inspection]` table, and the rules on parts in it.
pub(crate) fn read(
    table: &DeTable<'_>,
    span: Range<usize>,
    notes: &mut Notes,
) -> (inspect::Config, Vec<PartRuleTable>) {
    let mut reader = TableReader::new(table, span, "[inspection]", KEYS);
    let mut config = inspect::Config::default();
    for (key, paths) in [("hash_lists", &mut config.hash_lists), ("link_lists", &mut config.link_lists)] {
        if reader.value(key).is_none() {
            continue;
        }
        for text in reader.texts(key) {
            if text.get_ref().is_empty() {
                notes.error(text.span(), ConfigProblem::EmptyPath { key });
            } else {
                paths.push(PathBuf::from(*text.get_ref()));
            }
        }
    }
    for digest in reader.list("digests", DigestWord::from_str) {
        match digest {
            DigestWord::Sha256 => {}
            DigestWord::Sha1 => config.digests.sha1 = true,
            DigestWord::Md5 => config.digests.md5 = true,
        }
    }
    config.executables = flag(&mut reader, "executables").unwrap_or(config.executables);
    if let Some(depth) = reader.integer("max_depth", 1..=MAX_DEPTH) {
        config.limits.max_depth = depth as usize;
    }
    if let Some(parts) = reader.integer("max_parts", 1..=MAX_PARTS) {
        config.limits.max_parts = parts as usize;
    }
    if let Some(text) = reader.text("max_header") {
        let [min, max] = HEADER;
        match parse_size(text.get_ref()) {
            Ok(octets) if (min..=max).contains(&octets) => config.limits.max_header_octets = octets as usize,
            Ok(_) => notes.error(text.span(), ConfigProblem::SizeOutOfRange { key: "max_header", min, max }),
            Err(problem) => notes.error(text.span(), problem),
        }
    }
    if let Some(value) = reader.value("archives") {
        if let DeValue::Table(archives) = value.get_ref() {
            read_archives(archives, value.span(), &mut config.contents, notes);
        } else {
            reader.wrong_type("archives", "a table", value, Some("[inspection.archives]".to_owned()));
        }
    }
    if let Some(value) = reader.value("actions") {
        if let DeValue::Table(actions) = value.get_ref() {
            read_actions(actions, value.span(), &mut config.actions, notes);
        } else {
            reader.wrong_type("actions", "a table", value, Some("[inspection.actions]".to_owned()));
        }
    }
    if let Some(value) = reader.value("rewrite") {
        if let DeValue::Table(table) = value.get_ref() {
            config.rewriting = rewriting::read(table, value.span(), notes);
        } else {
            reader.wrong_type("rewrite", "a table", value, Some("[inspection.rewrite]".to_owned()));
        }
    }
    let mut rules = Vec::new();
    if let Some(value) = reader.value("rule") {
        let (tables, mistakes) = part_rule::read_all(value, notes);
        rules = tables;
        reader.adopt(mistakes);
    }
    notes.adopt(reader.finish());
    (config, rules)
}

fn read_archives(table: &DeTable<'_>, span: Range<usize>, limits: &mut ContentLimits, notes: &mut Notes) {
    let mut reader = TableReader::new(table, span, "[inspection.archives]", ARCHIVE_KEYS);
    let sizes: [(&'static str, &mut u64); 3] = [
        ("max_part", &mut limits.max_part),
        ("max_member", &mut limits.max_member),
        ("max_octets", &mut limits.max_octets),
    ];
    for (key, place) in sizes {
        let Some(text) = reader.text(key) else { continue };
        let [min, max] = UNPACKED;
        match parse_size(text.get_ref()) {
            Ok(octets) if (min..=max).contains(&octets) => *place = octets,
            Ok(_) => notes.error(text.span(), ConfigProblem::SizeOutOfRange { key, min, max }),
            Err(problem) => notes.error(text.span(), problem),
        }
    }
    if let Some(ratio) = reader.integer("max_ratio", 1..=MAX_RATIO) {
        limits.max_ratio = ratio;
    }
    let counts: [(&'static str, &mut usize, u64, u64); 3] = [
        ("max_members", &mut limits.max_members, 1, MAX_MEMBERS),
        ("max_depth", &mut limits.max_depth, 1, MAX_ARCHIVE_DEPTH),
        ("max_passwords", &mut limits.max_passwords, 0, MAX_PASSWORDS),
    ];
    for (key, place, min, max) in counts {
        if let Some(count) = reader.integer(key, min..=max) {
            *place = count as usize;
        }
    }
    if let Some(text) = reader.duration("deadline") {
        let [min, max] = DEADLINE;
        match parse_duration(text.get_ref()) {
            Ok(deadline) if (min..=max).contains(&deadline) => limits.deadline = deadline,
            Ok(_) => {
                notes.error(text.span(), ConfigProblem::DurationOutOfRange { key: "deadline", min, max });
            }
            Err(problem) => notes.error(text.span(), problem),
        }
    }
    notes.adopt(reader.finish());
}

fn read_actions(
    table: &DeTable<'_>,
    span: Range<usize>,
    actions: &mut inspect::config::Actions,
    notes: &mut Notes,
) {
    let mut reader = TableReader::new(table, span, "[inspection.actions]", ACTION_KEYS);
    let places: [(&'static str, &mut MessageAction); 5] = [
        ("infected", &mut actions.infected),
        ("ambiguous", &mut actions.ambiguous),
        ("encrypted", &mut actions.encrypted),
        ("limit_exceeded", &mut actions.limit_exceeded),
        ("unsupported", &mut actions.unsupported),
    ];
    for (key, place) in places {
        if let Some(ActionWord(action)) = reader.word(key) {
            *place = action;
        }
    }
    notes.adopt(reader.finish());
}

pub(super) fn flag(reader: &mut TableReader<'_>, key: &'static str) -> Option<bool> {
    let value = reader.value(key)?;
    if let DeValue::Boolean(flag) = value.get_ref() {
        return Some(*flag);
    }
    let suggestion = match value.get_ref() {
        DeValue::String(text) if matches!(text.as_ref(), "true" | "false") => Some(format!("{key} = {text}")),
        _ => None,
    };
    reader.wrong_type(key, "true or false", value, suggestion);
    None
}

/// What is done with a message, as a word.
pub(super) struct ActionWord(pub(super) MessageAction);

impl FromStr for ActionWord {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "pass" => Ok(Self(MessageAction::Pass)),
            "refuse" => Ok(Self(MessageAction::Refuse)),
            "defer" => Ok(Self(MessageAction::Defer)),
            "quarantine" => Ok(Self(MessageAction::Quarantine)),
            _ => {
                let known = ["pass", "refuse", "defer", "quarantine"];
                Err(UnknownWord::new(text, "an action on a message", &known))
            }
        }
    }
}

/// A digest, as a word.
enum DigestWord {
    Sha256,
    Sha1,
    Md5,
}

impl FromStr for DigestWord {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "sha256" => Ok(Self::Sha256),
            "sha1" => Ok(Self::Sha1),
            "md5" => Ok(Self::Md5),
            _ => Err(UnknownWord::new(text, "a digest", &["sha256", "sha1", "md5"])),
        }
    }
}

#[cfg(test)]
mod tests;
