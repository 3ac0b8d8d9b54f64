//! `cargo xtask test`: unit tests as the caller, scenarios as root, other kernels under emulation.
//!
//! What cannot run is counted as skipped, with its reason, and never as passed. A scenario that finds it
//! cannot run says so by a line in the file that `POSTERN_SKIP_LOG` names: its name, a colon, why.

mod runner;

use std::fs;

use anyhow::{Result, bail};

use crate::build;
use crate::root::Root;
use crate::setup::{self, Compiler, Need};
use crate::tally::Tally;
use crate::vm::power_loss::Depth;
use crate::vm::{self, Outcome};
use crate::workspace::{Profile, Workspace};

/// `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which tests.
    #[arg(value_enum, default_value = "all")]
    what: What,
    /// Only the tests on other kernels, under emulation.
    #[arg(long, conflicts_with = "what")]
    kernels: bool,
    /// Only what faults do, at length, for two and a half hours: two thousand kills of daemons and dequeuers and many more
    /// of workers, a thousand disks without room, half an hour at each limit of descriptors, threads and memory, five
    /// thousand deliveries that go wrong, five hundred messages for each fault of an engine, losses of power at more than a
    /// thousand points and by a hundred resets.
    #[arg(long, conflicts_with_all = ["what", "kernels"])]
    faults: bool,
    /// Passed on to the test runner, for example a test's name.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Which tests.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// No rights needed.
    Unit,
    /// Programs and namespaces.
    Root,
    /// On other kernels, under emulation.
    Kernels,
    /// What faults do, at length.
    Faults,
    /// All of them but the last.
    All,
}

/// Counts, and the reasons of what was skipped.
#[derive(Default)]
struct Report {
    tally: Tally,
    reasons: Vec<String>,
}

impl Report {
    fn skip(&mut self, what: &str, why: &str) {
        self.tally.skipped += 1;
        self.reasons.push(format!("{what}: {why}"));
    }

    fn outcome(&mut self, what: &str, outcome: Result<Outcome>) {
        match outcome {
            Ok(Outcome::Passed) => self.tally.passed += 1,
            Ok(Outcome::Failed(why)) => {
                println!("{why}");
                self.tally.failed += 1;
            }
            Ok(Outcome::Skipped(why)) => self.skip(what, &why),
            Err(error) => {
                println!("{what}: {error:#}");
                self.tally.failed += 1;
            }
        }
    }
}

/// Runs the command.
pub(crate) fn command(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let what = match arguments {
        Arguments { kernels: true, .. } => What::Kernels,
        Arguments { faults: true, .. } => What::Faults,
        Arguments { what, .. } => *what,
    };
    let wants = |group| what == group || what == What::All;
    let mut report = Report::default();
    if wants(What::Unit) {
        setup::ensure(workspace, &[Need::Build])?;
        let packages = ["smtp-common", "smtp-user", "xtask"];
        let own = runner::Rights::Own;
        report.tally += runner::run(workspace, &packages, &own, Depth::Short, &arguments.rest)?;
    }
    if wants(What::Root) {
        root(workspace, Depth::Short, &arguments.rest, &mut report)?;
    }
    if wants(What::Kernels) {
        kernels(workspace, &mut report);
        power_loss(workspace, Depth::Short, &mut report);
    }
    // They take too long to be among all of them.
    if what == What::Faults {
        setup::ensure(workspace, &[Need::Build])?;
        let (own, filters) = (runner::Rights::Own, LONG_UNIT_TESTS.map(str::to_owned));
        report.tally += runner::run(workspace, &["smtp-user"], &own, Depth::Full, &filters)?;
        root(workspace, Depth::Full, &LONG_SCENARIOS.map(str::to_owned), &mut report)?;
        power_loss(workspace, Depth::Full, &mut report);
    }
    if !report.reasons.is_empty() {
        println!("\nSkipped:");
        for reason in &report.reasons {
            println!("  {reason}");
        }
    }
    println!("\n{}", report.tally);
    if report.tally.failed > 0 {
        bail!("{} failed", report.tally.failed);
    }
    Ok(())
}

/// Tests of what faults do, by parts of their names, which do more when they are asked for all.
const LONG_UNIT_TESTS: [&str; 3] =
    ["dequeuer::tests::clock_steps", "dequeuer::tests::downstream_faults", "spool::tests"];
const LONG_SCENARIOS: [&str; 5] =
    ["at_the_limits", "engine_faults", "full_disk", "processes_are_killed::mail_is_taken", "spool_is_killed"];

fn root(workspace: &Workspace, depth: Depth, rest: &[String], report: &mut Report) -> Result<()> {
    let name = "scenarios (package postern-tests)";
    let root = Root::detect();
    if root == Root::None {
        report.skip(name, "needs root, and there is no sudo");
        return Ok(());
    }
    let compiler = match setup::ensure(workspace, &[Need::Kernel, Need::Lab, Need::Peers]) {
        Ok(compiler) => compiler,
        Err(error) => {
            report.skip(name, &format!("{error:#}"));
            return Ok(());
        }
    };
    if let Compiler::Missing { what } = compiler {
        report.skip(name, &format!("no BPF compiler: {what} is missing"));
        return Ok(());
    }
    // The scenarios run the binary itself, which cargo does not build for another package's tests.
    build::postern(workspace, Profile::Dev)?;
    let log = workspace.target().join("skipped-tests.log");
    fs::create_dir_all(workspace.target())?;
    fs::write(&log, "")?;
    let rights = runner::Rights::Root { root, skip_log: log.clone() };
    let mut tally = runner::run(workspace, &["postern-tests"], &rights, depth, rest)?;
    for reason in fs::read_to_string(&log)?.lines().filter(|line| !line.is_empty()) {
        // The runner saw such a test return in peace and counted it as passed.
        tally.passed = tally.passed.saturating_sub(1);
        tally.skipped += 1;
        report.reasons.push(reason.to_owned());
    }
    report.tally += tally;
    Ok(())
}

fn kernels(workspace: &Workspace, report: &mut Report) {
    report.outcome("kernels", vm::packet_path::run(workspace));
}

fn power_loss(workspace: &Workspace, depth: Depth, report: &mut Report) {
    match vm::power_loss::run(workspace, depth) {
        Ok(outcomes) => outcomes.into_iter().for_each(|outcome| report.outcome("power loss", Ok(outcome))),
        Err(error) => report.outcome("power loss", Err(error)),
    }
}
