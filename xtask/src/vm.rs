//! The emulated machine: Debian 12's own 6.1 kernel, an initial file system made here, and a script that
//! loads Postern, forwards something and says PASS or FAIL.
//!
//! Nothing of this kernel is installed: its package is unpacked under `target/kernels`.

mod archive;
mod image;
mod kernel;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::setup::{self, Compiler, Need};
use crate::workspace::{Profile, Workspace, search_path};
use crate::{build, root};

/// How it went.
pub(crate) enum Outcome {
    /// As it should.
    Passed,
    /// It did not; with the console's last words.
    Failed(String),
    /// It could not be tried.
    Skipped(String),
}

/// Builds, boots and judges.
pub(crate) fn run(workspace: &Workspace) -> Result<Outcome> {
    if !cfg!(target_arch = "x86_64") {
        return Ok(Outcome::Skipped("the emulated kernel is for x86-64 only".to_owned()));
    }
    let compiler = match setup::ensure(workspace, &[Need::Build, Need::Lab, Need::Emulator]) {
        Ok(compiler) => compiler,
        Err(error) => return Ok(Outcome::Skipped(format!("{error:#}"))),
    };
    if let Compiler::Missing { what } = compiler {
        return Ok(Outcome::Skipped(format!("no BPF compiler: {what} is missing")));
    }
    let folder = workspace.target().join("kernels");
    let kernel = match kernel::fetch(workspace, &folder) {
        Ok(kernel) => kernel,
        Err(error) => return Ok(Outcome::Skipped(format!("{error:#}"))),
    };
    let postern = build::postern(workspace, Profile::Dev)?;
    let initial = folder.join("initramfs.cpio");
    fs::write(&initial, image::build(&kernel, &postern)?)?;
    boot(workspace, &kernel, &initial)
}

fn boot(workspace: &Workspace, kernel: &kernel::Kernel, initial: &std::path::Path) -> Result<Outcome> {
    let started = Instant::now();
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=5", &LONGEST_BOOT.as_secs().to_string(), "qemu-system-x86_64"])
        .args(["-accel", "tcg", "-m", "1024", "-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio"])
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(initial)
        .args(["-append", "console=ttyS0 quiet panic=-1"])
        .env("PATH", search_path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut machine = command.spawn().with_context(|| format!("cannot start {}", root::line(&command)))?;
    let console = machine.stdout.take().context("the machine has no console")?;
    let mut words = Vec::new();
    for line in BufReader::new(console).split(b'\n').map_while(Result::ok) {
        words.push(String::from_utf8_lossy(&line).trim_end().to_owned());
    }
    machine.wait()?;
    fs::write(workspace.target().join("kernels/console.log"), words.join("\n"))?;
    let name = &kernel.name;
    let seconds = started.elapsed().as_secs_f32();
    if words.iter().any(|line| line == PASS) {
        for line in words.iter().filter_map(|line| line.strip_prefix(NOTE)) {
            println!("kernel {name}: {line}");
        }
        println!("kernel {name}: passed in {seconds:.1} s");
        return Ok(Outcome::Passed);
    }
    let last = words[words.len().saturating_sub(SHOWN_LINES)..].join(
        "
  ",
    );
    Ok(Outcome::Failed(format!("kernel {name}: failed after {seconds:.1} s; the console said:\n  {last}")))
}

/// Half a minute, most of it the verifier in software emulation; a busy machine takes longer.
const LONGEST_BOOT: Duration = Duration::from_mins(4);
/// Console lines shown of a failure.
const SHOWN_LINES: usize = 40;
/// The line that the machine ends with when all went well.
const PASS: &str = "POSTERN-VM: PASS";
/// What goes before a line for people.
const NOTE: &str = "POSTERN-VM: note ";
