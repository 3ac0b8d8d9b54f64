//! `postern-bench`: what packet path and mail path cost, as ratios against peers measured at the same time.
//!
//! Run as root, normally by `cargo xtask bench packet` or `cargo xtask bench smtp`. It works in network namespaces and a bpffs of
//! its own and removes them at the end, also after Ctrl-C. It never measures on a real interface.

mod cases;
mod frame;
mod gateway;
mod host;
mod interrupt;
mod lane;
mod live_frames;
mod measure_object;
mod netns;
mod pairs;
mod report;
mod rig;
mod schedstat;
mod skipped;
mod smtp;
mod subject;

#[expect(dead_code, unreachable_pub, reason = "shared with the kernel side, which uses the rest")]
#[path = "../../smtp-ebpf/src/measure/layout.rs"]
mod layout;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, ValueEnum};

use crate::cases::CASES;
use crate::gateway::Kind;
use crate::report::{PACKET_PATH, Report};
use crate::rig::Rig;
use crate::smtp::SmtpRig;
use crate::subject::Place;

/// Measures the packet path against kernel forwarding, connection tracking and floors, and the mail path against
/// proxies and mail gateways.
#[derive(Debug, Parser)]
#[command(name = "postern-bench", after_help = after_help())]
struct Arguments {
    /// What to do.
    #[arg(value_enum, default_value_t = Suite::Packet)]
    suite: Suite,
    /// Three pairs and fewer sweeps.
    #[arg(long)]
    quick: bool,
    /// Pairs a case (default 7, with --quick 3).
    #[arg(long)]
    pairs: Option<usize>,
    /// Length of a leg in seconds.
    #[arg(long, default_value_t = 1.5)]
    leg: f64,
    /// CPU of source, gateway and sink (default: the last one).
    #[arg(long)]
    cpu: Option<usize>,
    /// A case to run; may be given more than once (default: all).
    #[arg(long = "case", value_name = "CASE")]
    cases: Vec<String>,
    /// Writes every sample and result to this file as JSON lines.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Exit with 1 when a result's whole interval misses its target.
    #[arg(long)]
    gate: bool,
    /// The gateway to measure.
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/postern"))]
    postern: PathBuf,
    /// Measures a peer in the subject's place, to try the rig out; its ratios say nothing about Postern.
    #[arg(long, value_enum)]
    stand_in: Option<StandIn>,
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Measures the packet path.
    Packet,
    /// Measures the mail path.
    Smtp,
    /// Only compiles the measuring programs, which needs no root.
    Compile,
}

/// Peers that can stand in for the subject.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum StandIn {
    /// The kernel's routing; against itself, every ratio should be 1.
    Kernel,
    /// XDP with one next hop for everything.
    XdpConst,
    /// XDP with a route look-up for every packet.
    XdpFib,
    /// haproxy, for the mail path.
    Haproxy,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("postern-bench: {error:#}");
            ExitCode::from(70)
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.suite == Suite::Compile {
        measure_object::compile()?;
        return Ok(ExitCode::SUCCESS);
    }
    ensure!(nix::unistd::geteuid().is_root(), "namespaces and BPF need root");
    ensure!((0.1..=20.0).contains(&arguments.leg), "a leg lasts 0.1 to 20 seconds");
    for case in &arguments.cases {
        let known = match arguments.suite {
            Suite::Smtp => smtp::knows(case),
            _ => CASES.iter().any(|(name, ..)| name.eq_ignore_ascii_case(case)) || case == "F2",
        };
        ensure!(known, "there is no case {case}; {}", after_help());
    }
    for tool in ["ip", "ethtool"] {
        netns::require(tool)?;
    }
    interrupt::install()?;
    netns::sweep();
    let scratch =
        tempfile::Builder::new().prefix("postern-bench-").tempdir().context("making a scratch folder")?;
    let _bpffs = Place::prepare(arguments.postern.clone(), scratch.path())?;
    let pairs = arguments.pairs.unwrap_or(if arguments.quick { 3 } else { 7 }).max(1);
    let leg = Duration::from_secs_f64(arguments.leg);
    if arguments.suite == Suite::Smtp {
        let mut rig = SmtpRig {
            postern: arguments.postern.clone(),
            pairs,
            leg,
            quick: arguments.quick,
            stand_in: arguments.stand_in.is_some(),
            scratch: scratch.path().to_owned(),
            report: Report::open(smtp::SUITE, arguments.json.as_deref(), &format!("{arguments:?}"))?,
        };
        if rig.stand_in {
            rig.report.note("THE SUBJECT IS A STAND-IN (haproxy), not Postern.");
        }
        let outcome = smtp::run(&mut rig, &arguments.cases);
        return conclude(&rig.report, outcome, arguments.gate);
    }
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let mut rig = Rig {
        ebpf: measure_object::load()?,
        cpu: arguments.cpu.unwrap_or(cpus - 1),
        pairs,
        leg,
        quick: arguments.quick,
        stand_in: arguments.stand_in.and_then(|stand_in| match stand_in {
            StandIn::Kernel => Some(Kind::Kernel),
            StandIn::XdpConst => Some(Kind::XdpConst),
            StandIn::XdpFib => Some(Kind::XdpFib),
            StandIn::Haproxy => None,
        }),
        slow_share: 0.0,
        report: Report::open(PACKET_PATH, arguments.json.as_deref(), &format!("{arguments:?}"))?,
    };
    if let Some(kind) = &rig.stand_in {
        let name = kind.name();
        rig.report.note(format!("THE SUBJECT IS A STAND-IN ({name}), not Postern."));
    }
    let outcome = cases::run(&mut rig, &arguments.cases);
    conclude(&rig.report, outcome, arguments.gate)
}

/// Prints the table, and says what is below target.
fn conclude(report: &Report, outcome: Result<()>, gate: bool) -> Result<ExitCode> {
    print!("{}", report.markdown());
    outcome?;
    let failures = report.failures();
    for failure in &failures {
        eprintln!("below target: {failure}");
    }
    Ok(if gate && !failures.is_empty() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn after_help() -> String {
    let list = |cases: &mut dyn Iterator<Item = (&'static str, &'static str)>| {
        cases.map(|(name, asks)| format!("  {name:9} {asks}")).collect::<Vec<_>>().join("\n")
    };
    format!(
        "Cases of packet:\n{}\nCases of smtp:\n{}",
        list(&mut CASES.iter().map(|(name, asks, _)| (*name, *asks))),
        list(&mut smtp::names())
    )
}
