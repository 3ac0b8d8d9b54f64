//! What was decided, and what would be now.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::audit::timestamp;
use crate::cli::exit_code::ExitCode;
use crate::cli::quantity::counted;
use crate::cli::replay::readdressing::Readdressing;
use crate::cli::replay::retained::Retained;
use crate::event::sentence::{printable, verdict_word};
use crate::event::session_event::PartRecord;
use crate::gateway::forecast::Forecast;
use crate::inspect::stage;
use crate::model::decision::{MessageAction, MessageVerdict};
use crate::model::session_id::MessageId;
use crate::wire::smtp::data::DataDefect;

/// Everything that is printed.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The configuration that was judged by.
    policy: String,
    /// Messages that would be decided otherwise; all of them if that was asked for.
    messages: Vec<Row>,
    /// How many would be decided as they were.
    same: usize,
    /// How many otherwise.
    changed: usize,
    /// How many nobody had judged yet.
    new: usize,
    /// How many an engine could not be asked about.
    unsure: usize,
    /// What cannot be read, and why.
    pub(super) damaged: Vec<(MessageId, String)>,
}

/// One message.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    id: MessageId,
    /// `quarantine` or `spool`.
    place: &'static str,
    /// Since when.
    since: String,
    /// What was decided; null: nothing yet.
    old: Option<Outcome>,
    /// What would be.
    new: Outcome,
    /// Rows of parts that are others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stages: Vec<Difference>,
    /// Paths of the envelope that would be others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    envelope: Vec<Readdressing>,
}

/// A decision.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Outcome {
    /// Null: it would not even be judged.
    verdict: Option<MessageVerdict>,
    action: MessageAction,
    /// The rule on parts that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    part_rule: Option<String>,
    why: String,
}

/// A row that is another.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Difference {
    part: String,
    stage: String,
    /// Null: there was none.
    old: Option<String>,
    new: Option<String>,
}

impl Row {
    pub(super) fn new(message: &Retained, forecast: &Forecast, envelope: Vec<Readdressing>) -> Self {
        let old = message.decision.as_ref().map(|decision| Outcome {
            verdict: Some(decision.verdict),
            action: decision.action.clone(),
            part_rule: message.part_rule.clone(),
            why: decision.why.clone(),
        });
        let decision = &forecast.judgement.decision;
        let mut new = Outcome {
            verdict: Some(decision.verdict),
            action: decision.action.clone(),
            // Where it is not known what it was, it is not compared.
            part_rule: forecast.judgement.rule.clone().filter(|_| message.has_rule),
            why: decision.why.clone(),
        };
        if let Some(defect) = forecast.defect {
            let is_ours = defect == DataDefect::NoRoom;
            let action = if is_ours { MessageAction::Defer } else { MessageAction::Refuse };
            new = Outcome { verdict: None, action, part_rule: None, why: defect.to_string() };
        }
        let stages = if message.parts.is_empty() || forecast.defect.is_some() {
            Vec::new()
        } else {
            differences(&message.parts, &forecast.judgement.parts)
        };
        let since = timestamp::format(message.since);
        Self { id: message.id, place: message.place(), since, old, new, stages, envelope }
    }

    /// Whether it would be decided otherwise; `None` if nobody had decided.
    fn is_changed(&self) -> Option<bool> {
        let old = self.old.as_ref()?;
        let facts = |outcome: &Outcome| (outcome.verdict, outcome.action.clone(), outcome.part_rule.clone());
        Some(facts(old) != facts(&self.new) || !self.envelope.is_empty())
    }

    fn is_unsure(&self) -> bool {
        self.new.verdict == Some(MessageVerdict::EngineError) || self.new.action == MessageAction::Defer
    }

    fn text(&self) -> String {
        let mut text = format!("{} ({} since {})\n", self.id, self.place, self.since);
        let old = self.old.as_ref().map_or_else(|| "not judged yet".to_owned(), Outcome::text);
        // Writing to a string does not fail.
        let _ = writeln!(text, "  - {old}\n  + {}", self.new.text());
        for Difference { part, stage, old, new } in &self.stages {
            let shown = |row: &Option<String>| row.as_deref().map_or_else(|| "none".to_owned(), printable);
            let _ = writeln!(text, "    part {} {stage}: {} -> {}", printable(part), shown(old), shown(new));
        }
        for path in &self.envelope {
            let _ = writeln!(text, "    {}", path.text());
        }
        text
    }
}

impl Outcome {
    fn text(&self) -> String {
        let verdict = self.verdict.map_or("not judged", verdict_word);
        let by = self.part_rule.as_ref().map(|rule| format!(" by rule \"{}\"", printable(rule)));
        format!("{verdict}, {}{}: {}", self.action.name(), by.unwrap_or_default(), printable(&self.why))
    }
}

/// Rows that are not what they were. What is remembered of a part says nothing of it.
fn differences(old: &[PartRecord], new: &[PartRecord]) -> Vec<Difference> {
    let mut before: HashMap<(&str, &str), &str> = HashMap::new();
    for part in old {
        before.extend(
            part.stages.iter().map(|(name, row)| ((part.part.as_str(), name.as_str()), row.as_str())),
        );
    }
    let mut found = Vec::new();
    let mut add = |part: &str, stage: &str, old: Option<&str>, new: Option<&str>| {
        if old != new && stage != stage::CACHE {
            let owned = |row: Option<&str>| row.map(str::to_owned);
            found.push(Difference {
                part: part.to_owned(),
                stage: stage.to_owned(),
                old: owned(old),
                new: owned(new),
            });
        }
    };
    for part in new {
        for (name, row) in &part.stages {
            add(&part.part, name, before.remove(&(part.part.as_str(), name.as_str())), Some(row));
        }
    }
    // In the order that they had.
    for part in old {
        for (name, row) in &part.stages {
            if before.remove(&(part.part.as_str(), name.as_str())).is_some() {
                add(&part.part, name, Some(row), None);
            }
        }
    }
    found
}

impl Report {
    pub(super) fn new(policy: &str, damaged: Vec<(MessageId, String)>) -> Self {
        Self {
            policy: policy.to_owned(),
            messages: Vec::new(),
            same: 0,
            changed: 0,
            new: 0,
            unsure: 0,
            damaged,
        }
    }

    /// Counts a message, and keeps it if it is to be shown.
    pub(super) fn add(&mut self, row: Row, all: bool) {
        let changed = row.is_changed();
        let count = match changed {
            None => &mut self.new,
            Some(true) => &mut self.changed,
            Some(false) => &mut self.same,
        };
        *count += 1;
        self.unsure += usize::from(row.is_unsure());
        if all || changed != Some(false) {
            self.messages.push(row);
        }
    }

    /// One that cannot be read.
    pub(super) fn damaged(&mut self, id: MessageId, why: &anyhow::Error) {
        self.damaged.push((id, format!("{why:#}")));
    }

    /// How the command ends.
    pub(super) fn exit_code(&self) -> ExitCode {
        match (self.damaged.is_empty(), self.unsure) {
            (false, _) => ExitCode::Data,
            (true, 0) => ExitCode::Ok,
            (true, _) => ExitCode::TempFail,
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text: String = self.messages.iter().map(Row::text).collect();
        let all = counted(self.same + self.changed + self.new, "message");
        let _ = write!(text, "{all} by {}: {} as before, {} changed", self.policy, self.same, self.changed);
        for (count, what) in [
            (self.new, "not judged before"),
            (self.unsure, "without every engine"),
            (self.damaged.len(), "not to be read"),
        ] {
            if count > 0 {
                let _ = write!(text, ", {count} {what}");
            }
        }
        text.push_str(".\n");
        text
    }
}
