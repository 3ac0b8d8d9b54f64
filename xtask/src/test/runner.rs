//! Runs cargo's tests of some packages and counts what its runner says.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result};

use crate::root::Root;
use crate::tally::{Runner, Tally};
use crate::vm::power_loss::Depth;
use crate::workspace::{Workspace, find_program, search_path};

/// With whose rights the test programs run; they are always built as the caller.
pub(crate) enum Rights {
    /// The caller's.
    Own,
    /// Root's.
    Root {
        /// How.
        root: Root,
        /// Where scenarios write that they were skipped, and why.
        skip_log: PathBuf,
    },
}

/// Each scenario has namespaces and pins of its own, and much of its time is waiting; but its deadlines are for a
/// machine that is not crowded.
const SCENARIOS_AT_ONCE: &str = "2";

/// Builds and runs the tests; what the runner says is passed on as it comes.
pub(crate) fn run(
    workspace: &Workspace,
    packages: &[&str],
    rights: &Rights,
    depth: Depth,
    rest: &[String],
) -> Result<Tally> {
    let nextest = find_program("cargo-nextest").is_some();
    let runner = if nextest { Runner::Nextest } else { Runner::CargoTest };
    let mut command = Command::new("cargo");
    if nextest {
        command.args(["nextest", "run", "--no-fail-fast", "--no-tests=pass", "--status-level=fail"]);
        command.args(["--final-status-level=slow", "--hide-progress-bar"]);
    } else {
        command.args(["test", "--quiet", "--no-fail-fast"]);
    }
    for package in packages {
        command.args(["--package", package]);
    }
    command.current_dir(&workspace.root).env("PATH", search_path());
    if depth == Depth::Full {
        command.env("POSTERN_FAULTS", "full");
    }
    if let Rights::Root { root, skip_log } = rights {
        command.env("POSTERN_SKIP_LOG", skip_log);
        if *root == Root::Sudo {
            command.env(RUNNER_VARIABLE, "sudo --preserve-env");
        }
        if nextest {
            command.args(["--test-threads", SCENARIOS_AT_ONCE]);
        } else {
            command.env("RUST_TEST_THREADS", SCENARIOS_AT_ONCE);
        }
    }
    if nextest {
        command.args(rest);
    } else {
        command.arg("--").args(rest);
    }
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("starting cargo")?;
    let (sender, lines) = mpsc::sync_channel(64);
    let readers: Vec<_> = [
        child.stdout.take().map(|pipe| follow(runner, pipe, std::io::stdout(), sender.clone())),
        child.stderr.take().map(|pipe| follow(runner, pipe, std::io::stderr(), sender)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut tally = Tally::default();
    for counts in lines {
        tally += counts;
    }
    for reader in readers {
        // A reader that panicked has shown its reason already.
        let _ = reader.join();
    }
    // A package that does not build, or a runner that dies, must not look like "nothing failed".
    if !child.wait()?.success() && tally.failed == 0 {
        tally.failed = 1;
    }
    Ok(tally)
}

fn follow(
    runner: Runner,
    from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    counts: mpsc::SyncSender<Tally>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&line);
            // When nobody reads on, the counts still matter.
            let _ = writeln!(to, "{text}");
            if let Some(tally) = Tally::of_line(runner, &text) {
                let _ = counts.send(tally);
            }
        }
    })
}

#[cfg(target_arch = "x86_64")]
const RUNNER_VARIABLE: &str = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER";
#[cfg(not(target_arch = "x86_64"))]
const RUNNER_VARIABLE: &str = "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER";
