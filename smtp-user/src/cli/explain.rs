//! `postern explain`: the story of one session or one message.

mod find;
mod story;

use std::path::PathBuf;
use std::process;

use crate::cli::exit_code::ExitCode;
use crate::cli::explain::find::{Found, Wanted};
use crate::cli::explain::story::Story;
use crate::cli::output;
use crate::cli::records_args::{self, RecordsArgs};
use crate::cli::scan::{self, ScanArgs};

/// Tell what happened to a session or a message, in order, with reasons and times.
///
/// The name is the one in the reply, in `X-Postern-Session` and in the log; its beginning is enough if no other
/// begins so. A message is told alone, with the rule and the TLS that it came under.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  postern explain 0193a5e8-7c1d-7b3a-9f42-3d5c0e6b8a17\n  \
                  postern explain 0193a5e8-7c1d-7b3a-9f42-3d5c0e6b8a17.2 --json\n  postern explain 0193a5e8-7c1d-7b\n  \
                  postern explain --dry-run message.eml --policy new.toml")]
pub struct ExplainArgs {
    /// Which records, and how to print.
    #[command(flatten)]
    pub records: RecordsArgs,
    /// Say instead what would become of the message in this file; as `postern scan --dry-run`.
    #[arg(long, value_name = "FILE", conflicts_with = "id")]
    pub dry_run: Option<PathBuf>,
    /// Configuration file that the message would be judged by, in place of the one of `--config`.
    #[arg(long, value_name = "CONFIG", requires = "dry_run", conflicts_with = "config")]
    pub policy: Option<PathBuf>,
    /// The sender in the envelope, for rules about it.
    #[arg(long, value_name = "ADDRESS", requires = "dry_run")]
    pub mail_from: Option<String>,
    /// A recipient in the envelope, for rules about it; may be given several times.
    #[arg(long, value_name = "ADDRESS", requires = "dry_run")]
    pub rcpt_to: Vec<String>,
    /// Session, message, or the beginning of a session's name.
    #[arg(value_name = "ID", required_unless_present = "dry_run")]
    pub id: Option<Wanted>,
}

/// Runs the command.
pub fn run(args: &ExplainArgs) -> anyhow::Result<process::ExitCode> {
    if let Some(file) = &args.dry_run {
        return scan::run(&ScanArgs::dry_run_of(args, file));
    }
    let Some(id) = &args.id else { return Ok(ExitCode::Usage.into()) };
    let mut reader = args.records.open(id.earliest())?;
    let Found { session, records } = find::find(&mut reader, id)?;
    let story = Story::new(session, id.message(), records);
    if args.records.json {
        output::json(&story)?;
    } else {
        output::text(&story.text())?;
    }
    records_args::notice_unreadable(&reader);
    Ok(ExitCode::Ok.into())
}

#[cfg(test)]
mod tests;
