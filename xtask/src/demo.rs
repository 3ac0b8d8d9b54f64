//! `cargo xtask demo`: builds all, makes the lab, shows the main job on one screen, takes the lab down.
//!
//! The main job: mail is looked at inside its TLS, and what is infected is refused in the dialogue, while everything
//! else goes by in the kernel. What is shown stands in [`acts`].
//!
//! Whatever happens in between, Postern is stopped and the lab removed; an interrupt ends the running step and
//! Postern, and then the same clean-up runs.

mod acts;
mod mail;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use crate::build;
use crate::lab::{self, Host};
use crate::root::Root;
use crate::setup::{self, Need};
use crate::workspace::{Profile, Workspace};

/// `cargo xtask demo`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Leave the lab and Postern running at the end, to look around.
    #[arg(long)]
    keep: bool,
}

/// Postern in the lab's gateway.
struct Gateway {
    postern: PathBuf,
    config: PathBuf,
    daemon: Child,
}

/// Runs the command.
pub(crate) fn command(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    heading("Set up and build")?;
    let compiler = setup::ensure(workspace, &[Need::Kernel, Need::Lab])?;
    let started = Instant::now();
    let postern = build::postern(workspace, Profile::Release)?;
    let server = mail::build_server(workspace)?;
    println!(
        "Built {} in {:.0} s. {}.",
        short(workspace, &postern),
        started.elapsed().as_secs_f32(),
        compiler.describe()
    );

    catch_interrupts()?;
    let was_up = !lab::up()?;
    let begun = Instant::now();
    let shown = show(workspace, &postern, &server, arguments.keep);
    if arguments.keep && shown.is_ok() {
        println!(
            "\nLeft running. Look around with `cargo xtask lab exec gw -- {} --pin-dir {PIN_DIR} stat`; end with `cargo xtask lab down`.",
            short(workspace, &postern)
        );
        return shown;
    }
    if was_up {
        println!("\nThe lab was up before and stays.");
    } else {
        let taken_down = lab::down().and_then(|()| remove_pins(&postern));
        if shown.is_ok() {
            taken_down?;
            println!("\nPostern stopped, lab removed; {} s since it was built.", begun.elapsed().as_secs());
        }
    }
    shown
}

fn show(workspace: &Workspace, postern: &Path, server: &Path, keep: bool) -> Result<()> {
    let mut gateway = Gateway::start(workspace, postern)?;
    let shown = mail::Server::start(server).and_then(|mail| {
        acts::play(&gateway)?;
        if keep {
            mail.leave();
        }
        Ok(())
    });
    if shown.is_ok() && keep {
        return Ok(());
    }
    let stopped = gateway.stop();
    let log = workspace.target().join(LOG);
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    shown.and(stopped).map_err(|error| {
        let words = last_lines(&log);
        anyhow!(
            "the demo did not end well: {error:#}\nPostern's own last words ({}):\n{words}",
            log.display()
        )
    })
}

impl Gateway {
    fn start(workspace: &Workspace, postern: &Path) -> Result<Self> {
        let config = workspace.root.join("xtask/src/demo/postern.toml");
        let program = postern.to_str().context("the target folder's name is not UTF-8")?;
        let text = config.to_str().context("the project's folder is not UTF-8")?;
        // Nobody trusts an earlier demo's CA, and its records would only be in the way.
        Root::detect().run("rm", &["-rf", DATA_DIR])?;
        Root::detect().run(program, &["ca", "init", "--config", text])?;
        let log = workspace.target().join(LOG);
        let file = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        let words = [
            postern.as_os_str(),
            "run".as_ref(),
            "--config".as_ref(),
            config.as_os_str(),
            "--pin-dir".as_ref(),
            PIN_DIR.as_ref(),
        ];
        let daemon = lab::inside(Host::Gw, words[0], &words[1..])?
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .context("starting postern run")?;
        let mut gateway = Self { postern: postern.to_owned(), config: config.clone(), daemon };
        let ready = gateway.wait_until_ready();
        if ready.is_err() {
            let _ = gateway.stop();
        }
        ready.with_context(|| last_lines(&log)).map(|()| gateway)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            if self.postern(&["stat", "--json"])?.output()?.status.success() {
                return Ok(());
            }
            if let Some(status) = self.daemon.try_wait()? {
                bail!("postern run ended at once: {status}");
            }
            if Instant::now() > deadline {
                bail!("postern run was not ready within {} s", READY_WITHIN.as_secs());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn postern(&self, words: &[&str]) -> Result<Command> {
        let mut command = lab::inside(Host::Gw, self.postern.as_os_str(), &[])?;
        command.args(words).args(["--pin-dir", PIN_DIR]);
        Ok(command)
    }

    fn show(&self, words: &[&str]) -> Result<()> {
        println!("$ postern {}", words.join(" "));
        let status = self.postern(words)?.status()?;
        if !status.success() {
            bail!("postern {} ended with {status}", words.join(" "));
        }
        Ok(())
    }

    /// The same for commands that read records, of which the maps know nothing.
    fn show_records(&self, words: &[&str]) -> Result<()> {
        println!("$ postern {}", words.join(" "));
        let config = self.config.to_str().context("the project's folder is not UTF-8")?;
        let words = [words, &["--config", config]].concat();
        let program = self.postern.to_str().context("the target folder's name is not UTF-8")?;
        let status = Root::detect().command(program, &words)?.status()?;
        if !status.success() {
            bail!("postern {} ended with {status}", words.join(" "));
        }
        Ok(())
    }

    /// Shows the section of a longer output that has this heading.
    fn show_section(&self, words: &[&str], heading: &str) -> Result<()> {
        let shown = words.join(" ");
        println!("$ postern {shown}          (of which: {heading})");
        let output = self.postern(words)?.stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            bail!("postern {shown} ended with {}", output.status);
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let section = text.split("\n\n").find_map(|section| section.strip_prefix(heading));
        println!("{}", section.with_context(|| format!("it has no {heading}"))?.trim_matches('\n'));
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        let stopped = self.postern(&["stop"])?.output()?;
        let deadline = Instant::now() + STOPPED_WITHIN;
        while self.daemon.try_wait()?.is_none() {
            if Instant::now() > deadline {
                // `lab down` ends what is left in the namespace.
                bail!("postern did not end within {} s of postern stop", STOPPED_WITHIN.as_secs());
            }
            thread::sleep(Duration::from_millis(20));
        }
        if !stopped.status.success() {
            bail!("postern stop: {}", String::from_utf8_lossy(&stopped.stderr).trim());
        }
        Ok(())
    }
}

/// Runs a command to its end and keeps what it said.
fn output(host: Host, program: &str, arguments: &[&str]) -> Result<Output> {
    let output = lab::inside(host, program, arguments)?.output()?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&said).trim());
    }
    Ok(output)
}

fn end(mut child: Child) {
    // It may have ended by itself; what sudo runs is ended with the lab.
    let _ = child.kill();
    let _ = child.wait();
}

/// Removes what Postern left pinned when it did not end in peace, and what it wrote down.
fn remove_pins(postern: &Path) -> Result<()> {
    if Path::new(PIN_DIR).exists() {
        let program = postern.to_str().context("the target folder's name is not UTF-8")?;
        Root::detect().run(program, &["stop", "--pin-dir", PIN_DIR])?;
    }
    Root::detect().run("rm", &["-rf", DATA_DIR])?;
    Ok(())
}

/// From here on an interrupt ends what runs in front, not this program, so that it can clean up. It is caught and
/// not blocked or ignored: programs inherit that, and Postern would never hear of one.
fn catch_interrupts() -> Result<()> {
    extern "C" fn note(_: i32) {
        INTERRUPTED.store(true, Ordering::Relaxed);
    }
    let action = SigAction::new(SigHandler::Handler(note), SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: the handler does nothing but store to an atomic.
        unsafe { sigaction(signal, &action) }.context("catching interrupts")?;
    }
    Ok(())
}

/// Begins the next act, unless the caller wants no more.
fn heading(text: &str) -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    println!("\n── {text}");
    Ok(())
}

fn short(workspace: &Workspace, path: &Path) -> String {
    path.strip_prefix(&workspace.root).unwrap_or(path).display().to_string()
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
const PIN_DIR: &str = "/sys/fs/bpf/postern-demo";
const DATA_DIR: &str = "/run/postern-demo";
const LOG: &str = "demo-postern.log";
/// Loading takes seconds: the kernel checks every path through the programs. On a busy machine it takes longer.
const READY_WITHIN: Duration = Duration::from_secs(30);
const STOPPED_WITHIN: Duration = Duration::from_secs(5);
