//! Boots an emulated machine and reads from its console how it went.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Outcome;
use super::kernel::Kernel;
use crate::root;
use crate::workspace::search_path;

/// A machine.
pub(crate) struct Machine {
    /// What its files are called.
    pub(crate) name: &'static str,
    /// Its memory.
    pub(crate) mebibytes: u32,
    /// After which it is ended.
    pub(crate) longest: Duration,
}

impl Machine {
    /// Boots it with an initial file system; its files go into a folder.
    pub(crate) fn boot(&self, folder: &Path, kernel: &Kernel, initial: &[u8]) -> Result<Outcome> {
        let archive = folder.join(format!("{}.cpio", self.name));
        fs::write(&archive, initial)?;
        let started = Instant::now();
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after=5", &self.longest.as_secs().to_string(), "qemu-system-x86_64"])
            .args(["-accel", "tcg", "-m", &self.mebibytes.to_string()])
            .args(["-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio"])
            .arg("-kernel")
            .arg(&kernel.image)
            .arg("-initrd")
            .arg(&archive)
            .args(["-append", "console=ttyS0 quiet panic=-1 postern.emulated=1"])
            .env("PATH", search_path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut machine =
            command.spawn().with_context(|| format!("cannot start {}", root::line(&command)))?;
        let console = machine.stdout.take().context("the machine has no console")?;
        let mut words = Vec::new();
        for line in BufReader::new(console).split(b'\n').map_while(Result::ok) {
            words.push(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
        machine.wait()?;
        fs::write(folder.join(format!("{}.log", self.name)), words.join("\n"))?;
        let who = format!("kernel {}, {}", kernel.name, self.name);
        let seconds = started.elapsed().as_secs_f32();
        if words.iter().any(|line| line == PASS) {
            for line in words.iter().filter_map(|line| line.strip_prefix(NOTE)) {
                println!("{who}: {line}");
            }
            println!("{who}: passed in {seconds:.1} s");
            return Ok(Outcome::Passed);
        }
        let last = words[words.len().saturating_sub(SHOWN_LINES)..].join("\n  ");
        Ok(Outcome::Failed(format!("{who}: failed after {seconds:.1} s; the console said:\n  {last}")))
    }
}

/// Console lines shown of a failure.
const SHOWN_LINES: usize = 40;
/// The line that the machine ends with when all went well.
const PASS: &str = "POSTERN-VM: PASS";
/// What goes before a line for people.
const NOTE: &str = "POSTERN-VM: note ";
