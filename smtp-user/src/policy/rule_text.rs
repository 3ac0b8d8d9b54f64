//! A list of rules as text: the `[[rule]]` syntax of the configuration, with each rule's id.
//!
//! This text is kept with a loaded policy, so that commands can show and change the rules without the
//! daemon and without its configuration file.

use std::fmt;

use serde::Serialize;
use smtp_common::abi::{TEXT_CHUNK_BYTES, TEXT_CHUNKS};
use toml::de::DeTable;

use crate::policy::mistake::{Mistake, Problem, line_and_column};
use crate::policy::packet_rule::PacketRule;
use crate::policy::packet_rules::{PacketRules, RulesError};
use crate::policy::rule_table::{RuleIds, read_rules};
use crate::policy::toml_table::TableReader;

/// Octets of a rule text at most: 1 MiB.
pub const MAX_TEXT_BYTES: usize = TEXT_CHUNK_BYTES * TEXT_CHUNKS as usize;

/// Writes a list of rules.
pub fn write(rules: &PacketRules) -> Result<String, RuleTextError> {
    #[derive(Serialize)]
    struct Document<'a> {
        rule: &'a [PacketRule],
    }
    let text = toml::to_string(&Document { rule: rules.as_slice() })?;
    check_length(&text)?;
    Ok(text)
}

/// Reads what [`write()`] wrote.
pub fn read(text: &str) -> Result<PacketRules, RuleTextError> {
    check_length(text)?;
    let document = DeTable::parse(text).map_err(|error| {
        let problem = Problem::Syntax { message: error.message().to_owned() };
        located(text, vec![Mistake::new(error.span().unwrap_or_default(), problem)])
    })?;
    let mut reader = TableReader::new(document.get_ref(), document.span(), "a rule text", &["rule"]);
    let mut tables = Vec::new();
    if let Some(value) = reader.value("rule") {
        let (read, mistakes) = read_rules(value, RuleIds::Present);
        tables = read;
        reader.adopt(mistakes);
    }
    let mistakes = reader.finish();
    if !mistakes.is_empty() {
        return Err(located(text, mistakes));
    }
    let rules = tables.into_iter().map(|table| table.rule).collect();
    Ok(PacketRules::with_own_ids(rules)?)
}

/// Why a rule text cannot be written or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleTextError {
    /// Too many prefixes, usually; names of thousands of hosts belong into fewer, shorter prefixes.
    #[error("the rules take {length} octets as text, more than {MAX_TEXT_BYTES}")]
    TooLong {
        /// Octets of the text.
        length: usize,
    },
    /// The text is damaged or was written by hand.
    #[error("the rule text cannot be read: {}", Listed(mistakes))]
    Mistakes {
        /// Each with its line and column.
        mistakes: Vec<(usize, usize, Problem)>,
    },
    /// Each rule can be read, but together they make no list.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// A rule that TOML cannot express; there is none.
    #[error("the rules cannot be written: {0}")]
    Unwritable(#[from] toml::ser::Error),
}

struct Listed<'a>(&'a [(usize, usize, Problem)]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (line, column, problem)) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{line}:{column}: {problem}")?;
        }
        Ok(())
    }
}

fn check_length(text: &str) -> Result<(), RuleTextError> {
    if text.len() > MAX_TEXT_BYTES { Err(RuleTextError::TooLong { length: text.len() }) } else { Ok(()) }
}

fn located(text: &str, mut mistakes: Vec<Mistake>) -> RuleTextError {
    mistakes.sort_by_key(|mistake| mistake.span.start);
    let mistakes = mistakes
        .into_iter()
        .map(|mistake| {
            let (line, column) = line_and_column(text, mistake.span.start);
            (line, column, mistake.problem)
        })
        .collect();
    RuleTextError::Mistakes { mistakes }
}

#[cfg(test)]
mod tests;
