//! One life of a machine whose disk outlasts it: a look at what the life before has left when it was ended, and then as
//! much work as there is time for. Whoever reads the console ends it, and has what was promised until then.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use nix::sys::termios::tcdrain;

use crate::devices::{Kind, Mounted};
use crate::ledger::{Ledger, Mark, Seen};
use crate::messages::{self, FOLDER, MESSAGES, Worker};
use crate::syncs::Omit;

/// Where things stand.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The file system below the spool.
    #[arg(long, value_enum)]
    file_system: Kind,
    /// The device that it is on.
    #[arg(long)]
    device: String,
    /// Which life it is: the first, 0, makes the file system.
    #[arg(long)]
    number: u32,
    /// What was promised in earlier lives: marks, one a line.
    #[arg(long)]
    ledger: PathBuf,
    /// Syncs that are left out; losses must be found then.
    #[arg(long, value_enum, default_value = "nothing")]
    omit: Omit,
}

/// Looks, says what it found, and works; comes back only if something is wrong.
pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    let (kind, device) = (arguments.file_system, arguments.device.as_str());
    let ledger = Ledger::read(&fs::read_to_string(&arguments.ledger)?)?;
    if arguments.number == 0 {
        kind.make(device)?;
    }
    say("up")?;
    let seen = look(kind, device);
    let broken = [seen.wrong.clone(), ledger.broken(&seen)].concat();
    say(&format!("looked {} of {}", ledger.promised(), seen.whole.len()))?;
    for what in &broken {
        say(&format!("broken {what}"))?;
    }
    if !broken.is_empty() {
        return Ok(false);
    }
    let _mounted = Mounted::new(kind, device)?;
    arguments.omit.begin()?;
    let mark = |mark: Mark| say(&format!("mark {mark}"));
    let worker = Worker::new(Path::new(FOLDER), &mark)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(work(&worker, &seen, arguments.number))?;
    bail!("nobody ended this life")
}

/// Starts from what there is as a machine does that has its power back.
fn look(kind: Kind, device: &str) -> Seen {
    let mounted = match Mounted::new(kind, device) {
        Ok(mounted) => mounted,
        Err(error) => return Seen { wrong: vec![format!("{error:#}")], ..Seen::default() },
    };
    let mut seen = messages::look(Path::new(FOLDER));
    if let Err(error) = mounted.end().and_then(|()| kind.check(device)) {
        seen.wrong.push(format!("{error:#}"));
    }
    seen
}

/// What the life before the last has left is removed; everything else is new.
async fn work(worker: &Worker<'_>, seen: &Seen, life: u32) -> Result<()> {
    let first = life * ROUNDS;
    for number in seen.whole.keys().filter(|number| **number / MESSAGES + ROUNDS < first) {
        worker.remove(*number).await?;
    }
    for number in first..first + ROUNDS {
        let shared = worker.round(first, number).await.with_context(|| format!("round {number}"))?;
        say(&format!("shared {shared}"))?;
    }
    Ok(())
}

/// Tells the outside something, which has it when this is done.
fn say(what: &str) -> Result<()> {
    let mut console = io::stdout().lock();
    writeln!(console, "POSTERN-VM: {what}")?;
    console.flush()?;
    Ok(tcdrain(&console)?)
}

/// Rounds that no life gets to the end of.
const ROUNDS: u32 = 1000;
