//! `postern stat`: what is attached, how packets are handled, and why some are not accelerated.

mod report;
mod text;

use std::process;

use crate::cli::exit_code::ExitCode;
use crate::cli::gateway_args::GatewayArgs;
use crate::cli::mistake::CommandError;
use crate::cli::output;
use crate::cli::stat::report::Report;
use crate::packet_path::ports;
use crate::policy::suggest;

/// Show what is attached, how packets are handled, and why some are not accelerated.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  postern stat\n  postern stat --rules --interface eth0\n  \
                  postern stat --json | jq '.reasons[] | select(.path == \"dropped\")'")]
pub struct StatArgs {
    /// Which gateway, and how to print.
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// Add a table of rules with what each matched.
    #[arg(short, long)]
    pub rules: bool,
    /// Count only packets that came in by this interface.
    #[arg(short, long, value_name = "NAME")]
    pub interface: Option<String>,
}

/// Runs the command.
pub fn run(args: &StatArgs) -> anyhow::Result<process::ExitCode> {
    let maps = args.gateway.open()?;
    let ports = ports::list(&maps)?;
    if let Some(wanted) = &args.interface {
        let names: Vec<String> = ports.iter().map(ports::name).collect();
        if !names.contains(wanted) {
            let suggestion = suggest::closest(wanted, names.iter().map(String::as_str)).map(str::to_owned);
            return Err(CommandError::NotAGatewayInterface { name: wanted.clone(), suggestion }.into());
        }
    }
    let report = Report::read(&maps, &ports, args.interface.as_deref())?;
    if args.gateway.json {
        output::json(&report)?;
    } else {
        output::text(&text::write(&report, args.rules))?;
    }
    Ok(ExitCode::Ok.into())
}

#[cfg(test)]
mod tests;
