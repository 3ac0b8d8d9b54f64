//! Rules on the parts of messages: what may pass, and what is done about what may not.
//!
//! Rules are asked in their order, for every part and every member of an archive by itself; the first that matches
//! says what is done. A key that is left out does not restrict; of a list, one entry must match.

use std::time::Duration;

use crate::content::{Kind, Trait};
use crate::model::decision::MessageVerdict;
use crate::policy::part_action::PartAction;
use crate::policy::part_pattern::PartPattern;

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRule {
    /// Unique among rules on parts.
    pub name: String,
    /// Declared media types.
    pub types: Vec<PartPattern>,
    /// Kinds by content.
    pub kinds: Vec<Kind>,
    /// File names; every name that a reader may see is tried.
    pub file_names: Vec<PartPattern>,
    /// What stands behind a full stop in a file name, in lower case, with full stops in it if there are more.
    pub extensions: Vec<String>,
    /// Octets, at least.
    pub min_octets: u64,
    /// Octets, at most.
    pub max_octets: u64,
    /// What was found out about the part and what is in it; `clean` if nothing.
    pub verdicts: Vec<MessageVerdict>,
    /// Names of what was found in the part and what is in it.
    pub findings: Vec<PartPattern>,
    /// What the part, or something in it, has.
    pub traits: Vec<Trait>,
    /// Names of the engines that found something in the part, or in the message if nobody knows where.
    pub engines: Vec<String>,
    /// Whether the part, or something in it, needs a key.
    pub encrypted: Option<bool>,
    /// Whether it is something within an archive or a document.
    pub archive_member: Option<bool>,
    /// What is done.
    pub action: PartAction,
    /// How long `block` bans the source.
    pub ban_for: Duration,
}

/// How long a source is banned if the rule does not say.
pub const DEFAULT_BAN: Duration = Duration::from_mins(10);

/// What is known of a part when the rules are asked.
#[derive(Clone, Copy, Debug)]
pub struct PartFacts<'p> {
    /// Declared media type; empty for members of archives.
    pub media_type: &'p str,
    /// Kinds by content, as records call them.
    pub kinds: &'p [String],
    /// Every name.
    pub names: &'p [String],
    /// Octets when decoded.
    pub octets: u64,
    /// What was found out about it and what is in it; empty is clean.
    pub verdicts: &'p [MessageVerdict],
    /// Names of what was found in it.
    pub findings: &'p [&'p str],
    /// What it, or something in it, has.
    pub traits: &'p [Trait],
    /// Names of the engines that found something in it, or in the message if nobody knows where.
    pub engines: &'p [&'p str],
    /// Whether it is something within an archive or a document.
    pub is_member: bool,
}

impl PartRule {
    /// A rule that matches everything.
    pub fn new(name: &str, action: PartAction) -> Self {
        Self {
            name: name.to_owned(),
            types: Vec::new(),
            kinds: Vec::new(),
            file_names: Vec::new(),
            extensions: Vec::new(),
            min_octets: 0,
            max_octets: u64::MAX,
            verdicts: Vec::new(),
            findings: Vec::new(),
            traits: Vec::new(),
            engines: Vec::new(),
            encrypted: None,
            archive_member: None,
            action,
            ban_for: DEFAULT_BAN,
        }
    }

    /// Whether a part matches.
    pub fn matches(&self, part: &PartFacts<'_>) -> bool {
        let clean = [MessageVerdict::Clean];
        let verdicts = if part.verdicts.is_empty() { clean.as_slice() } else { part.verdicts };
        let is_encrypted = verdicts.contains(&MessageVerdict::Encrypted);
        let types = std::slice::from_ref(&part.media_type);
        any(&self.types, types, |pattern, declared| pattern.matches(declared))
            && any(&self.kinds, part.kinds, |wanted, kind| wanted.name() == kind)
            && any(&self.file_names, part.names, |pattern, name| is_named(name, pattern))
            && any(&self.extensions, part.names, |extension, name| has_extension(name, extension))
            && (self.min_octets..=self.max_octets).contains(&part.octets)
            && any(&self.verdicts, verdicts, |wanted, verdict| wanted == verdict)
            && any(&self.findings, part.findings, |pattern, finding| pattern.matches(finding))
            && any(&self.traits, part.traits, |wanted, has| wanted == has)
            && any(&self.engines, part.engines, |wanted, engine| wanted == engine)
            && self.encrypted.is_none_or(|wanted| wanted == is_encrypted)
            && self.archive_member.is_none_or(|wanted| wanted == part.is_member)
    }

    /// Whether it is about parts in which something was found.
    pub fn asks_for_findings(&self) -> bool {
        !self.engines.is_empty()
            || !self.findings.is_empty()
            || self.verdicts.iter().any(|verdict| *verdict != MessageVerdict::Clean)
    }

    /// Whether it asks nothing of a part.
    pub fn matches_everything(&self) -> bool {
        self.covers(&Self::new("", PartAction::Scan))
    }

    /// Whether this rule matches everything that another one does, as far as that can be told.
    pub fn covers(&self, other: &Self) -> bool {
        list_covers(&self.types, &other.types, PartPattern::covers)
            && list_covers(&self.kinds, &other.kinds, PartialEq::eq)
            && list_covers(&self.file_names, &other.file_names, PartPattern::covers)
            && list_covers(&self.extensions, &other.extensions, |wide, narrow| {
                narrow == wide || narrow.ends_with(&format!(".{wide}"))
            })
            && self.min_octets <= other.min_octets
            && self.max_octets >= other.max_octets
            && list_covers(&self.verdicts, &other.verdicts, PartialEq::eq)
            && list_covers(&self.findings, &other.findings, PartPattern::covers)
            && list_covers(&self.traits, &other.traits, PartialEq::eq)
            && list_covers(&self.engines, &other.engines, PartialEq::eq)
            && (self.encrypted.is_none() || self.encrypted == other.encrypted)
            && (self.archive_member.is_none() || self.archive_member == other.archive_member)
    }
}

/// The first rule that matches.
pub fn first<'r>(rules: &'r [PartRule], part: &PartFacts<'_>) -> Option<&'r PartRule> {
    rules.iter().find(|rule| rule.matches(part))
}

/// Rules that no part ever reaches, each with one before it that takes everything from it.
pub fn unreachable(rules: &[PartRule]) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let before = rules.get(..index).unwrap_or_default();
        if let Some(by) = before.iter().find(|earlier| earlier.covers(rule)) {
            found.push((rule.name.as_str(), by.name.as_str()));
        }
    }
    found
}

/// No entries: everything. Else one must match one of the values.
fn any<W, V>(wanted: &[W], values: &[V], matches: impl Fn(&W, &V) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| values.iter().any(|value| matches(wanted, value)))
}

/// Whether one list takes all that the other does.
fn list_covers<T>(wide: &[T], narrow: &[T], covers: impl Fn(&T, &T) -> bool) -> bool {
    wide.is_empty()
        || !narrow.is_empty() && narrow.iter().all(|narrow| wide.iter().any(|wide| covers(wide, narrow)))
}

/// What systems make of a name: without what nobody sees in it, and without blanks and full stops at its end; to its first
/// zero; and, where streams of files have names, to a colon.
fn forms(name: &str) -> Vec<String> {
    let is_end = |c: char| c == '.' || c.is_whitespace();
    let seen: String = name.chars().filter(|c| !c.is_control() && !is_formatting(*c)).collect();
    let seen = seen.trim_end_matches(is_end).to_owned();
    let mut forms = Vec::new();
    for end in ['\0', ':'] {
        if let Some((before, _)) = name.split_once(end).filter(|(before, _)| before.chars().count() > 1) {
            forms.push(before.trim_end_matches(is_end).to_owned());
        }
    }
    forms.push(seen);
    forms
}

/// Characters that change the direction of writing, or are not seen.
const fn is_formatting(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// With the folders that an archive gives it, or without.
fn is_named(name: &str, pattern: &PartPattern) -> bool {
    let is_form = |name: &String| {
        pattern.matches(name) || name.rsplit(['/', '\\']).next().is_some_and(|last| pattern.matches(last))
    };
    pattern.matches(name) || forms(name).iter().any(is_form)
}

fn has_extension(name: &str, extension: &str) -> bool {
    let ends = |name: &String| {
        name.to_lowercase().strip_suffix(extension).is_some_and(|rest| rest.trim_end().ends_with('.'))
    };
    forms(name).iter().any(ends)
}

#[cfg(test)]
mod tests;
