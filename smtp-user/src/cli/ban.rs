//! `postern ban`: banned sources.

use std::process;
use std::time::Duration;

use clap::Subcommand;
use ipnet::IpNet;
use serde::Serialize;

use crate::cli::exit_code::ExitCode;
use crate::cli::gateway_args::GatewayArgs;
use crate::cli::mistake::CommandError;
use crate::cli::table::Column::{Number, Words};
use crate::cli::table::TextTable;
use crate::cli::{output, quantity, word};
use crate::packet_path::bans::{self, BanEntry};
use crate::packet_path::maps::Maps;

/// List and change banned sources.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  postern ban add 192.0.2.7 --for 1h\n  postern ban add 2001:db8::/32 --for ever\n  \
                  postern ban del 192.0.2.7\n  postern ban list"
)]
pub struct BanArgs {
    /// Which gateway, and how to print.
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: BanCommand,
}

/// What to do with bans.
#[derive(Clone, Debug, Subcommand)]
pub enum BanCommand {
    /// Ban a source, or renew its ban; its running flows are stopped too.
    Add {
        /// Address or prefix.
        #[arg(value_name = "PREFIX", value_parser = word::prefix)]
        prefix: IpNet,
        /// How long: a duration such as 30s, 10m or 2h, or `ever`.
        #[arg(long = "for", value_name = "DURATION", value_parser = ban_time, default_value = "10m")]
        time: BanTime,
    },
    /// Lift a ban.
    Del {
        /// Address or prefix, as it was banned.
        #[arg(value_name = "PREFIX", value_parser = word::prefix)]
        prefix: IpNet,
    },
    /// List bans in force.
    List,
}

/// How long a ban is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanTime {
    /// This long.
    For(Duration),
    /// Until it is lifted.
    Ever,
}

fn ban_time(text: &str) -> Result<BanTime, word::WordError> {
    if text == "ever" { Ok(BanTime::Ever) } else { word::duration(text).map(BanTime::For) }
}

/// Runs the command.
pub fn run(args: &BanArgs) -> anyhow::Result<process::ExitCode> {
    let maps = args.gateway.open()?;
    match &args.command {
        BanCommand::Add { prefix, time } => {
            let time = match time {
                BanTime::For(duration) => Some(*duration),
                BanTime::Ever => None,
            };
            bans::add(&maps, *prefix, time)?;
            let how_long = time.map_or_else(|| "ever".to_owned(), quantity::age);
            let sentence = format!("{prefix} is banned for {how_long}.\n");
            done(args, &maps, *prefix, &sentence)?;
        }
        BanCommand::Del { prefix } => {
            if !bans::remove(&maps, *prefix)? {
                return Err(CommandError::NoBan { prefix: *prefix }.into());
            }
            done(args, &maps, *prefix, &format!("{prefix} is no longer banned.\n"))?;
        }
        BanCommand::List => list(args, &maps)?,
    }
    Ok(ExitCode::Ok.into())
}

/// Tells what a change has led to.
fn done(args: &BanArgs, maps: &Maps, prefix: IpNet, sentence: &str) -> anyhow::Result<()> {
    if args.gateway.json {
        let ban = bans::list(maps)?.into_iter().find(|ban| ban.prefix == prefix.trunc());
        output::json(&BanChange { prefix, ban: ban.as_ref().map(BanRow::new) })?;
    } else {
        output::text(sentence)?;
    }
    Ok(())
}

fn list(args: &BanArgs, maps: &Maps) -> anyhow::Result<()> {
    let rows: Vec<BanRow> = bans::list(maps)?.iter().map(BanRow::new).collect();
    if args.gateway.json {
        output::json(&rows)?;
    } else if rows.is_empty() {
        output::text("Nobody is banned.\n")?;
    } else {
        let mut table = TextTable::new(&[Words("prefix"), Words("left"), Words("since"), Number("packets")]);
        for row in rows {
            let left =
                row.left_seconds.map_or_else(|| "ever".to_owned(), |s| quantity::age(Duration::from_secs(s)));
            let since = quantity::age(Duration::from_secs(row.age_seconds));
            table.row([row.prefix.to_string(), left, since, quantity::count(row.packets)]);
        }
        output::text(&table.text(0))?;
    }
    Ok(())
}

#[derive(Debug, Serialize)]
struct BanChange {
    prefix: IpNet,
    /// The ban in force now.
    ban: Option<BanRow>,
}

#[derive(Debug, Serialize)]
struct BanRow {
    prefix: IpNet,
    /// Null: until it is lifted.
    left_seconds: Option<u64>,
    age_seconds: u64,
    /// Stopped since it began.
    packets: u64,
}

impl BanRow {
    fn new(ban: &BanEntry) -> Self {
        Self {
            prefix: ban.prefix,
            left_seconds: ban.left.map(|left| left.as_secs()),
            age_seconds: ban.age.as_secs(),
            packets: ban.packets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_is_for_a_time_or_for_ever() {
        assert_eq!(ban_time("ever"), Ok(BanTime::Ever));
        assert_eq!(ban_time("1h30m"), Ok(BanTime::For(Duration::from_mins(90))));
        assert!(ban_time("10").unwrap_err().to_string().ends_with("did you mean `10s`?"));
    }
}
