//! `postern explain`: the story of one session or one message.

mod find;
mod story;

use std::process;

use crate::cli::exit_code::ExitCode;
use crate::cli::explain::find::{Found, Wanted};
use crate::cli::explain::story::Story;
use crate::cli::output;
use crate::cli::records_args::{self, RecordsArgs};

/// Tell what happened to a session or a message, in order, with reasons and times.
///
/// The name is the one in the reply, in `X-Postern-Session` and in the log; its beginning is enough if no other
/// begins so. A message is told alone, with the rule and the TLS that it came under.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  postern explain 0193a5e8-7c1d-7b3a-9f42-3d5c0e6b8a17\n  \
                  postern explain 0193a5e8-7c1d-7b3a-9f42-3d5c0e6b8a17.2 --json\n  postern explain 0193a5e8-7c1d-7b")]
pub struct ExplainArgs {
    /// Which records, and how to print.
    #[command(flatten)]
    pub records: RecordsArgs,
    /// Session, message, or the beginning of a session's name.
    #[arg(value_name = "ID")]
    pub id: Wanted,
}

/// Runs the command.
pub fn run(args: &ExplainArgs) -> anyhow::Result<process::ExitCode> {
    let mut reader = args.records.open(args.id.earliest())?;
    let Found { session, records } = find::find(&mut reader, &args.id)?;
    let story = Story::new(session, args.id.message(), records);
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
