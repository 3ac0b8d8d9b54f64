//! Commands, one file each. A command prints and never decides.

pub mod args;
pub mod ban;
pub mod ca;
pub mod check;
pub mod clean;
pub mod conns;
pub mod doctor;
pub mod exit_code;
pub mod explain;
pub mod failure;
pub(crate) mod file;
mod forecasters;
pub mod gateway_args;
pub mod lock;
pub mod mistake;
pub mod moment;
pub mod output;
pub mod path;
pub mod probe;
pub mod quantity;
pub mod quarantine;
pub mod queue;
pub mod records_args;
pub mod replay;
pub mod route;
pub mod rules;
pub mod scan;
pub mod selftest;
pub mod sessions;
pub mod set;
pub mod stat;
pub mod stop;
pub mod table;
pub mod tuple;
pub mod uninspected;
pub mod unlisted;
pub mod word;

#[cfg(test)]
pub(crate) mod fixture;

use std::process;

use clap::Parser as _;

use crate::app::dequeuer;
use crate::app::run;
use crate::cli::args::{Cli, Command};
use crate::cli::exit_code::ExitCode;

/// Reads the command line, runs the command, and says in one sentence why it failed.
pub fn main() -> process::ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no mistakes. There is nobody to tell when this cannot be printed.
            let _ = error.print();
            let code = if error.use_stderr() { ExitCode::Usage } else { ExitCode::Ok };
            return code.into();
        }
    };
    run(&cli.command).unwrap_or_else(|error| failure::report(&error).into())
}

fn run(command: &Command) -> anyhow::Result<process::ExitCode> {
    match command {
        Command::Run(args) => run::run(args),
        Command::Stop(args) => stop::run(args),
        Command::Stat(args) => stat::run(args),
        Command::Conns(args) => conns::run(args),
        Command::Rules(args) => rules::run(args),
        Command::Set(args) => set::run(args),
        Command::Ban(args) => ban::run(args),
        Command::Path(args) => path::run(args),
        Command::Sessions(args) => sessions::run(args),
        Command::Queue(args) => queue::run(args),
        Command::Quarantine(args) => quarantine::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Uninspected(args) => uninspected::run(args),
        Command::Probe(args) => probe::run(args),
        Command::Scan(args) => scan::run(args),
        Command::Replay(args) => replay::run(args),
        Command::ScanWorker => {
            crate::worker::process::work()?;
            Ok(process::ExitCode::SUCCESS)
        }
        Command::Dequeuer(args) => dequeuer::run(args),
        Command::Selftest(args) => selftest::run(args),
        Command::Clean(args) => clean::run(args),
        Command::Lock(args) => lock::lock(args),
        Command::Unlock(args) => lock::unlock(args),
        Command::Check(args) => check::run(args),
        Command::Ca(args) => ca::run(args),
        Command::Doctor(args) => doctor::run(args),
    }
}
