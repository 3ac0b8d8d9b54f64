//! Boots an emulated machine and reads from its console how it went.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Outcome;
use super::kernel::Kernel;
use crate::root;
use crate::workspace::search_path;

/// A machine.
pub(crate) struct Machine {
    /// What its files are called.
    pub(crate) name: String,
    /// Its memory.
    pub(crate) mebibytes: u32,
    /// After which it is ended.
    pub(crate) longest: Duration,
}

impl Machine {
    /// Boots it with an initial file system; its files go into a folder.
    pub(crate) fn boot(&self, folder: &Path, kernel: &Kernel, initial: &[u8]) -> Result<Outcome> {
        let started = Instant::now();
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", &self.longest.as_secs().to_string(), EMULATOR]).args(self.words(
            folder,
            kernel,
            &[initial],
        )?);
        let mut machine = spawn(&mut command)?;
        let console = machine.stdout.take().context("the machine has no console")?;
        let said: Vec<String> = BufReader::new(console)
            .split(b'\n')
            .map_while(Result::ok)
            .map(|line| String::from_utf8_lossy(&line).trim_end().to_owned())
            .collect();
        machine.wait()?;
        self.write_down(folder, &said)?;
        let who = format!("kernel {}, {}", kernel.name, self.name);
        let seconds = started.elapsed().as_secs_f32();
        if said.iter().any(|line| line == PASS) {
            for line in said.iter().filter_map(|line| line.strip_prefix(NOTE)) {
                println!("{who}: {line}");
            }
            println!("{who}: passed in {seconds:.1} s");
            return Ok(Outcome::Passed);
        }
        let last = last_of(&said);
        Ok(Outcome::Failed(format!("{who}: failed after {seconds:.1} s; the console said:\n  {last}")))
    }

    /// Boots it with a disk, and takes the power away some time after it has said a line. Gives what it said until then.
    pub(crate) fn reset(
        &self,
        folder: &Path,
        kernel: &Kernel,
        initial: &[&[u8]],
        disk: &Path,
        (line, after): (&str, Duration),
    ) -> Result<Vec<String>> {
        let mut drive = OsString::from("if=virtio,format=raw,cache=unsafe,file=");
        drive.push(disk);
        let mut command = Command::new(EMULATOR);
        command.args(self.words(folder, kernel, initial)?).arg("-drive").arg(drive);
        let mut until = Instant::now() + self.longest;
        let mut machine = Ended(spawn(&mut command)?);
        let console = machine.0.stdout.take().context("the machine has no console")?;
        let (tell, told) = mpsc::sync_channel(UNREAD_LINES);
        thread::spawn(move || {
            let mut console = BufReader::new(console);
            let mut line = Vec::new();
            // What was cut off was not said.
            while console.read_until(b'\n', &mut line).is_ok() && line.ends_with(b"\n") {
                if tell.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                    break;
                }
                line.clear();
            }
        });
        let mut said = Vec::new();
        loop {
            match told.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(word) => {
                    if word == line {
                        until = Instant::now() + after;
                    }
                    said.push(word);
                }
                Err(RecvTimeoutError::Timeout) => {
                    machine.0.kill()?;
                    break;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        said.extend(told);
        self.write_down(folder, &said)?;
        Ok(said)
    }

    /// What the emulator is told; an initial file system may come in pieces.
    fn words(&self, folder: &Path, kernel: &Kernel, initial: &[&[u8]]) -> Result<Vec<OsString>> {
        let archive = folder.join(format!("{}.cpio", self.name));
        fs::write(&archive, initial.concat())?;
        let memory = self.mebibytes.to_string();
        let mut words: Vec<OsString> = ["-accel", "tcg", "-m", &memory].map(OsString::from).into();
        words.extend(["-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio"].map(OsString::from));
        words.extend(["-kernel".into(), kernel.image.clone().into()]);
        words.extend(["-initrd".into(), archive.into()]);
        words.extend(["-append", "console=ttyS0 quiet panic=-1 postern.emulated=1"].map(OsString::from));
        Ok(words)
    }

    fn write_down(&self, folder: &Path, said: &[String]) -> Result<()> {
        Ok(fs::write(folder.join(format!("{}.log", self.name)), said.join("\n"))?)
    }
}

/// The last words of a machine.
pub(crate) fn last_of(said: &[String]) -> String {
    said[said.len().saturating_sub(SHOWN_LINES)..].join("\n  ")
}

/// A machine that does not go on without whoever watches it.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(command: &mut Command) -> Result<Child> {
    command
        .env("PATH", search_path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", root::line(command)))
}

const EMULATOR: &str = "qemu-system-x86_64";
/// Console lines that wait for whoever watches; the machine waits with more.
const UNREAD_LINES: usize = 256;
/// Console lines shown of a failure.
const SHOWN_LINES: usize = 40;
/// The line that the machine ends with when all went well.
const PASS: &str = "POSTERN-VM: PASS";
/// What goes before a line for people.
const NOTE: &str = "POSTERN-VM: note ";
