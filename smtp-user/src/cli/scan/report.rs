//! What is printed of a message.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::cli::exit_code::ExitCode;
use crate::cli::scan::dry_run::Prediction;
use crate::event::sentence::{printable, type_text};
use crate::event::session_event::{PartRecord, SessionEvent};
use crate::inspect::Judgement;
use crate::model::decision::{MessageAction, MessageVerdict};

/// What is printed.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    file: String,
    verdict: MessageVerdict,
    action: MessageAction,
    why: String,
    /// The rule on parts that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    part_rule: Option<String>,
    pub(super) octets: u64,
    sha256: String,
    parts: Vec<PartRecord>,
    engines: Vec<SessionEvent>,
    /// What would happen to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<Prediction>,
}

impl Report {
    /// Of a dry run: with the action that would be taken.
    pub(super) fn of_dry_run(file: &Path, judgement: Judgement, prediction: Prediction) -> Self {
        Self { dry_run: Some(prediction), ..Self::new(file, judgement) }
    }

    /// Of an inspection alone.
    pub(super) fn new(file: &Path, judgement: Judgement) -> Self {
        Self {
            file: file.display().to_string(),
            verdict: judgement.decision.verdict,
            action: judgement.decision.action,
            why: judgement.decision.why,
            part_rule: judgement.rule,
            octets: judgement.octets,
            sha256: judgement.sha256,
            parts: judgement.parts,
            engines: judgement.engines,
            dry_run: None,
        }
    }

    /// How the command ends.
    pub(super) fn exit_code(&self) -> ExitCode {
        if let Some(code) = self.dry_run.as_ref().and_then(Prediction::exit_code_of_defect) {
            return code;
        }
        match self.verdict {
            MessageVerdict::Clean if self.action == MessageAction::Pass => ExitCode::Ok,
            MessageVerdict::EngineError | MessageVerdict::NoRoom => ExitCode::TempFail,
            _ => ExitCode::NotClean,
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let file = printable(&self.file);
        if let Some((run, defect)) = self.dry_run.as_ref().and_then(|run| Some((run, run.defect()?))) {
            return format!("{file}: not judged, {defect}\n{}", run.text());
        }
        let verdict = match self.verdict {
            MessageVerdict::Clean => "clean",
            MessageVerdict::Infected => "infected",
            MessageVerdict::Ambiguous => "ambiguous",
            MessageVerdict::Encrypted => "encrypted",
            MessageVerdict::LimitExceeded => "limit exceeded",
            MessageVerdict::Unsupported => "unsupported",
            MessageVerdict::EngineError => "engine error",
            MessageVerdict::NoRoom => "no room",
            MessageVerdict::NotInspected => "not inspected",
        };
        let action = self.action.name();
        let by = self.part_rule.as_ref().map(|rule| format!(" by rule \"{}\"", printable(rule)));
        let by = by.unwrap_or_default();
        let mut text = format!("{file}: {verdict}, {action}{by}: {}\n", self.why);
        // Writing to a string does not fail.
        let sha256 = Some(&self.sha256).filter(|sha256| !sha256.is_empty());
        let sha256 = sha256.map(|sha256| format!(", sha256 {sha256}")).unwrap_or_default();
        let _ = writeln!(text, "  {} octets{sha256}", self.octets);
        for part in &self.parts {
            let names: Vec<_> = part.names.iter().map(|name| format!(" \"{}\"", printable(name))).collect();
            let names = names.concat();
            let PartRecord { part: number, encoding, octets, .. } = part;
            let (number, what) = (printable(number), type_text(part));
            let _ = writeln!(text, "  part {number}{names}: {what}, {encoding}, {octets} octets");
            if !part.sha256.is_empty() {
                let _ = writeln!(text, "    sha256 {}", part.sha256);
            }
            for (stage, result) in &part.stages {
                let _ = writeln!(text, "    {stage}: {}", printable(result));
            }
        }
        for event in &self.engines {
            let SessionEvent::Engine { engine, version, result, detail, micros } = event else { continue };
            let version = version.as_deref().map_or(String::new(), |version| format!(" ({version})"));
            let detail = detail.as_deref().map_or(String::new(), |detail| format!(": {}", printable(detail)));
            let _ = writeln!(text, "  engine {engine}{version}: {result}{detail}, {micros} us");
        }
        if let Some(run) = &self.dry_run {
            text.push_str(&run.text());
        }
        text
    }
}
