//! `postern stop`: takes the programs off, removes every pin, and ends the daemon if one runs.

use std::path::PathBuf;
use std::process::ExitCode as ProcessCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use smtp_common::abi::DEFAULT_PIN_DIR;

use crate::cli::exit_code::ExitCode;
use crate::gateway::dequeuer::running::running;
use crate::packet_path::attach;
use crate::packet_path::maps::Maps;
use crate::packet_path::pins::Pins;

/// Takes the programs off the interfaces and removes every pinned map.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Flows go on through the kernel's own routing.\n\nExample:\n  postern stop")]
pub struct StopArgs {
    /// Folder of the pinned maps.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_PIN_DIR, env = "POSTERN_PIN_DIR")]
    pub pin_dir: PathBuf,
    /// How long a daemon may take to end: its sessions have `inspector.drain`, and deliveries ten seconds then.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub wait: u64,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// How long a dequeuer without a daemon may take: ten seconds for deliveries in flight, and some for its last records.
const DRAIN: Duration = Duration::from_secs(15);
/// After so long it is said what is waited for.
const SOON: Duration = Duration::from_secs(1);

/// Stops the gateway.
pub fn run(args: &StopArgs) -> anyhow::Result<ProcessCode> {
    let pins = Pins::new(&args.pin_dir);
    if !pins.dir().exists() {
        stop_dequeuers(args)?;
        if args.json {
            println!("{}", serde_json::json!({ "stopped": false, "pin_dir": args.pin_dir }));
        } else {
            println!("nothing is loaded under {}", pins.dir().display());
        }
        return Ok(ExitCode::Ok.into());
    }
    let daemon = Maps::open(&pins).ok().and_then(|maps| maps.daemon().ok().flatten());
    if let Some(pid) = daemon {
        let pid = Pid::from_raw(i32::try_from(pid).context("the daemon's process id")?);
        match kill(pid, Signal::SIGINT) {
            // It has just ended; its sign of life was the last.
            Ok(()) | Err(Errno::ESRCH) => {}
            refused => refused.with_context(|| format!("cannot signal the daemon (process {pid})"))?,
        }
        wait_for_end(pid, &pins, Duration::from_secs(args.wait))?;
    }
    stop_dequeuers(args)?;
    // No daemon, or one that ended without doing it.
    attach::detach_all(&pins)?;
    if args.json {
        println!("{}", serde_json::json!({ "stopped": true, "daemon": daemon, "pin_dir": args.pin_dir }));
    } else {
        println!("stopped");
    }
    Ok(ExitCode::Ok.into())
}

/// Waits for what the daemon waits for: sessions and deliveries in flight.
fn wait_for_end(pid: Pid, pins: &Pins, patience: Duration) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut is_said = false;
    while pins.dir().exists() && kill(pid, None).is_ok() {
        if begun.elapsed() >= patience {
            let waited = patience.as_secs();
            bail!(
                "the daemon (process {pid}) did not end within {waited} s; it goes on ending, and stopping it once \
                 more cuts what it waits for"
            );
        }
        if !is_said && begun.elapsed() >= SOON {
            is_said = true;
            eprintln!("waiting until sessions and deliveries in flight have ended");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Ends a dequeuer whose daemon is gone. A daemon ends its own.
fn stop_dequeuers(args: &StopArgs) -> anyhow::Result<()> {
    let deadline = Instant::now() + DRAIN;
    for dequeuer in running(&args.pin_dir) {
        match kill(Pid::from_raw(dequeuer.pid), Signal::SIGTERM) {
            Ok(()) | Err(Errno::ESRCH) => {}
            refused => {
                refused.with_context(|| format!("cannot signal the dequeuer (process {})", dequeuer.pid))?;
            }
        }
    }
    while let Some(dequeuer) = running(&args.pin_dir).first() {
        if Instant::now() > deadline {
            bail!("the dequeuer (process {}) did not end within {} s", dequeuer.pid, DRAIN.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
