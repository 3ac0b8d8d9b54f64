//! What rules on parts say of the parts of one message.

pub(super) mod found;

use std::collections::HashSet;

use self::found::{Found, found};
use crate::engine::outcome::EngineOutcome;
use crate::event::session_event::PartRecord;
use crate::inspect::combine::{Seen, rank};
use crate::inspect::part_scan::file_name;
use crate::inspect::stage::{self, ran, skipped};
use crate::model::decision::{MessageAction, MessageVerdict};
use crate::policy::part_action::PartAction;
use crate::policy::part_rule::{PartFacts, PartRule, first};

/// A part, and the rule that it is under.
#[derive(Clone, Debug)]
pub struct Ruled<'r> {
    /// Its number, with the place in an archive.
    pub part: String,
    /// Its file name, if it has one.
    pub name: Option<String>,
    /// What it is.
    pub media_type: String,
    /// What was found out about it.
    pub verdict: MessageVerdict,
    /// Names of what was found in it.
    pub found: Vec<String>,
    /// The rule.
    pub rule: &'r PartRule,
}

/// What comes in place of a part; the later of them leaves less of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Replacement {
    /// A safe copy.
    Copy,
    /// The part, locked, and a notice.
    Locked,
    /// A notice.
    Notice,
}

/// A part that is to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its number.
    pub part: String,
    /// What comes in its place.
    pub by: Replacement,
    /// The rule that says so.
    pub rule: String,
    /// File name of what the rule is about; empty if it has none.
    pub name: String,
    /// Its media type, or its kind.
    pub media_type: String,
    /// What was found in it; empty if nothing was.
    pub found: String,
    /// Which members of an archive are to be cleaned: the ways to them, as in `/docs/a.docm`; empty for the part itself, and
    /// then everything in it.
    pub members: Vec<String>,
    /// Whether something was found in it that counts no more because of this: then it may not stay as it is.
    pub excuses: bool,
}

impl Change {
    /// In a few words, for records.
    pub fn text(&self) -> String {
        let what = match self.by {
            Replacement::Copy => "cleaned",
            Replacement::Locked => "locked",
            Replacement::Notice => "removed",
        };
        let name = if self.name.is_empty() { String::new() } else { format!(" ({})", self.name) };
        format!("part {}{name} {what} by rule \"{}\"", self.part, self.rule)
    }
}

/// Where something that was found belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aspect {
    /// In the octets of a part.
    Content,
    /// In the form of the message, with what follows from it.
    Form(MessageVerdict),
}

impl Ruled<'_> {
    /// What follows for the message; `None` if nothing does.
    pub fn message_action(&self) -> Option<MessageAction> {
        match self.rule.action {
            PartAction::Allow | PartAction::Scan => None,
            PartAction::Lock | PartAction::Strip | PartAction::Clean => Some(MessageAction::Rewrite),
            PartAction::Drop => Some(MessageAction::Drop),
            PartAction::Block => Some(MessageAction::Block),
            PartAction::Quarantine => Some(MessageAction::Quarantine),
        }
    }

    /// Whether what was found at a place no longer counts by itself.
    ///
    /// What is wrong with the form of a message is not mended by replacing a part of it, and is allowed only by a rule
    /// that names it.
    pub fn excuses(&self, place: &str, aspect: Aspect) -> bool {
        match (self.rule.action, aspect) {
            (PartAction::Scan, _)
            | (PartAction::Lock | PartAction::Strip | PartAction::Clean, Aspect::Form(_)) => false,
            (PartAction::Clean, Aspect::Content) if !self.rule.asks_for_findings() => false,
            (PartAction::Lock | PartAction::Strip | PartAction::Clean, Aspect::Content) => {
                leaf(place) == leaf(&self.part)
            }
            (PartAction::Allow, Aspect::Form(verdict)) => {
                is_within(place, &self.part) && self.rule.verdicts.contains(&verdict)
            }
            (PartAction::Allow, Aspect::Content)
            | (PartAction::Drop | PartAction::Block | PartAction::Quarantine, _) => {
                is_within(place, &self.part)
            }
        }
    }
}

/// The part of the message that a place in an archive belongs to.
fn leaf(place: &str) -> &str {
    place.split_once('/').map_or(place, |(leaf, _)| leaf)
}

/// The way from there to the place; empty if that is it.
fn inner(place: &str) -> &str {
    place.find('/').and_then(|at| place.get(at..)).unwrap_or_default()
}

/// Whether a place is the other, or in it.
fn is_within(place: &str, other: &str) -> bool {
    place.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Asks the rules about every part, except those that stand in place of others.
pub fn ask<'r>(
    rules: &'r [PartRule],
    parts: &[PartRecord],
    seen: Seen<'_>,
    replaced: &[String],
) -> Vec<Ruled<'r>> {
    if rules.is_empty() {
        return Vec::new();
    }
    // Where nobody knows in which part it is, it may be in any.
    let anywhere: Vec<&str> = seen
        .engines
        .iter()
        .filter(|(report, _)| matches!(report.outcome, EngineOutcome::Infected(_)))
        .map(|(report, _)| report.engine.as_str())
        .filter(|engine| !seen.is_located(engine))
        .collect();
    let at = found(seen);
    let nothing = Found::default();
    let mut all = Vec::new();
    for part in parts.iter().filter(|part| !is_ours(&part.part, replaced)) {
        let found = at.get(part.part.as_str()).unwrap_or(&nothing);
        if is_text_between(part) && found.verdicts.is_empty() {
            continue;
        }
        let engines: Vec<&str> = anywhere.iter().chain(&found.engines).copied().collect();
        let facts = PartFacts {
            media_type: &part.media_type,
            kinds: &part.kinds,
            names: &part.names,
            octets: part.octets,
            verdicts: &found.verdicts,
            findings: &found.findings,
            traits: &found.traits,
            engines: &engines,
            is_member: part.part.contains('/'),
        };
        let Some(rule) = first(rules, &facts) else { continue };
        let kind = || part.kinds.first().cloned().unwrap_or_default();
        all.push(Ruled {
            part: part.part.clone(),
            name: file_name(&part.names),
            media_type: if part.media_type.is_empty() { kind() } else { part.media_type.clone() },
            verdict: worst(&found.verdicts),
            found: found.findings.iter().map(|name| (*name).to_owned()).collect(),
            rule,
        });
    }
    all
}

fn worst(verdicts: &[MessageVerdict]) -> MessageVerdict {
    verdicts.iter().copied().min_by_key(|verdict| rank(*verdict)).unwrap_or(MessageVerdict::Clean)
}

/// Whether a part stands in place of one that was replaced.
fn is_ours(part: &str, replaced: &[String]) -> bool {
    replaced.iter().any(|number| {
        part.strip_prefix(number.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/']))
    })
}

/// Text between the parts of a multipart is no attachment, as long as it is text.
fn is_text_between(part: &PartRecord) -> bool {
    let is_between = part.part.ends_with("preamble") || part.part.ends_with("epilogue");
    is_between && part.kinds.iter().all(|kind| matches!(kind.as_str(), "empty" | "text" | "html" | "message"))
}

impl Change {
    /// The same, with what another says about the same part.
    pub fn join(&mut self, other: Self) {
        if self.by < other.by {
            *self = other;
        } else {
            self.excuses |= other.excuses;
            self.members.extend(other.members);
        }
    }
}

/// What is to be done with which parts: each of them once, and taken out if any rule says so.
pub fn changes(ruled: &[Ruled<'_>]) -> Vec<Change> {
    // An archive has all that was found in what is in it: a rule that is about that is about the member.
    let mut outer = HashSet::new();
    for ruled in ruled.iter().filter(|ruled| ruled.rule.action == PartAction::Clean) {
        let mut place = ruled.part.as_str();
        while let Some((next, _)) = place.rsplit_once('/')
            && outer.insert((ruled.rule.name.as_str(), next))
        {
            place = next;
        }
    }
    let is_cleaned = |ruled: &Ruled<'_>| {
        let place = (ruled.rule.name.as_str(), ruled.part.as_str());
        ruled.rule.action == PartAction::Clean && !outer.contains(&place)
    };
    let mut changes: Vec<Change> = Vec::new();
    for ruled in ruled.iter().filter(|ruled| ruled.rule.action.rewrites()) {
        let change = Change {
            part: leaf(&ruled.part).to_owned(),
            by: match ruled.rule.action {
                PartAction::Clean => Replacement::Copy,
                PartAction::Lock => Replacement::Locked,
                _ => Replacement::Notice,
            },
            rule: ruled.rule.name.clone(),
            name: ruled.name.clone().unwrap_or_default(),
            media_type: ruled.media_type.clone(),
            found: ruled.found.first().cloned().unwrap_or_default(),
            members: is_cleaned(ruled).then(|| inner(&ruled.part).to_owned()).into_iter().collect(),
            excuses: ruled.rule.asks_for_findings() && ruled.verdict != MessageVerdict::Clean,
        };
        match changes.iter_mut().find(|other| other.part == change.part) {
            Some(other) => other.join(change),
            None => changes.push(change),
        }
    }
    changes
}

/// Writes what the rules said into the records, a row for each part.
pub fn enter(are_rules: bool, ruled: &[Ruled<'_>], replaced: &[String], parts: &mut [PartRecord]) {
    let mut ruled = ruled.iter().peekable();
    for part in parts {
        // Both are in the order of the message.
        let own = ruled.next_if(|ruled| ruled.part == part.part);
        let result = match own {
            Some(Ruled { rule, .. }) => ran(&format!("rule {}: {}", rule.name, rule.action)),
            None if !are_rules => skipped("no rules"),
            None if is_ours(&part.part, replaced) => skipped("stands for a replaced part"),
            None => ran("no rule"),
        };
        part.stages.push((stage::POLICY.to_owned(), result));
    }
}

/// Forgets members of archives that nobody needs to hear of, beyond so many of each part.
pub fn trim(ruled: &[Ruled<'_>], parts: &mut Vec<PartRecord>, most: usize) {
    let telling: std::collections::HashSet<&str> = ruled
        .iter()
        .filter(|ruled| ruled.message_action().is_some())
        .map(|ruled| ruled.part.as_str())
        .collect();
    let mut members = 0;
    parts.retain(|part| {
        members = if part.part.contains('/') { members + 1 } else { 0 };
        members <= most || telling.contains(part.part.as_str())
    });
}
