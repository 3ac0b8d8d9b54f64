//! The `postern` binary: arguments to command to exit code.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use smtp_user::app::run::{self, RunArgs};
use smtp_user::cli::stop::{self, StopArgs};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(RunArgs),
    Stop(StopArgs),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Stop(args) => stop::run(&args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("postern: {error:#}");
        ExitCode::from(70)
    })
}
