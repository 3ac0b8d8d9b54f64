//! `postern scan`: judges messages from files as the gateway would, without a gateway.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;

use anyhow::Context as _;
use serde::Serialize;

use crate::app::config::{Config, DEFAULT_CONFIG_PATH, inspection};
use crate::cli::exit_code::ExitCode;
use crate::cli::output;
use crate::engine::hash_list::DigestKinds;
use crate::event::sentence::{printable, type_text};
use crate::event::session_event::{PartRecord, SessionEvent};
use crate::inspect::inspector::InspectorError;
use crate::inspect::{Inspector, Judgement};
use crate::model::decision::{MessageAction, MessageVerdict};
use crate::transport::held_message::{HeldMessage, HoldLimits};
use crate::worker::pool::Pool;

/// Judge messages from files as the gateway would: the decision, and what every stage did with every part.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 all are clean, 1 one is not, 75 an engine could not be asked.\n\n\
                  Examples:\n  postern scan message.eml\n  postern scan --json --config postern.toml *.eml")]
pub struct ScanArgs {
    /// Messages as files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Configuration file with the limits, lists and engines; without one, and without
    /// /etc/postern/postern.toml, the defaults.
    #[arg(short, long, value_name = "CONFIG")]
    pub config: Option<PathBuf>,
    /// Print one JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(args: &ScanArgs) -> anyhow::Result<process::ExitCode> {
    let mut configuration = configuration(args.config.as_deref())?;
    // Here nobody waits for the next message.
    configuration.digests = DigestKinds { sha1: true, md5: true };
    let inspector = Inspector::with_workers(configuration, Arc::new(Pool::of_this_program()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let mut worst = ExitCode::Ok;
    for file in &args.files {
        let judgement = runtime.block_on(judge(&inspector, file))?;
        let report = Report::new(file, judgement);
        worst = worse(worst, report.exit_code());
        if args.json {
            output::json_lines([&report])?;
        } else {
            output::text(&report.text())?;
        }
    }
    Ok(worst.into())
}

fn configuration(path: Option<&Path>) -> anyhow::Result<crate::inspect::Config> {
    let default = Path::new(DEFAULT_CONFIG_PATH);
    let Some(path) = path.or_else(|| default.exists().then_some(default)) else {
        return Ok(crate::inspect::Config::default());
    };
    Ok(inspection::within(&Config::load(path)?.inspection, path))
}

/// Octets read at a time.
const CHUNK: usize = 64 << 10;

async fn judge(inspector: &Inspector, path: &Path) -> anyhow::Result<Judgement> {
    let cannot = || ScanError::Read { path: path.to_owned() };
    let mut source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).with_context(cannot)?)
    };
    let limits = HoldLimits { max_octets: u64::MAX, ..HoldLimits::new(&std::env::temp_dir()) };
    let (mut held, mut inspection) = (HeldMessage::new(limits), inspector.begin());
    let mut room = vec![0; CHUNK];
    loop {
        let count = match source.read(&mut room) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).with_context(cannot),
        };
        let octets = room.get(..count).unwrap_or_default();
        inspection.push(octets);
        held.append(octets).await?;
    }
    held.finish().await?;
    Ok(inspection.judge(&held).await)
}

/// Why a message cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// No such file, or not readable.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
    },
}

impl From<&ScanError> for ExitCode {
    fn from(error: &ScanError) -> Self {
        match error {
            ScanError::Read { .. } => Self::NoInput,
        }
    }
}

impl From<&InspectorError> for ExitCode {
    fn from(_: &InspectorError) -> Self {
        Self::Config
    }
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Report {
    file: String,
    verdict: MessageVerdict,
    action: MessageAction,
    why: String,
    /// The rule on parts that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    part_rule: Option<String>,
    octets: u64,
    sha256: String,
    parts: Vec<PartRecord>,
    engines: Vec<SessionEvent>,
}

impl Report {
    fn new(file: &Path, judgement: Judgement) -> Self {
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
        }
    }

    fn exit_code(&self) -> ExitCode {
        match self.verdict {
            MessageVerdict::Clean if self.action == MessageAction::Pass => ExitCode::Ok,
            MessageVerdict::EngineError => ExitCode::TempFail,
            _ => ExitCode::NotClean,
        }
    }

    fn text(&self) -> String {
        let verdict = match self.verdict {
            MessageVerdict::Clean => "clean",
            MessageVerdict::Infected => "infected",
            MessageVerdict::Ambiguous => "ambiguous",
            MessageVerdict::Encrypted => "encrypted",
            MessageVerdict::LimitExceeded => "limit exceeded",
            MessageVerdict::Unsupported => "unsupported",
            MessageVerdict::EngineError => "engine error",
        };
        let action = match self.action {
            MessageAction::Pass => "pass",
            MessageAction::Refuse => "refuse",
            MessageAction::Defer => "defer",
            MessageAction::Rewrite => "rewrite",
            MessageAction::Quarantine => "quarantine",
            MessageAction::Drop => "drop",
            MessageAction::Block => "block",
        };
        let by = self.part_rule.as_ref().map(|rule| format!(" by rule \"{}\"", printable(rule)));
        let by = by.unwrap_or_default();
        let mut text = format!("{}: {verdict}, {action}{by}: {}\n", printable(&self.file), self.why);
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {} octets, sha256 {}", self.octets, self.sha256);
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
        text
    }
}

/// What is found counts more than what could not be asked.
fn worse(one: ExitCode, other: ExitCode) -> ExitCode {
    if one == ExitCode::NotClean || other == ExitCode::Ok { one } else { other }
}

#[cfg(test)]
mod tests;
