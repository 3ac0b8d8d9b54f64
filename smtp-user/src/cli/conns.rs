//! `postern conns`: the flow table.

pub mod column;
mod filter;
pub mod row;

use std::io::{self, IsTerminal as _};
use std::process;

use serde::Serialize;

use crate::cli::conns::column::FlowColumn;
use crate::cli::conns::filter::FlowFilter;
use crate::cli::conns::row::FlowRow;
use crate::cli::exit_code::ExitCode;
use crate::cli::gateway_args::GatewayArgs;
use crate::cli::{output, quantity, word};
use crate::packet_path::flows::{self, Flow};
use crate::packet_path::rule_base;

/// List the flow table: who talks to whom, on which path, and why.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  postern conns --port 25 --sort octets --limit 10\n  \
                  postern conns --columns initiator,responder,path,starttls,session\n  \
                  postern conns --source 10.0.9.0/24 --state established --count\n  \
                  postern conns --json | jq 'select(.starttls.tls | not)'")]
pub struct ConnsArgs {
    /// Which gateway, and how to print. JSON is one object a line.
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// Which flows.
    #[command(flatten)]
    pub filter: FlowFilter,
    /// Flows shown at most [default: 1000 on a terminal, all elsewhere].
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Largest first: octets, age or idle.
    #[arg(long, value_name = "BY", value_parser = sort_key)]
    pub sort: Option<SortKey>,
    /// What to print of each flow, in this order [default: all there is].
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',', value_parser = FlowColumn::parse, conflicts_with = "json")]
    pub columns: Vec<FlowColumn>,
    /// Print only how many there are.
    #[arg(long, conflicts_with_all = ["limit", "sort", "columns"])]
    pub count: bool,
}

/// What flows are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// Octets, both ways.
    Octets,
    /// Time since it began.
    Age,
    /// Time since its last packet.
    Idle,
}

impl SortKey {
    const ALL: [Self; 3] = [Self::Octets, Self::Age, Self::Idle];

    const fn name(self) -> &'static str {
        match self {
            Self::Octets => "octets",
            Self::Age => "age",
            Self::Idle => "idle",
        }
    }

    fn of(self, flow: &Flow, now: u32) -> u64 {
        match self {
            Self::Octets => flow.state.octets.iter().sum(),
            Self::Age => smtp_common::tick::since(flow.state.created, now).into(),
            Self::Idle => smtp_common::tick::since(flow.state.last_seen, now).into(),
        }
    }
}

fn sort_key(text: &str) -> Result<SortKey, word::WordError> {
    word::one_of(text, "something to sort by", &SortKey::ALL, SortKey::name)
}

/// Flows shown on a terminal unless told otherwise.
const TERMINAL_LIMIT: usize = 1000;

/// Runs the command.
pub fn run(args: &ConnsArgs) -> anyhow::Result<process::ExitCode> {
    let maps = args.gateway.open()?;
    let rules = rule_base::active_rules(&maps)?;
    let filter = args.filter.resolve(&rules)?;
    let on_terminal = !args.gateway.json && io::stdout().is_terminal();
    let limit = args.limit.or(on_terminal.then_some(TERMINAL_LIMIT)).unwrap_or(usize::MAX);
    // Sorting needs all of them, counting none. Nothing is printed while the walk holds its lock: whoever
    // reads the output may be slow.
    let kept = if args.count {
        0
    } else if args.sort.is_some() {
        usize::MAX
    } else {
        limit
    };
    let mut selected: Vec<Flow> = Vec::new();
    let mut matching = 0_usize;
    flows::list(&maps, |flow| {
        if filter.matches(&flow) {
            matching += 1;
            if selected.len() < kept {
                selected.push(flow);
            }
        }
    })?;
    if args.count {
        print_count(args, matching)?;
        return Ok(ExitCode::Ok.into());
    }
    let now = flows::now(&maps)?;
    if let Some(key) = args.sort {
        selected.sort_by_key(|flow| std::cmp::Reverse(key.of(flow, now)));
        selected.truncate(limit);
    }
    let rows = selected.iter().map(|flow| FlowRow::new(flow, &rules, now));
    if args.gateway.json {
        output::json_lines(rows)?;
    } else {
        output::text(&column::table(rows, &args.columns).text(0))?;
        if matching > selected.len() {
            let (shown, all) = (quantity::count(selected.len() as u64), quantity::count(matching as u64));
            output::notice(&format!("{shown} of {all} flows are shown; see --limit"));
        }
    }
    Ok(ExitCode::Ok.into())
}

fn print_count(args: &ConnsArgs, flows: usize) -> io::Result<()> {
    #[derive(Serialize)]
    struct Count {
        flows: usize,
    }
    if args.gateway.json { output::json(&Count { flows }) } else { output::text(&format!("{flows}\n")) }
}

#[cfg(test)]
mod tests;
