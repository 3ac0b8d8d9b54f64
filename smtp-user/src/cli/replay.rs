//! `postern replay`: judges retained mail again, as the gateway would under another configuration, and shows what would be
//! decided otherwise. Nothing is changed, sent or answered.

mod progress;
mod readdressing;
mod report;
mod retained;

use std::path::PathBuf;
use std::process;

use anyhow::Context as _;

use crate::app::config::{Config, DEFAULT_CONFIG_PATH};
use crate::cli::forecasters::Forecasters;
use crate::cli::moment::{Moment, moment};
use crate::cli::output;
use crate::cli::replay::progress::Progress;
use crate::cli::replay::readdressing::Readdressing;
use crate::cli::replay::report::{Report, Row};
use crate::cli::replay::retained::{Found, Retained};
use crate::gateway::forecast::{Forecast, Forecaster};
use crate::model::message_octets::MessageOctets;

/// Judge retained mail again, as the gateway would under another configuration, and show what would be decided otherwise.
///
/// Retained is what is in quarantine, originals of rewritten mail among it, and what waits in the spool. Another form that
/// rules would give to a path of the envelope counts as well. With the same versions of engines and lists the answer is the
/// same each time.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 all were judged again, whatever came of it; 65 one cannot be read, 75 an engine could not \
                  be asked.\n\nExamples:\n  postern replay --since 7d --policy new.toml\n  \
                  postern replay --json | jq '.messages[] | select(.new.action == \"pass\").id'"
)]
pub struct ReplayArgs {
    /// Mail retained since then: a time, or how long ago [default: all].
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub since: Option<Moment>,
    /// Configuration to judge by [default: the one of `--config`].
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Configuration file that names the data folder.
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_CONFIG_PATH)]
    pub config: PathBuf,
    /// Show messages as well that would be decided as they were.
    #[arg(long)]
    pub all: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(args: &ReplayArgs) -> anyhow::Result<process::ExitCode> {
    let config = Config::load(&args.config)?;
    let policy = args.policy.as_deref().map(Config::load).transpose()?;
    let forecasters = Forecasters::new(policy.as_ref().unwrap_or(&config))?;
    let found = retained::all(&config, args.since.map_or(0, |since| since.0))?;
    let report = replay(found, &forecasters, args.all)?;
    for (id, why) in &report.damaged {
        output::notice(&format!("message {id} cannot be judged again: {why}"));
    }
    if args.json {
        output::json(&report)?;
    } else {
        output::text(&report.text())?;
    }
    Ok(report.exit_code().into())
}

/// Judges messages again, one after the other.
fn replay(found: Found, forecasters: &Forecasters<'_>, all: bool) -> anyhow::Result<Report> {
    let (messages, damaged) = found;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let mut report = Report::new(forecasters.file(), damaged);
    let mut progress = Progress::of(messages.len());
    for message in messages {
        match replayed(&runtime, forecasters, &message) {
            Ok((forecast, readdressed)) => report.add(Row::new(&message, &forecast, readdressed), all),
            Err(error) => report.damaged(message.id, &error),
        }
        progress.step();
    }
    progress.end();
    Ok(report)
}

fn replayed(
    runtime: &tokio::runtime::Runtime,
    forecasters: &Forecasters<'_>,
    message: &Retained,
) -> anyhow::Result<(Forecast, Vec<Readdressing>)> {
    let body = message.open()?;
    // A resource that the other configuration does not have: its first stands in.
    let of = match forecasters.of(Some(&message.resource)) {
        Ok(of) => of,
        Err(_) => forecasters.of(None)?,
    };
    let (sender, recipients) = message.envelope();
    let readdressed = readdressing::all(&of.envelope, sender, recipients);
    Ok((runtime.block_on(judged_again(&of.forecaster, body.as_ref()))?, readdressed))
}

/// Octets read at a time.
const BLOCK: usize = 64 << 10;

async fn judged_again(forecaster: &Forecaster, body: &dyn MessageOctets) -> anyhow::Result<Forecast> {
    let mut coming = forecaster.begin();
    let (mut room, mut offset) = (vec![0; BLOCK], 0);
    while offset < body.len() {
        let count = body.read_at(offset, &mut room).context("reading its octets")?;
        anyhow::ensure!(count > 0, "it became shorter while it was read");
        coming.push(room.get(..count).unwrap_or_default()).await;
        offset += count as u64;
    }
    Ok(Box::pin(coming.end()).await)
}

#[cfg(test)]
mod tests;
