//! `postern queue`: what is in the spool, and what is to be done about it. Works with and without the daemon.

mod header;
pub(super) mod orders;
mod row;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use crate::app::config::gateway::DEFAULT_DATA_DIR;
use crate::app::config::{Config, DEFAULT_CONFIG_PATH};
use crate::audit;
use crate::cli::exit_code::ExitCode;
use crate::cli::output;
use crate::cli::queue::row::QueueRow;
use crate::cli::table::{self, Column};
use crate::delivery::settings::{HostName, NextHopName, NotAHost};
use crate::gateway::dequeuer::orders::{Order, Request};
use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;
use crate::spool::error::SpoolError;
use crate::spool::file_system::FileSystem as _;
use crate::spool::file_system::disk::Disk;
use crate::spool::folder;
use crate::spool::place::{Place, Places, id_of};
use crate::spool::recovery::{read_bundled, read_control};

/// List and change what waits in the spool.
///
/// Reads the spool's own files. Orders are carried out by the daemon if it runs, and by this command if not.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  postern queue\n  postern queue show 0193a5e8-7c1d-7b3a-9f42-3d5c0e6b8a17.1\n  \
                  postern queue flush\n  \
                  postern queue flush --dest example.org\n  \
                  postern queue reroute --to 192.0.2.25 0193a5e8-7c1d-7b3a-9f42-3d5c0e6b8a17.1\n  \
                  postern queue list --json | jq -r 'select(.attempts > 5).id' | postern queue hold -"
)]
pub struct QueueArgs {
    /// Configuration file that names the spool [default: /etc/postern/postern.toml if it exists].
    #[arg(long, short, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of the spool, in place of the configured one.
    #[arg(long, global = true, value_name = "DIR", env = "POSTERN_SPOOL")]
    pub spool: Option<PathBuf>,
    /// Folder of the records, in place of the one in the data folder; for orders that are given without the daemon.
    #[arg(long, global = true, value_name = "DIR", env = "POSTERN_RECORDS")]
    pub records: Option<PathBuf>,
    /// Print JSON, one object a line.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do; without it, `list`.
    #[command(subcommand)]
    pub command: Option<QueueCommand>,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum QueueCommand {
    /// List messages: state, age, size, sender, recipients, and why the last attempt did not do.
    List,
    /// Show a message: its control data and the dialogue of its last attempt.
    Show {
        /// Show its header instead: as it came, and with `+` what is added when it is sent.
        #[arg(long)]
        diff: bool,
        /// Which messages.
        #[command(flatten)]
        which: IdArgs,
    },
    /// Try messages at once; without ids, all.
    Flush {
        /// Ids of messages; `-` reads them from standard input.
        ids: Vec<String>,
        /// The same, for scripts that name everything.
        #[arg(long = "id", value_name = "ID")]
        more: Vec<String>,
        /// Try what goes there: a domain, or a server with or without its port.
        #[arg(long, value_name = "DOMAIN|SERVER", conflicts_with_all = ["ids", "more"])]
        dest: Option<String>,
    },
    /// Do not try messages until they are released.
    Hold(IdArgs),
    /// Try held messages again, and deliver quarantined ones.
    Release(IdArgs),
    /// Send messages elsewhere, whatever is configured, and try them at once.
    Reroute {
        /// The address to send them to, as in `192.0.2.25` or `[2001:db8::25]:2525`.
        #[arg(long, value_name = "ADDRESS", value_parser = address, required_unless_present = "back")]
        to: Option<SocketAddr>,
        /// Send them where they are configured to go again.
        #[arg(long, conflicts_with = "to")]
        back: bool,
        /// Which messages.
        #[command(flatten)]
        which: IdArgs,
    },
    /// Try messages at once, as if they had just come.
    Requeue(IdArgs),
    /// Give messages up, and tell their senders as if they could not be delivered.
    Bounce(IdArgs),
    /// Remove messages; nobody is told.
    Delete(IdArgs),
}

/// Which messages.
#[derive(Clone, Debug, Args)]
pub struct IdArgs {
    /// Ids of messages; `-` reads them from standard input.
    #[arg(required = true)]
    pub ids: Vec<String>,
}

/// An address that can be called; port 25 if none is given.
fn address(text: &str) -> Result<SocketAddr, String> {
    let named: NextHopName = text.parse().map_err(|error: NotAHost| error.to_string())?;
    match named.host {
        HostName::Address(address) => Ok(SocketAddr::new(address, named.port)),
        HostName::Name(_) => Err("an address is needed, a name may change its own".to_owned()),
    }
}

/// Runs the command.
pub fn run(args: &QueueArgs) -> anyhow::Result<process::ExitCode> {
    let (places, config) = args.spool()?;
    folder::check(places.root())
        .context("no queue can be read; name its folder with --spool, or the configuration with --config")?;
    let mut to = None;
    let (order, words) = match args.command.as_ref().unwrap_or(&QueueCommand::List) {
        QueueCommand::List => {
            list(&places, args.json)?;
            return Ok(ExitCode::Ok.into());
        }
        QueueCommand::Show { diff, which } => {
            show(&places, &orders::ids(&which.ids)?, *diff, args.json)?;
            return Ok(ExitCode::Ok.into());
        }
        QueueCommand::Flush { ids, more, dest } => {
            to.clone_from(dest);
            (Order::Flush, [ids.as_slice(), more].concat())
        }
        QueueCommand::Hold(which) => (Order::Hold, which.ids.clone()),
        QueueCommand::Release(which) => (Order::Release, which.ids.clone()),
        QueueCommand::Reroute { to, which, .. } => (Order::Reroute { to: *to }, which.ids.clone()),
        QueueCommand::Requeue(which) => (Order::Requeue, which.ids.clone()),
        QueueCommand::Bounce(which) => (Order::Bounce, which.ids.clone()),
        QueueCommand::Delete(which) => (Order::Delete, which.ids.clone()),
    };
    let ids = orders::ids(&words)?;
    if ids.is_empty() && !words.is_empty() {
        return orders::none_named(order, args.json);
    }
    let request = Request { order, ids, to, who: orders::who() };
    let records = args.records_of(&places, config.as_ref());
    orders::give(&places, &request, config.as_ref(), records, args.json)
}

impl QueueArgs {
    /// The spool, and the configuration if one can be had.
    fn spool(&self) -> anyhow::Result<(Places, Option<Config>)> {
        let config = match &self.config {
            Some(path) => Some(Config::load(path)?),
            // Whoever looks at the queue need not be able to read, or to correct, the configuration.
            None => Config::load(DEFAULT_CONFIG_PATH.as_ref()).ok(),
        };
        let folder = match (&self.spool, &config) {
            (Some(folder), _) => folder.clone(),
            (None, Some(config)) => {
                config.spool.rundir.clone().unwrap_or_else(|| config.gateway.data_dir.join("spool"))
            }
            (None, None) => PathBuf::from(DEFAULT_DATA_DIR).join("spool"),
        };
        Ok((Places::new(&folder), config))
    }

    /// Where orders are recorded that are carried out here.
    fn records_of(&self, places: &Places, config: Option<&Config>) -> Option<audit::config::Config> {
        let within =
            |folder: PathBuf| audit::config::Config { folder, ..audit::config::Config::within("".as_ref()) };
        match (&self.records, config) {
            (Some(folder), _) => Some(within(folder.clone())),
            (None, Some(config)) => Some(config.records.within(&config.gateway.data_dir)),
            // A spool stands in the data folder, beside the records, unless somebody put it elsewhere.
            (None, None) => {
                let folder = places.root().parent()?.join(audit::config::FOLDER);
                folder.is_dir().then(|| within(folder))
            }
        }
    }
}

/// Every message there is, oldest first; what cannot be read is told, and does not keep the others from being shown.
pub(super) fn all(places: &Places) -> anyhow::Result<Vec<(Place, QueuedMessage)>> {
    let mut messages: Vec<(Place, QueuedMessage)> = Vec::new();
    // In the order in which a message moves on: what is not here any more is there.
    for (_, read) in read_bundled(&Disk, places)? {
        match read {
            Ok(message) => messages.push((Place::Active, message)),
            Err(SpoolError::NotFound { .. }) => {}
            Err(error) => output::notice(&sentence(error)),
        }
    }
    for place in Place::ALL {
        let folder = places.folder(place);
        let names = match Disk.list(&folder) {
            // Nothing was ever taken in.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            names => names.with_context(|| format!("reading the spool {}", folder.display()))?,
        };
        for id in names.iter().filter_map(|name| id_of(name)) {
            match read_control(&Disk, places, place, id) {
                Ok(message) => messages.push((place, message)),
                // It moved on while the folder was read.
                Err(SpoolError::NotFound { .. }) => {}
                Err(error) => output::notice(&sentence(error)),
            }
        }
    }
    messages.sort_by_key(|(place, message)| (message.id, message.version, *place));
    // Of one that was moved while this was read, the newest.
    messages.reverse();
    messages.dedup_by_key(|(_, message)| message.id);
    messages.sort_by_key(|(_, message)| (message.received, message.id));
    Ok(messages)
}

/// What is wrong, and what the system says of it.
fn sentence(error: SpoolError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

/// A message that shares a file with others.
fn bundled(places: &Places, id: MessageId) -> anyhow::Result<Option<QueuedMessage>> {
    let mut all = read_bundled(&Disk, places)?.into_iter();
    match all.find(|(found, _)| *found == id).map(|(_, read)| read) {
        None | Some(Err(SpoolError::NotFound { .. })) => Ok(None),
        Some(read) => Ok(Some(read?)),
    }
}

fn list(places: &Places, json: bool) -> anyhow::Result<()> {
    let rows: Vec<QueueRow> =
        all(places)?.iter().map(|(place, message)| QueueRow::new(*place, message)).collect();
    let columns = [
        Column::Words("ID"),
        Column::Words("STATE"),
        Column::Number("OCTETS"),
        Column::Words("RECEIVED"),
        Column::Words("SENDER"),
        Column::Words("RECIPIENTS"),
        Column::Words("WHY"),
    ];
    table::print(&rows, json, "The queue is empty.\n", &columns, QueueRow::cells)
}

fn show(places: &Places, ids: &[MessageId], diff: bool, json: bool) -> anyhow::Result<()> {
    for id in ids {
        let together = bundled(places, *id)?.map(|message| (Place::Active, message));
        let mut missing = SpoolError::NotFound { id: *id };
        let mut alone = |place| match read_control(&Disk, places, place, *id) {
            Ok(message) => Some((place, message)),
            Err(SpoolError::NotFound { .. }) => None,
            Err(error) => {
                missing = error;
                None
            }
        };
        let apart: Vec<_> = Place::ALL.into_iter().filter_map(&mut alone).collect();
        let found =
            together.into_iter().chain(apart).max_by_key(|(place, message)| (message.version, *place));
        let Some((place, message)) = found else { return Err(missing.into()) };
        if diff {
            let header = header::read(places, place, &message)?;
            if json { output::json_lines([header])? } else { output::text(&header.text())? }
        } else if json {
            output::json_lines([&message])?;
        } else {
            output::text(&row::block(place, &message))?;
        }
    }
    Ok(())
}
