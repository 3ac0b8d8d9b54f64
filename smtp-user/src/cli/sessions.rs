//! `postern sessions`: what became of the flows that were inspected.

mod account;
mod filter;
pub mod row;

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process;
use std::time::Duration;
use std::{fmt, thread};

use smtp_common::abi::DEFAULT_PIN_DIR;

use crate::audit::reader::Reader;
use crate::audit::sessions::{Session, Sessions};
use crate::cli::exit_code::ExitCode;
use crate::cli::moment::{self, Moment};
use crate::cli::records_args::{self, RecordsArgs};
use crate::cli::sessions::filter::SessionFilter;
use crate::cli::sessions::row::SessionRow;
use crate::cli::{output, quantity};

/// List sessions from the records: who sent to whom, under which rule and TLS, and what became of it.
///
/// Reads the record files themselves; the daemon need not run.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  postern sessions --since 1h --disposition refused\n  \
                  postern sessions --from '@example.org' --limit 20\n  \
                  postern sessions --follow\n  \
                  postern sessions --account --since 1d\n  \
                  postern sessions --json | jq 'select(.client_tls == null)'")]
pub struct SessionsArgs {
    /// Which records, and how to print. JSON is one object a line.
    #[command(flatten)]
    pub records: RecordsArgs,
    /// Which sessions.
    #[command(flatten)]
    pub filter: SessionFilter,
    /// Only sessions opened since then: how long ago, or when.
    #[arg(long, value_name = "MOMENT", default_value = "1d", value_parser = moment::moment)]
    pub since: Moment,
    /// Sessions shown at most, the latest [default: 1000 on a terminal, all elsewhere].
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Go on: print sessions as they end.
    #[arg(long)]
    pub follow: bool,
    /// Print only the account: sessions opened, and what became of them.
    #[arg(long, conflicts_with_all = ["limit", "follow"])]
    pub account: bool,
    /// Folder of the pinned maps, for the kernel's side of the account.
    #[arg(long, value_name = "DIR", env = "POSTERN_PIN_DIR", default_value = DEFAULT_PIN_DIR)]
    pub pin_dir: PathBuf,
}

/// Sessions shown on a terminal unless told otherwise.
const TERMINAL_LIMIT: usize = 1000;
/// How often records are looked for that have come since.
const FOLLOW: Duration = Duration::from_millis(200);

/// Runs the command.
pub fn run(args: &SessionsArgs) -> anyhow::Result<process::ExitCode> {
    let mut reader = args.records.open(args.since.0)?;
    if args.account {
        account::run(args, &mut reader)?;
        return Ok(ExitCode::Ok.into());
    }
    let on_terminal = !args.records.json && io::stdout().is_terminal();
    let limit = args.limit.or(on_terminal.then_some(TERMINAL_LIMIT)).unwrap_or(usize::MAX);
    let mut sessions = Sessions::default();
    let mut latest = Latest { limit, rows: VecDeque::new(), matching: 0 };
    each_ended(&mut reader, &mut sessions, |session| {
        if args.filter.matches(session) {
            latest.push(SessionRow::new(session));
        }
        Ok(())
    })?;
    if !args.follow {
        for session in sessions.into_open().iter().filter(|session| args.filter.matches(session)) {
            latest.push(SessionRow::new(session));
        }
        latest.print(args.records.json)?;
        records_args::notice_unreadable(&reader);
        return Ok(ExitCode::Ok.into());
    }
    latest.print(args.records.json)?;
    loop {
        thread::sleep(FOLLOW);
        each_ended(&mut reader, &mut sessions, |session| {
            if args.filter.matches(session) {
                print_line(&SessionRow::new(session), args.records.json)
            } else {
                Ok(())
            }
        })?;
    }
}

/// Reads on to the end of what there is.
fn each_ended(
    reader: &mut Reader,
    sessions: &mut Sessions,
    mut each: impl FnMut(&Session) -> io::Result<()>,
) -> anyhow::Result<()> {
    while let Some(raw) = reader.next_record()? {
        if let Some(session) = sessions.enter(&raw) {
            each(&session)?;
        }
    }
    Ok(())
}

fn print_line(row: &SessionRow, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, row)?;
        out.write_all(b"\n")?;
    } else {
        writeln!(out, "{row}")?;
    }
    out.flush()
}

/// The latest rows, and how many there were.
struct Latest {
    limit: usize,
    rows: VecDeque<SessionRow>,
    matching: usize,
}

impl fmt::Debug for Latest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latest").field("matching", &self.matching).finish_non_exhaustive()
    }
}

impl Latest {
    fn push(&mut self, row: SessionRow) {
        self.matching += 1;
        if self.limit == 0 {
            return;
        }
        if self.rows.len() == self.limit {
            self.rows.pop_front();
        }
        self.rows.push_back(row);
    }

    fn print(&self, json: bool) -> io::Result<()> {
        if json {
            return output::json_lines(&self.rows);
        }
        output::text(&row::table(&self.rows).text(0))?;
        if self.matching > self.rows.len() {
            let shown = quantity::count(self.rows.len() as u64);
            let all = quantity::count(self.matching as u64);
            output::notice(&format!("the latest {shown} of {all} sessions are shown; see --limit"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
