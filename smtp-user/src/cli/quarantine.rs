//! `postern quarantine`: mail that was accepted and not sent on, and what is to be done about it. Works with and without
//! the daemon.

mod orders;
mod row;

use std::path::PathBuf;
use std::process;

use clap::{Args, Subcommand};

use crate::app::config::gateway::DEFAULT_DATA_DIR;
use crate::app::config::{Config, DEFAULT_CONFIG_PATH};
use crate::cli::exit_code::ExitCode;
use crate::cli::output;
use crate::cli::quarantine::row::QuarantineRow;
use crate::cli::queue::orders::ids;
use crate::cli::table::{self, Column};
use crate::gateway::quarantine::Order;
use crate::model::session_id::MessageId;
use crate::quarantine::FOLDER;
use crate::quarantine::store::Store;

/// List, release and delete mail in quarantine.
///
/// Reads the quarantine's own files. Orders are carried out by the daemon if it runs, and by this command if not. A
/// released message is delivered once, as it came, and is not judged again.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  postern quarantine\n  postern quarantine show 0193a5e8-7c1d-7b3a-9f42-3d5c0e6b8a17.1\n  \
                  postern quarantine release 0193a5e8-7c1d-7b3a-9f42-3d5c0e6b8a17.1\n  \
                  postern quarantine list --json | jq -r 'select(.verdict == \"ambiguous\").id' | postern quarantine release -\n\n\
                  What was judged only after it was taken over waits in the spool: `postern queue` shows it."
)]
pub struct QuarantineArgs {
    /// Configuration file that names the data folder [default: /etc/postern/postern.toml if it exists].
    #[arg(long, short, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of the quarantine, in place of the one in the data folder.
    #[arg(long, global = true, value_name = "DIR", env = "POSTERN_QUARANTINE")]
    pub quarantine: Option<PathBuf>,
    /// Print JSON, one object a line.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do; without it, `list`.
    #[command(subcommand)]
    pub command: Option<QuarantineCommand>,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum QuarantineCommand {
    /// List messages: state, since when and until when, verdict, sender, recipients, and why.
    List,
    /// Show a message: envelope, decision, and what each stage found in each part.
    Show(IdArgs),
    /// Deliver messages, once; they are not judged again.
    Release(OrderArgs),
    /// Remove messages; nobody is told.
    Delete(OrderArgs),
}

/// Which messages.
#[derive(Clone, Debug, Args)]
pub struct IdArgs {
    /// Ids of messages; `-` reads them from standard input.
    #[arg(required = true)]
    pub ids: Vec<String>,
}

/// Which messages, and how sure one is.
#[derive(Clone, Debug, Args)]
pub struct OrderArgs {
    /// Ids of messages; `-` reads them from standard input.
    #[arg(required = true)]
    pub ids: Vec<String>,
    /// Although an earlier release was cut off and nobody knows whether the message arrived.
    #[arg(long)]
    pub again: bool,
}

/// Runs the command.
pub fn run(args: &QuarantineArgs) -> anyhow::Result<process::ExitCode> {
    let (config, folder) = args.folder()?;
    let store = Store::at(&folder);
    let (order, which) = match args.command.as_ref().unwrap_or(&QuarantineCommand::List) {
        QuarantineCommand::List => {
            list(&store, args.json)?;
            return Ok(ExitCode::Ok.into());
        }
        QuarantineCommand::Show(which) => {
            show(&store, &ids(&which.ids)?, args.json)?;
            return Ok(ExitCode::Ok.into());
        }
        QuarantineCommand::Release(which) => (Order::Release, which),
        QuarantineCommand::Delete(which) => (Order::Delete, which),
    };
    let ids = ids(&which.ids)?;
    orders::give(&store, config, &orders::request(order, ids, which.again), args.json)
}

impl QuarantineArgs {
    /// The configuration, if it can be had, and the quarantine's folder.
    fn folder(&self) -> anyhow::Result<(Option<Config>, PathBuf)> {
        let config = match &self.config {
            Some(path) => Some(Config::load(path)?),
            // Whoever looks at the quarantine need not be able to read, or to correct, the configuration.
            None => Config::load(DEFAULT_CONFIG_PATH.as_ref()).ok(),
        };
        let data_dir = config.as_ref().map(|config| config.gateway.data_dir.clone());
        let folder = self
            .quarantine
            .clone()
            .unwrap_or_else(|| data_dir.unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR)).join(FOLDER));
        Ok((config, folder))
    }
}

fn list(store: &Store, json: bool) -> anyhow::Result<()> {
    let listing = store.list()?;
    for (id, why) in &listing.damaged {
        output::notice(&format!("message {id} is damaged: {why}"));
    }
    for foreign in &listing.foreign {
        output::notice(&foreign.to_string());
    }
    let rows: Vec<QuarantineRow> = listing.entries.iter().map(QuarantineRow::new).collect();
    let columns = [
        Column::Words("ID"),
        Column::Words("STATE"),
        Column::Number("OCTETS"),
        Column::Words("SINCE"),
        Column::Words("UNTIL"),
        Column::Words("VERDICT"),
        Column::Words("SENDER"),
        Column::Words("RECIPIENTS"),
        Column::Words("WHY"),
    ];
    table::print(&rows, json, "The quarantine is empty.\n", &columns, QuarantineRow::cells)
}

fn show(store: &Store, ids: &[MessageId], json: bool) -> anyhow::Result<()> {
    for id in ids {
        let entry = store.get(*id)?;
        if json {
            output::json_lines([&entry])?;
        } else {
            output::text(&row::block(&entry))?;
        }
    }
    Ok(())
}
