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
//! Where several lines hold, the strictest action is taken: refuse before defer before pass. Among those with
//! that action the verdict is the one that stands first. So a finding counts whatever else failed, an engine
//! that is away never refuses for good unless it is told to, and a message passes only if every line says so.

use crate::content;
use crate::engine::outcome::{EngineOutcome, EngineReport};
use crate::inspect::config::Actions;
use crate::model::decision::{Decision, MessageAction, MessageVerdict};
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
#[derive(Clone, Copy, Debug)]
pub struct Seen<'s> {
    /// What was found here.
    pub findings: &'s [Finding],
    /// What is wrong with the form, and in which part.
    pub defects: &'s [(Defect, String)],
    /// What was come upon in archives and documents, and where.
    pub contents: &'s [(content::Finding, String)],
    /// What each engine said, and what follows if it could not be asked.
    pub engines: &'s [(EngineReport, MessageAction)],
}

/// Decides.
pub fn combine(seen: Seen<'_>, actions: &Actions) -> Decision {
    let mut lines: Vec<Decision> = Vec::new();
    let mut line =
        |verdict, action, why: String| lines.push(Decision { verdict, action, why: one_line(&why) });
    for finding in seen.findings {
        line(MessageVerdict::Infected, actions.infected.clone(), why_infected(finding));
    }
    for (defect, part) in seen.defects {
        let (verdict, what) = match defect.kind() {
            DefectKind::Ambiguous => (MessageVerdict::Ambiguous, "ambiguous structure"),
            DefectKind::Unsupported => (MessageVerdict::Unsupported, "content that cannot be inspected"),
            DefectKind::LimitExceeded => (MessageVerdict::LimitExceeded, "over a limit of inspection"),
        };
        let place = if part.is_empty() { String::new() } else { format!(" (part {part})") };
        line(verdict, actions.of(verdict), format!("{what}: {defect}{place}"));
    }
    for (finding, part) in seen.contents {
        let (verdict, what) = match finding {
            content::Finding::Encrypted => {
                (MessageVerdict::Encrypted, "encrypted content that cannot be inspected".to_owned())
            }
            content::Finding::LimitExceeded(limit) => {
                (MessageVerdict::LimitExceeded, format!("over a limit of inspection: {limit}"))
            }
            content::Finding::Unsupported(why) => {
                (MessageVerdict::Unsupported, format!("content that cannot be inspected: {why}"))
            }
            content::Finding::Ambiguous(technique) => {
                (MessageVerdict::Ambiguous, format!("ambiguous content: {technique}"))
            }
            content::Finding::Trait(_) => continue,
        };
        let place = shorten(part, MAX_FILE_NAME);
        line(verdict, actions.of(verdict), format!("{what} (part {place})"));
    }
    for (report, when_down) in seen.engines {
        match &report.outcome {
            EngineOutcome::Clean => {}
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
            EngineOutcome::Error(_) => {
                let why = "inspection is not available".to_owned();
                line(MessageVerdict::EngineError, when_down.clone(), why);
            }
        }
    }
    let clean = Decision {
        verdict: MessageVerdict::Clean,
        action: MessageAction::Pass,
        why: "nothing found".to_owned(),
    };
    // The first of equals, in the order they were seen.
    lines.into_iter().min_by_key(|line| (mildness(&line.action), rank(line.verdict))).unwrap_or(clean)
}

const fn mildness(action: &MessageAction) -> u8 {
    match action {
        MessageAction::Refuse => 0,
        MessageAction::Defer => 1,
        MessageAction::Pass => 2,
    }
}

const fn rank(verdict: MessageVerdict) -> u8 {
    match verdict {
        MessageVerdict::Infected => 0,
        MessageVerdict::LimitExceeded => 1,
        MessageVerdict::Unsupported => 2,
        MessageVerdict::Ambiguous => 3,
        MessageVerdict::Encrypted => 4,
        MessageVerdict::EngineError => 5,
        MessageVerdict::Clean => 6,
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
