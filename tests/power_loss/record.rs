//! Every write of a file system is recorded while a spool on it takes in, defers and removes messages; each answer that
//! this is done is put into the record as a mark. Then the record is replayed up to every flush and every write past
//! the disk's cache, and before each with some of the writes that it was to make last: the file system is mounted from
//! that, the spool opened, and compared with what the marks promise.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::devices::{Device, Kind, Mounted, Recorder};
use crate::image::Image;
use crate::log::Log;
use crate::messages::{FOLDER, Worker};
use crate::replay::{Findings, Plan, replay};
use crate::syncs::Omit;

/// What is recorded, and how much of it is looked at.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The file system below the spool.
    #[arg(long, value_enum)]
    file_system: Kind,
    /// How often nine messages are taken in.
    #[arg(long)]
    rounds: u32,
    /// Syncs that are left out; losses must be found then.
    #[arg(long, value_enum, default_value = "nothing")]
    omit: Omit,
    /// How many states share one check by the file system's own tool.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    check_each: u64,
    /// What chance is made from that decides which writes a loss of power leaves.
    #[arg(long, default_value_t = 0x5eed_0003)]
    seed: u64,
    /// Fewer states looked at are a failure.
    #[arg(long, default_value_t = 1)]
    least: u64,
    /// Seconds after which the rest is left.
    #[arg(long, default_value_t = 3600)]
    seconds: u64,
}

/// Records, replays and judges: whether everything is as it must be.
pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    let started = Instant::now();
    let (shared, findings) = record(arguments, started).with_context(|| arguments.file_system.name())?;
    let is_right = match arguments.omit {
        Omit::Nothing => {
            findings.broken == 0 && findings.unreadable == 0 && findings.states >= arguments.least
        }
        // The spool must be what makes the difference: without its syncs the same test fails.
        Omit::FileSyncs | Omit::FolderSyncs => findings.broken > 0,
    };
    let note = if is_right { "POSTERN-VM: note " } else { "" };
    println!("{note}{}", line(arguments, shared, &findings, started.elapsed()));
    if !is_right {
        findings.examples.iter().for_each(|example| println!("  {example}"));
    }
    Ok(is_right)
}

fn line(arguments: &Arguments, shared: usize, findings: &Findings, took: Duration) -> String {
    let omitted = arguments.omit.words();
    let Findings { durable, states, partial, broken, unreadable, promised, is_cut, .. } = findings;
    let cut = if *is_cut { ", the rest left for want of time" } else { "" };
    format!(
        "power loss on {}{omitted}: {durable} flushes, {states} states mounted ({partial} with some of the writes \
         before a flush, seed {:#x}), {broken} with a promise broken, {unreadable} unreadable or damaged; {shared} \
         messages shared files, {promised} promised at the end; {:.0} s{cut}",
        arguments.file_system.name(),
        arguments.seed,
        took.as_secs_f32(),
    )
}

/// Gives how many messages shared files, and what was found.
fn record(arguments: &Arguments, started: Instant) -> Result<(usize, Findings)> {
    let kind = arguments.file_system;
    std::fs::create_dir_all("/run/power")?;
    let recorded = Device::create(0, kind.octets())?;
    let log = Device::create(1, LOG_OCTETS)?;
    kind.make(&recorded.path)?;
    let image = Image::of(&recorded.open()?, recorded.octets)?;
    let recorder = Recorder::start(&recorded, &log)?;
    let mounted = Mounted::new(kind, Recorder::PATH)?;
    // What is left out is left out in this thread, and in the spool's, which it makes.
    let worker = std::thread::scope(|scope| {
        scope.spawn(|| work(arguments)).join().unwrap_or_else(|_| Err(anyhow::anyhow!("the worker panicked")))
    });
    mounted.end()?;
    recorder.stop()?;
    let shared = worker?;
    ensure!(shared > 0, "no messages shared a file");
    let crashed = Device::create(2, kind.octets())?;
    let until = started + Duration::from_secs(arguments.seconds);
    let plan = Plan { kind, check_each: arguments.check_each, seed: arguments.seed, until };
    Ok((shared, replay(plan, image, &mut Log::open(Path::new(&log.file))?, &crashed)?))
}

fn work(arguments: &Arguments) -> Result<usize> {
    arguments.omit.begin()?;
    let worker = Worker::new(Path::new(FOLDER), &Recorder::mark)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let mut shared = 0;
        for number in 0..arguments.rounds {
            shared += worker.round(0, number).await.with_context(|| format!("round {number}"))?;
        }
        Ok(shared)
    })
}

/// What is not written takes no memory.
const LOG_OCTETS: u64 = 1 << 30;
