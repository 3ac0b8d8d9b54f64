//! `postern probe`: what a mail server says of itself.

pub mod dialogue;
pub mod line;
mod text;

use std::process;
use std::time::Duration;

use crate::cli::exit_code::ExitCode;
use crate::cli::output;
use crate::cli::probe::dialogue::probe;
use crate::cli::probe::line::Target;
use crate::cli::word;

/// Ask a mail server what it offers: greeting, EHLO keywords, STARTTLS, and its certificate. No mail is sent.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Exits with 69 when the server cannot be reached or does not speak SMTP.\n\n\
                  Examples:\n  postern probe mx.example.org:25\n  postern probe [2001:db8::25]:465 --tls\n  \
                  postern probe 192.0.2.25:25 --json | jq '.keywords[] | select(.passed_on | not)'")]
pub struct ProbeArgs {
    /// Server, as a name or an address, and its port.
    #[arg(value_name = "HOST:PORT")]
    pub server: String,
    /// TLS from the first octet on, as on port 465; no STARTTLS.
    #[arg(long)]
    pub tls: bool,
    /// Name that the certificate should prove, and that is asked for [default: the one in HOST].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// How long each step may take.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = word::duration)]
    pub timeout: Duration,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(args: &ProbeArgs) -> anyhow::Result<process::ExitCode> {
    let target = Target {
        server: &args.server,
        implicit_tls: args.tls,
        name: args.name.as_deref(),
        step: args.timeout,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(probe(&target));
    if args.json {
        output::json(&report)?;
    } else {
        output::text(&text::text(&report))?;
    }
    Ok(if report.speaks_smtp() { ExitCode::Ok } else { ExitCode::Unavailable }.into())
}

#[cfg(test)]
mod tests;
