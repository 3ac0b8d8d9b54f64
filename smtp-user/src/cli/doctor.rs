//! `postern doctor`: whether this machine has what Postern needs, and whether what is loaded is in order.

mod gateway;
mod host;
mod next_hops;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process;

use serde::Serialize;

use crate::cli::exit_code::ExitCode;
use crate::cli::gateway_args::GatewayArgs;
use crate::cli::output;
use crate::packet_path::error::PacketPathError;
use crate::packet_path::pins::Pins;

/// Check this machine: rights, kernel, BPF file system, what is loaded, and the way around it.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Exits with 0 when nothing failed, with 69 otherwise; warnings do not count.\n\n\
                  Examples:\n  postern doctor\n  postern doctor --probe --config postern.toml\n  postern doctor --json | jq '.checks[] | select(.status == \"fail\")'")]
pub struct DoctorArgs {
    /// Which gateway, and how to print.
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// Also call the servers behind `inspect` rules: do they answer, and what will their clients see?
    #[arg(long)]
    pub probe: bool,
    /// Configuration file that names them [default: /etc/postern/postern.toml].
    #[arg(long, short, value_name = "FILE", requires = "probe")]
    pub config: Option<PathBuf>,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// As it should be.
    Ok,
    /// Somebody should look at it.
    Warn,
    /// Postern cannot work so.
    Fail,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Check {
    name: &'static str,
    status: Status,
    /// A sentence, with what to do about it.
    detail: String,
}

impl Check {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, detail: detail.into() }
    }

    fn warn(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, status: Status::Warn, detail: detail.into() }
    }

    fn fail(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, status: Status::Fail, detail: detail.into() }
    }
}

#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    checks: Vec<Check>,
}

/// Runs the command.
pub fn run(args: &DoctorArgs) -> anyhow::Result<process::ExitCode> {
    let pins = Pins::new(&args.gateway.pin_dir);
    let mut checks = host::checks(&pins);
    checks.extend(gateway::checks(&pins));
    if args.probe {
        checks.extend(next_hops::checks(args.config.as_deref()));
    }
    let ok = checks.iter().all(|check| check.status != Status::Fail);
    if args.gateway.json {
        output::json(&Report { ok, checks })?;
    } else {
        output::text(&text(&checks))?;
    }
    Ok(if ok { ExitCode::Ok } else { ExitCode::Unavailable }.into())
}

fn text(checks: &[Check]) -> String {
    let word = |status| match status {
        Status::Ok => "ok  ",
        Status::Warn => "warn",
        Status::Fail => "FAIL",
    };
    checks.iter().fold(String::new(), |mut text, check| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}  {:<13} {}", word(check.status), check.name, check.detail);
        text
    })
}

/// An error as a sentence.
fn sentence(error: &PacketPathError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

#[cfg(test)]
mod tests;
