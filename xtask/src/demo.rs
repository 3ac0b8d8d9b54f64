//! `cargo xtask demo`: builds all, makes the lab, shows the main job on one screen, takes the lab down.
//!
//! Whatever happens in between, Postern is stopped and the lab removed; an interrupt ends the running step and
//! Postern, and then the same clean-up runs.

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
    daemon: Child,
}

/// Runs the command.
pub(crate) fn command(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    heading("Set up and build")?;
    let compiler = setup::ensure(workspace, &[Need::Kernel, Need::Lab])?;
    let started = Instant::now();
    let postern = build::postern(workspace, Profile::Release)?;
    println!(
        "Built {} in {:.0} s. {}.",
        short(workspace, &postern),
        started.elapsed().as_secs_f32(),
        compiler.describe()
    );

    catch_interrupts()?;
    let was_up = !lab::up()?;
    let shown = show(workspace, &postern, arguments.keep);
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
            println!("\nPostern stopped, lab removed.");
        }
    }
    shown
}

fn show(workspace: &Workspace, postern: &Path, keep: bool) -> Result<()> {
    let mut gateway = Gateway::start(workspace, postern)?;
    let shown = acts(&mut gateway);
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

/// What is shown, one act after the other.
fn acts(gateway: &mut Gateway) -> Result<()> {
    heading("The lab: client 10.77.1.2 ── pgw0 gateway pgw1 ── server 10.77.2.2")?;
    for address in [lab::CLIENT_V4, lab::SERVER_V4, lab::CLIENT_V6, lab::SERVER_V6] {
        output(Host::Gw, "ping", &["-c", "1", "-W", "2", address]).context("the lab does not answer")?;
    }
    output(Host::Gw, "nft", &[PROOF])?;
    println!("The gateway's own stack is told to drop all it is asked to forward, and to count it.");

    heading("Bulk traffic, client to server")?;
    let server =
        lab::inside(Host::Server, "iperf3", &["-s"])?.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    thread::sleep(LISTENING_WITHIN);
    let measured = bulk(gateway);
    end(server);
    measured?;
    let forwarded = stack_count()?;
    println!("Packets the gateway's stack was asked to forward meanwhile: {forwarded}.");
    if forwarded > 0 {
        bail!("the stack forwarded what the program should have");
    }

    heading("Refused and dropped")?;
    let telnet = lab::inside(Host::Client, "nc", &["-z", "-w", "1", lab::SERVER_V4, "23"])?.status()?;
    println!("tcp/23: {}", if telnet.success() { "OPEN" } else { "no answer, dropped" });
    let begun = Instant::now();
    let mail =
        lab::inside(Host::Client, "nc", &["-w", "3", lab::SERVER_V4, "25"])?.stdin(Stdio::null()).output()?;
    println!(
        "tcp/25: {} after {} ms; no inspector runs, and the rule says what then",
        if mail.status.success() { "OPEN" } else { "refused" },
        begun.elapsed().as_millis()
    );
    gateway.show(&[
        "path",
        "tcp",
        &format!("{}:40000", lab::CLIENT_V4),
        &format!("{}:25", lab::SERVER_V4),
    ])?;
    if telnet.success() || mail.status.success() {
        bail!("the policy was not kept");
    }

    heading("What it did")?;
    gateway.show(&["rules", "list"])?;
    gateway.show_sections(&["stat"], &["Interfaces", "Packets by path"])
}

fn bulk(gateway: &Gateway) -> Result<()> {
    for (name, arguments) in [
        ("TCP over IPv4", &["-c", lab::SERVER_V4, "-t", "2"] as &[&str]),
        ("TCP over IPv6", &["-c", lab::SERVER_V6, "-t", "2"]),
        (
            "UDP over IPv4, 300 Mbit/s sent",
            &["-c", lab::SERVER_V4, "-t", "1", "-u", "-b", "300M", "-l", "1400"],
        ),
        (
            "UDP over IPv6, 300 Mbit/s sent",
            &["-c", lab::SERVER_V6, "-t", "1", "-u", "-b", "300M", "-l", "1400"],
        ),
    ] {
        let arguments = [arguments, &["-J", "--connect-timeout", "3000"]].concat();
        // Its failures are in the report too.
        let said = lab::inside(Host::Client, "iperf3", &arguments)?.output()?;
        let report: serde_json::Value =
            serde_json::from_slice(&said.stdout).context("iperf3 said no JSON")?;
        if let Some(error) = report["error"].as_str() {
            bail!("{name}: iperf3: {error}");
        }
        let end = &report["end"];
        let sum = if end["sum_received"].is_object() { &end["sum_received"] } else { &end["sum"] };
        let rate = sum["bits_per_second"].as_f64().context("iperf3 named no rate")? / 1e9;
        match sum["lost_percent"].as_f64() {
            Some(lost) => println!("{name}: {rate:.2} Gbit/s, {lost:.1} % lost"),
            None => println!("{name}: {rate:.2} Gbit/s"),
        }
    }
    // One connection is kept open while the flow table is shown.
    let open = lab::inside(Host::Client, "iperf3", &["-c", lab::SERVER_V4, "-t", "2", "-b", "10M"])?
        .stdout(Stdio::null())
        .spawn()?;
    thread::sleep(Duration::from_millis(800));
    let shown = gateway.show(&["conns", "--sort", "octets", "--limit", "4"]);
    end(open);
    shown
}

impl Gateway {
    fn start(workspace: &Workspace, postern: &Path) -> Result<Self> {
        let config = workspace.root.join("xtask/src/demo/postern.toml");
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
        let mut gateway = Self { postern: postern.to_owned(), daemon };
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

    /// Shows the sections of a longer output that have these headings.
    fn show_sections(&self, words: &[&str], headings: &[&str]) -> Result<()> {
        let words = words.join(" ");
        println!("$ postern {words}          (of which: {})", headings.join(", "));
        let output =
            self.postern(&words.split(' ').collect::<Vec<_>>())?.stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            bail!("postern {words} ended with {}", output.status);
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let sections = text
            .split("\n\n")
            .filter(|section| section.lines().next().is_some_and(|heading| headings.contains(&heading)));
        println!("{}", sections.map(str::trim_end).collect::<Vec<_>>().join("\n"));
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

fn stack_count() -> Result<u64> {
    let listed = output(Host::Gw, "nft", &["list chain inet postern_proof forward"])?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let (_, rest) = listed.split_once("counter packets ").context("nft lists no counter")?;
    rest.split_whitespace()
        .next()
        .and_then(|number| number.parse().ok())
        .context("nft's counter is no number")
}

fn end(mut child: Child) {
    // It may have ended by itself; what sudo runs is ended with the lab.
    let _ = child.kill();
    let _ = child.wait();
}

/// Removes what Postern left pinned when it did not end in peace.
fn remove_pins(postern: &Path) -> Result<()> {
    if Path::new(PIN_DIR).exists() {
        let program = postern.to_str().context("the target folder's name is not UTF-8")?;
        Root::detect().run(program, &["stop", "--pin-dir", PIN_DIR])?;
    }
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
const LOG: &str = "demo-postern.log";
/// iperf3 says nothing when it begins to listen, and takes a look from outside for a client.
const LISTENING_WITHIN: Duration = Duration::from_millis(300);
/// Loading takes seconds: the kernel checks every path through the programs. On a busy machine it takes longer.
const READY_WITHIN: Duration = Duration::from_secs(30);
const STOPPED_WITHIN: Duration = Duration::from_secs(5);
const PROOF: &str = "table inet postern_proof { chain forward { type filter hook forward priority 0; policy drop; counter; }; }";
