//! How everything that was seen becomes one decision.
//!
//! The table:
//!
//! | what was seen | verdict | action |
//! |---|---|---|
//! | the test string, a listed digest, an executable if those count, a finding of an engine | infected | `infected` |
//! | more, deeper or longer than the limits, of messages and of what is in archives; an engine's limit | limit exceeded | `limit_exceeded` |
//! | an encoding, archive or document that nothing here reads, a piece of a divided one | unsupported | `unsupported` |
//! | two readings, of a message or of an archive | ambiguous | `ambiguous` |
//! | something needs a key that the message does not name; an engine met such a thing | encrypted | `encrypted` |
//! | an engine could not be asked | engine error | that engine's `when_down` |
//! | nothing of this | clean | pass |
//!
//! Rules on parts ([`PartRule`](crate::policy::part_rule::PartRule)) add a line each, and take lines away:
//!
//! | the rule says | its own line | lines that no longer count |
//! |---|---|---|
//! | `scan`, or no rule | none | none |
//! | `allow` | pass, if something was found in it | what was found in the content of the part and what is in it; a defect of its form if the rule names that verdict |
//! | `lock`, `strip` | rewrite | what was found in the content of the whole attachment; what engines found in the message: they are asked about what goes on |
//! | `clean` | rewrite | none; what was found in the content of the attachment if the rule names a verdict, a finding or an engine |
//! | `quarantine` | quarantine | everything found in the part and what is in it |
//! | `drop` | drop | the same |
//! | `block` | block | the same |
//!
//! What an engine finds in a message is found in the parts that it finds it in alone, if it was asked about all of them and
//! finds it in any ([`Located`]).
//!
//! Where several lines hold, the strictest action is taken: block, drop, refuse, quarantine, defer, rewrite, pass. Among
//! those with that action the verdict is the one that stands first. So a finding counts whatever else failed, an engine
//! that is away never refuses for good unless it is told to, and a message passes only if every line says so. A message
//! with any defect of form is never rewritten: what follows then is configured.

use std::time::Duration;

use crate::content;
use crate::engine::outcome::{EngineOutcome, EngineReport};
use crate::inspect::config::{Actions, Rewriting};
use crate::inspect::located::Located;
use crate::inspect::ruled::found::{of_content, of_form};
use crate::inspect::ruled::{Aspect, Ruled};
use crate::model::decision::{Decision, MessageAction, MessageVerdict};
use crate::policy::part_action::PartAction;
use crate::wire::mime::defect::{Defect, DefectKind};

/// Something that was found in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is called.
    pub name: String,
    /// The part, if it was in one.
    pub part: Option<FoundIn>,
}

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundIn {
    /// Its number.
    pub number: String,
    /// Its file name, if it has one.
    pub name: Option<String>,
}

/// Everything that was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen<'s> {
    /// What was found here.
    pub findings: &'s [Finding],
    /// What is wrong with the form, and in which part.
    pub defects: &'s [(Defect, String)],
    /// What was come upon in archives and documents, and where.
    pub contents: &'s [(content::Finding, String)],
    /// What each engine said, and what follows if it could not be asked.
    pub engines: &'s [(EngineReport, MessageAction)],
    /// In which parts engines found it.
    pub located: &'s [Located],
    /// What rules on parts say.
    pub ruled: &'s [Ruled<'s>],
}

impl Seen<'_> {
    /// Whether all that an engine found is in parts.
    pub(super) fn is_located(&self, engine: &str) -> bool {
        self.located.iter().any(|located| located.is_all && located.engine == engine)
    }
}

/// A decision, and what a rule on parts has to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Combined {
    /// The decision.
    pub decision: Decision,
    /// The rule that decided, if one did.
    pub rule: Option<String>,
    /// How long the source is to be banned.
    pub ban_for: Option<Duration>,
}

/// Decides.
pub fn combine(seen: Seen<'_>, actions: &Actions, rewriting: &Rewriting) -> Combined {
    let mut lines: Vec<(Decision, Option<&Ruled<'_>>)> = Vec::new();
    for ruled in seen.ruled {
        // What was found in what is allowed is still told.
        let allowed = ruled.rule.action == PartAction::Allow && ruled.verdict != MessageVerdict::Clean;
        if let Some(action) = ruled.message_action().or(allowed.then_some(MessageAction::Pass)) {
            let why = one_line(&why_ruled(ruled));
            lines.push((Decision { verdict: ruled.verdict, action, why }, Some(ruled)));
        }
    }
    lines.extend(findings(seen, actions).into_iter().map(|line| (line, None)));
    let clean = Decision {
        verdict: MessageVerdict::Clean,
        action: MessageAction::Pass,
        why: "nothing found".to_owned(),
    };
    // The first of equals, in the order they were seen.
    let strictest = lines.into_iter().min_by_key(|(line, _)| (mildness(&line.action), rank(line.verdict)));
    let (mut decision, ruled) = strictest.unwrap_or((clean, None));
    if decision.action == MessageAction::Rewrite && !seen.defects.is_empty() {
        decision.action = rewriting.not_possible.clone();
    }
    let rule = ruled.map(|ruled| ruled.rule);
    let ban_for = rule.filter(|_| decision.action == MessageAction::Block).map(|rule| rule.ban_for);
    Combined { decision, rule: rule.map(|rule| rule.name.clone()), ban_for }
}

/// A line for everything that was found and that no rule excuses.
fn findings(seen: Seen<'_>, actions: &Actions) -> Vec<Decision> {
    let mut lines = Vec::new();
    let mut line =
        |verdict, action, why: String| lines.push(Decision { verdict, action, why: one_line(&why) });
    let is_excused = |place: &str, aspect| seen.ruled.iter().any(|ruled| ruled.excuses(place, aspect));
    // What goes on is not what the engines have seen, and they are asked again. Of what is only cleaned nothing may have
    // to go, and then nobody is asked again.
    let is_rewritten =
        seen.ruled.iter().any(|ruled| matches!(ruled.rule.action, PartAction::Lock | PartAction::Strip));
    for finding in seen.findings {
        if finding.part.as_ref().is_some_and(|part| is_excused(&part.number, Aspect::Content)) {
            continue;
        }
        line(MessageVerdict::Infected, actions.infected.clone(), why_infected(finding));
    }
    for (defect, part) in seen.defects {
        let verdict = of_form(defect.kind());
        if is_excused(part, Aspect::Form(verdict)) {
            continue;
        }
        let what = match defect.kind() {
            DefectKind::Ambiguous => "ambiguous structure",
            DefectKind::Unsupported => "content that cannot be inspected",
            DefectKind::LimitExceeded => "over a limit of inspection",
        };
        let place = if part.is_empty() { String::new() } else { format!(" (part {part})") };
        line(verdict, actions.of(verdict), format!("{what}: {defect}{place}"));
    }
    for (finding, part) in seen.contents {
        let Some(verdict) = of_content(*finding).filter(|_| !is_excused(part, Aspect::Content)) else {
            continue;
        };
        let place = shorten(part, MAX_FILE_NAME);
        line(verdict, actions.of(verdict), format!("{} (part {place})", why_content(*finding)));
    }
    for (part, outcome) in seen.located.iter().flat_map(|located| &located.found) {
        if is_excused(&part.number, Aspect::Content) {
            continue;
        }
        if let EngineOutcome::Infected(name) = outcome {
            let finding = Finding { name: name.clone(), part: Some(part.clone()) };
            line(MessageVerdict::Infected, actions.infected.clone(), why_infected(&finding));
        } else {
            let why = format!("{} (part {})", why_content(content::Finding::Encrypted), part.number);
            line(MessageVerdict::Encrypted, actions.encrypted.clone(), why);
        }
    }
    for (report, when_down) in seen.engines {
        let is_located = || seen.is_located(&report.engine);
        match &report.outcome {
            EngineOutcome::Clean => {}
            EngineOutcome::Error(_) => {
                let why = "inspection is not available".to_owned();
                line(MessageVerdict::EngineError, when_down.clone(), why);
            }
            _ if is_rewritten => {}
            EngineOutcome::Infected(_) | EngineOutcome::Encrypted(_) if is_located() => {}
            EngineOutcome::Infected(name) => {
                let finding = Finding { name: name.clone(), part: None };
                line(MessageVerdict::Infected, actions.infected.clone(), why_infected(&finding));
            }
            EngineOutcome::LimitExceeded(_) => {
                let why = "over a limit of inspection".to_owned();
                line(MessageVerdict::LimitExceeded, actions.limit_exceeded.clone(), why);
            }
            EngineOutcome::Encrypted(_) => {
                let why = "encrypted content that cannot be inspected".to_owned();
                line(MessageVerdict::Encrypted, actions.encrypted.clone(), why);
            }
        }
    }
    lines
}

const fn mildness(action: &MessageAction) -> u8 {
    match action {
        MessageAction::Block => 0,
        MessageAction::Drop => 1,
        MessageAction::Refuse => 2,
        MessageAction::Quarantine => 3,
        MessageAction::Defer => 4,
        MessageAction::Rewrite => 5,
        MessageAction::Pass => 6,
    }
}

pub(super) const fn rank(verdict: MessageVerdict) -> u8 {
    match verdict {
        MessageVerdict::Infected => 0,
        MessageVerdict::LimitExceeded => 1,
        MessageVerdict::Unsupported => 2,
        MessageVerdict::Ambiguous => 3,
        MessageVerdict::Encrypted => 4,
        MessageVerdict::EngineError => 5,
        // Said of no part, but of whole messages.
        MessageVerdict::NoRoom => 6,
        MessageVerdict::NotInspected => 7,
        MessageVerdict::Clean => 8,
    }
}

/// What the originator may know: not which rule.
fn why_ruled(ruled: &Ruled<'_>) -> String {
    let place = FoundIn { number: shorten(&ruled.part, MAX_FILE_NAME), name: ruled.name.clone() };
    if let Some(name) = ruled.found.first() {
        return why_infected(&Finding { name: name.clone(), part: Some(place) });
    }
    let may = if ruled.rule.action == PartAction::Allow { "is allowed" } else { "may not pass" };
    match &place.name {
        Some(file) => format!("{} (part {}) {may}", shorten(file, MAX_FILE_NAME), place.number),
        None => format!("part {} {may}", place.number),
    }
}

fn why_content(finding: content::Finding) -> String {
    match finding {
        content::Finding::Encrypted => "encrypted content that cannot be inspected".to_owned(),
        content::Finding::LimitExceeded(limit) => format!("over a limit of inspection: {limit}"),
        content::Finding::Unsupported(why) => format!("content that cannot be inspected: {why}"),
        content::Finding::Ambiguous(technique) => format!("ambiguous content: {technique}"),
        content::Finding::Trait(has) => has.name().to_owned(),
    }
}

fn why_infected(finding: &Finding) -> String {
    let name = shorten(&finding.name, MAX_FINDING);
    match &finding.part {
        Some(FoundIn { number, name: Some(file) }) => {
            format!("{name} found in {} (part {number})", shorten(file, MAX_FILE_NAME))
        }
        Some(FoundIn { number, name: None }) => format!("{name} found in part {number}"),
        None => format!("{name} found in the message"),
    }
}

/// Characters of a finding's name that are shown.
const MAX_FINDING: usize = 80;
/// Characters of a file's name that are shown.
const MAX_FILE_NAME: usize = 60;
/// Characters of a reason: with code and session id it stays within a reply line, RFC 5321 §4.5.3.1.5.
const MAX_WHY: usize = 220;

fn shorten(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max).chain("...".chars()).collect()
}

/// Printable ASCII only: replies are that, RFC 5321 §4.2, and nothing in a name can end the line.
fn one_line(text: &str) -> String {
    text.chars().take(MAX_WHY).map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests;
