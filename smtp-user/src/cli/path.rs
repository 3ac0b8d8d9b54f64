//! `postern path`: which path a flow takes or would take, and why.

mod forecast;
mod report;

use std::process;

use crate::cli::conns::row::FlowRow;
use crate::cli::exit_code::ExitCode;
use crate::cli::gateway_args::GatewayArgs;
use crate::cli::output;
use crate::cli::path::forecast::Forecast;
use crate::cli::path::report::Report;
use crate::cli::tuple::FlowTuple;
use crate::packet_path::error::Result;
use crate::packet_path::flows::{self, Flow};
use crate::packet_path::maps::Maps;
use crate::packet_path::rule_base;

/// Say which path a flow takes or would take, and why.
///
/// A flow of the table is shown as it is. For any other, says step by step what would happen to its first
/// packet: ban, rule, inspector, route, neighbour.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  postern path tcp 10.77.1.2:40000 10.77.2.2:25\n  \
                  postern path tcp [fd77:1::2]:40000 [fd77:2::2]:25 --json\n  \
                  postern path udp 10.77.1.2:5353 10.77.2.2:53 --ingress eth0")]
pub struct PathArgs {
    /// Which gateway, and how to print.
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// Protocol, source and destination, each end with its port.
    #[arg(value_name = "TUPLE", required = true, num_args = 1..)]
    pub tuple: Vec<String>,
    /// Interface that the flow's first packet comes in by [default: the one toward its source].
    #[arg(long, value_name = "NAME")]
    pub ingress: Option<String>,
}

/// Runs the command.
pub fn run(args: &PathArgs) -> anyhow::Result<process::ExitCode> {
    let tuple = FlowTuple::parse(&args.tuple)?;
    let maps = args.gateway.open()?;
    let report = match find(&maps, &tuple)? {
        Some(flow) => {
            let rules = rule_base::active_rules(&maps)?;
            let current = flow.state.generation == maps.active()?.generation();
            Report::of_flow(tuple, FlowRow::new(&flow, &rules, flows::now(&maps)?), current)
        }
        None => Report::of_forecast(tuple, Forecast::make(&maps, &tuple, args.ingress.as_deref())?),
    };
    if args.gateway.json {
        output::json(&report)?;
    } else {
        output::text(&report.text())?;
    }
    Ok(ExitCode::Ok.into())
}

/// The flow in the table, whoever opened it.
fn find(maps: &Maps, tuple: &FlowTuple) -> Result<Option<Flow>> {
    let mut found = None;
    flows::list(maps, |flow| {
        if tuple.is_of(&flow) {
            found = Some(flow);
        }
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests;
