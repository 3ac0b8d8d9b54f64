//! `postern scan`: judges messages from files as the gateway would, without a gateway.

mod dry_run;
mod envelope;
mod line_ends;
mod report;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;

use anyhow::Context as _;

use crate::app::config::{Config, DEFAULT_CONFIG_PATH, inspection};
use crate::cli::exit_code::ExitCode;
use crate::cli::explain::ExplainArgs;
use crate::cli::forecasters::Forecasters;
use crate::cli::output;
use crate::cli::scan::report::Report;
use crate::engine::hash_list::DigestKinds;
use crate::inspect::inspector::InspectorError;
use crate::inspect::{Inspector, Judgement};
use crate::transport::held_message::{HeldMessage, HoldLimits};
use crate::worker::pool::Pool;

/// Judge messages from files as the gateway would: the decision, and what every stage did with every part.
///
/// With `--dry-run` also what would follow: the reply, what the next hop would get, what would be kept. It goes by the code
/// that the gateway goes by, and nothing is sent or kept.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 all are clean, 1 one is not, 75 an engine could not be asked.\n\n\
                  Examples:\n  postern scan message.eml\n  postern scan --json --config postern.toml *.eml\n  \
                  postern scan --dry-run --policy new.toml --output goes-on.eml message.eml")]
pub struct ScanArgs {
    /// Messages as files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Configuration file with the limits, lists and engines; without one, and without
    /// /etc/postern/postern.toml, the defaults.
    #[arg(short, long, visible_alias = "policy", value_name = "CONFIG")]
    pub config: Option<PathBuf>,
    /// Say as well what the gateway would do: reply, what goes on, what is kept.
    #[arg(long)]
    pub dry_run: bool,
    /// The resource whose mail it is; without one, the first of the configuration.
    #[arg(long, value_name = "NAME", requires = "dry_run")]
    pub resource: Option<String>,
    /// Write what the next hop would get into this file, without trace fields.
    #[arg(short, long, value_name = "FILE", requires = "dry_run")]
    pub output: Option<PathBuf>,
    /// Write over the file.
    #[arg(long, requires = "output")]
    pub force: bool,
    /// The sender in the envelope, for rules about it.
    #[arg(long, value_name = "ADDRESS", requires = "dry_run")]
    pub mail_from: Option<String>,
    /// A recipient in the envelope, for rules about it; may be given several times.
    #[arg(long, value_name = "ADDRESS", requires = "dry_run")]
    pub rcpt_to: Vec<String>,
    /// Print one JSON object a line.
    #[arg(long)]
    pub json: bool,
}

impl ScanArgs {
    /// What `postern explain --dry-run` is: the same for one message.
    pub(super) fn dry_run_of(args: &ExplainArgs, file: &Path) -> Self {
        let with = &args.records;
        let config = args.policy.as_ref().or(with.config.as_ref()).cloned();
        let files = vec![file.to_owned()];
        Self {
            files,
            config,
            json: with.json,
            dry_run: true,
            resource: None,
            output: None,
            force: false,
            mail_from: args.mail_from.clone(),
            rcpt_to: args.rcpt_to.clone(),
        }
    }
}

/// Runs the command.
pub fn run(args: &ScanArgs) -> anyhow::Result<process::ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    if args.dry_run { runtime.block_on(dry_run(args)) } else { runtime.block_on(scan(args)) }
}

async fn scan(args: &ScanArgs) -> anyhow::Result<process::ExitCode> {
    let config = configuration(args.config.as_deref())?;
    let mut looks = inspection::within(&config.inspection, Path::new(&config.file));
    // Here nobody waits for the next message.
    looks.digests = DigestKinds { sha1: true, md5: true };
    let inspector = Inspector::with_workers(looks, Arc::new(Pool::of_this_program()))?;
    let mut worst = ExitCode::Ok;
    for file in &args.files {
        let report = Report::new(file, judge(&inspector, file).await?);
        worst = worse(worst, print(&report, args.json)?);
    }
    Ok(worst.into())
}

async fn dry_run(args: &ScanArgs) -> anyhow::Result<process::ExitCode> {
    if let (Some(output), [_, _, ..]) = (&args.output, args.files.as_slice()) {
        return Err(ScanError::OneOutput { path: output.clone() }.into());
    }
    let config = configuration(args.config.as_deref())?;
    let forecasters = Forecasters::new(&config)?;
    let of = forecasters.of(args.resource.as_deref())?;
    let envelope = envelope::notes(&of.envelope, args.mail_from.as_deref(), &args.rcpt_to);
    let output = args.output.as_deref().map(|path| (path, args.force));
    let mut worst = ExitCode::Ok;
    for file in &args.files {
        let report = Box::pin(dry_run::foretell(&forecasters, &of, file, output, &envelope)).await?;
        worst = worse(worst, print(&report, args.json)?);
    }
    Ok(worst.into())
}

fn print(report: &Report, json: bool) -> io::Result<ExitCode> {
    if json {
        output::json_lines([report])?;
    } else {
        output::text(&report.text())?;
    }
    Ok(report.exit_code())
}

fn configuration(path: Option<&Path>) -> anyhow::Result<Config> {
    let default = Path::new(DEFAULT_CONFIG_PATH);
    match path.or_else(|| default.exists().then_some(default)) {
        Some(path) => Ok(Config::load(path)?),
        None => Ok(Config::default()),
    }
}

/// Octets read at a time.
const CHUNK: usize = 64 << 10;

fn open(path: &Path) -> anyhow::Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).with_context(|| ScanError::Read { path: path.to_owned() })?;
    Ok(Box::new(file))
}

/// Reads the next octets; none are left if it gives 0.
fn read(source: &mut dyn Read, room: &mut [u8], path: &Path) -> anyhow::Result<usize> {
    loop {
        match source.read(room) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read.with_context(|| ScanError::Read { path: path.to_owned() }),
        }
    }
}

async fn judge(inspector: &Inspector, path: &Path) -> anyhow::Result<Judgement> {
    let mut source = open(path)?;
    let limits = HoldLimits { max_octets: u64::MAX, ..HoldLimits::new(&std::env::temp_dir()) };
    let (mut held, mut inspection) = (HeldMessage::new(limits), inspector.begin());
    let mut room = vec![0; CHUNK];
    loop {
        let count = read(source.as_mut(), &mut room, path)?;
        if count == 0 {
            break;
        }
        let octets = room.get(..count).unwrap_or_default();
        inspection.push(octets);
        held.append(octets).await?;
    }
    held.finish().await?;
    Ok(inspection.judge(&held).await.with_digest(&held).await)
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
    /// One would be written over the other.
    #[error("{} takes what goes on of one message, and there are several", path.display())]
    OneOutput {
        /// The file.
        path: PathBuf,
    },
}

impl From<&ScanError> for ExitCode {
    fn from(error: &ScanError) -> Self {
        match error {
            ScanError::Read { .. } => Self::NoInput,
            ScanError::OneOutput { .. } => Self::Usage,
        }
    }
}

impl From<&InspectorError> for ExitCode {
    fn from(_: &InspectorError) -> Self {
        Self::Config
    }
}

/// What is found counts more than what could not be asked.
fn worse(one: ExitCode, other: ExitCode) -> ExitCode {
    if one == ExitCode::NotClean || other == ExitCode::Ok { one } else { other }
}

#[cfg(test)]
mod tests;
