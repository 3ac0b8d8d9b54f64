//! `postern uninspected`: what reached a server although nobody looked at it.

mod gather;
mod kernel;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process;

use smtp_common::abi::DEFAULT_PIN_DIR;

use crate::audit::error::RecordsError;
use crate::cli::exit_code::ExitCode;
use crate::cli::moment::{self, Moment};
use crate::cli::output;
use crate::cli::records_args::{self, RecordsArgs};
use crate::cli::table::Column::Words;
use crate::cli::table::TextTable;
use crate::cli::uninspected::gather::{Gather, Unseen};
use crate::cli::uninspected::kernel::Kernel;
use crate::event::sentence::printable;

/// List what reached a server although nobody looked at it, and why: bypassed sessions, messages that were passed
/// on with parts no stage could look at, and the kernel's count of mail flows that rules accelerate.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  postern uninspected --since 1h\n  \
                  postern uninspected --since 2026-01-31T08:00:00Z --json")]
pub struct UninspectedArgs {
    /// Which records, and how to print. JSON is one object a line; the last one is the kernel's.
    #[command(flatten)]
    pub records: RecordsArgs,
    /// Only what happened since then: how long ago, or when.
    #[arg(long, value_name = "MOMENT", default_value = "1d", value_parser = moment::moment)]
    pub since: Moment,
    /// Folder of the pinned maps, for the kernel's counters.
    #[arg(long, value_name = "DIR", env = "POSTERN_PIN_DIR", default_value = DEFAULT_PIN_DIR)]
    pub pin_dir: PathBuf,
}

/// Runs the command.
pub fn run(args: &UninspectedArgs) -> anyhow::Result<process::ExitCode> {
    let unseen = match args.records.try_open(args.since.0)? {
        Ok(mut reader) => {
            let mut gather = Gather::default();
            let mut unseen = Vec::new();
            while let Some(raw) = reader.next_record()? {
                unseen.extend(gather.enter(&raw));
            }
            records_args::notice_unreadable(&reader);
            unseen
        }
        // Without an `inspect` rule there are no records, and the kernel's counters are the whole answer.
        Err(error @ RecordsError::NoFolder { .. }) => {
            output::notice(&error.to_string());
            Vec::new()
        }
        Err(error) => return Err(error.into()),
    };
    let kernel = Kernel::read(&args.pin_dir);
    if args.records.json {
        print_json(&unseen, kernel.as_ref().ok())?;
    } else {
        print_text(&unseen, kernel)?;
    }
    Ok(ExitCode::Ok.into())
}

fn print_json(unseen: &[Unseen], kernel: Option<&Kernel>) -> io::Result<()> {
    output::json_lines(unseen)?;
    kernel.map_or(Ok(()), |kernel| {
        let mut out = io::stdout().lock();
        serde_json::to_writer(&mut out, &serde_json::json!({ "kernel": kernel }))?;
        out.write_all(b"\n")
    })
}

fn print_text(unseen: &[Unseen], kernel: crate::packet_path::error::Result<Kernel>) -> io::Result<()> {
    let mut text = String::new();
    if unseen.is_empty() {
        text.push_str("No session and no message in the records passed unseen.\n");
    } else {
        let mut table = TextTable::new(&[
            Words("time"),
            Words("session or message"),
            Words("originator"),
            Words("next hop"),
            Words("from"),
            Words("part"),
            Words("reason"),
        ]);
        for row in unseen {
            let dash = || "-".to_owned();
            table.row([
                row.time.clone(),
                row.id.clone(),
                row.originator.map_or_else(dash, |address| address.to_string()),
                row.next_hop.map_or_else(dash, |address| address.to_string()),
                row.from.as_ref().map_or_else(dash, |from| printable(&format!("<{from}>"))),
                row.part.as_ref().map_or_else(dash, |part| printable(part)),
                printable(&row.reason),
            ]);
        }
        text.push_str(&table.text(0));
    }
    match kernel {
        Ok(kernel) => text.push_str(&kernel.text()),
        Err(error) => output::notice(&format!("the kernel's counters cannot be read: {error}")),
    }
    output::text(&text)
}

#[cfg(test)]
mod tests;
