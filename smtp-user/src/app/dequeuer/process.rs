//! The dequeuer's process from its start to its end.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::io::BufReader;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, timeout};
use tracing::{debug, error, info, warn};

use super::former;
use super::link::{self, Configuration, Program, Say, Tell};
use super::rights;
use crate::app::clock::SystemClock;
use crate::app::config::Config;
use crate::app::log::LogArgs;
use crate::app::{inspector, queue_socket, run, store_and_forward};
use crate::audit::recorder::{Recorder, Writing};
use crate::gateway::dequeuer::Dequeuer;
use crate::gateway::dequeuer::setup::DequeuerSetup;
use crate::gateway::runtime;
use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;
use crate::model::shortage::Shortage;
use crate::policy::rule_text;
use crate::spool;
use crate::spool::bundle::Slot;
use crate::spool::error::SpoolError;
use crate::spool::news::TakenIn;
use crate::spool::place::Place;
use crate::spool::store::Spool;

/// Delivers what is in the spool; started by the daemon, not by people.
#[derive(Args, Clone, Debug)]
pub struct DequeuerArgs {
    /// Folder of the gateway's pins; says whose dequeuer it is.
    #[arg(long, value_name = "DIR")]
    pub pin_dir: PathBuf,
    /// Folder of the spool.
    #[arg(long, value_name = "DIR")]
    pub spool: PathBuf,
    /// What the log is to be.
    #[command(flatten)]
    pub log: LogArgs,
}

/// How long changes gather before the daemon is told how many messages there are.
const GATHER: Duration = Duration::from_millis(5);
/// How long a disk is left alone that does not give a message back.
const RETRY: Duration = Duration::from_secs(1);
/// How long is waited when the system has no descriptors for a daemon that calls.
const EXHAUSTED: Duration = Duration::from_millis(50);
/// What it is to the kernel when that ends a process for want of memory (`proc_pid_oom_score_adj(5)`).
const RATHER_THAN_THE_DAEMON: &str = "900";
/// What was said and is not yet done.
const WAITING: usize = 16;

/// Works until it is told to stop.
pub fn run(args: &DequeuerArgs) -> anyhow::Result<ExitCode> {
    nix::sys::signal::SigSet::all().thread_unblock()?;
    args.log.start();
    rights::give_away().context("giving rights away")?;
    run::raise_descriptor_limit();
    // Where memory runs out, the receiver is to stay: another dequeuer finds all there is in the spool.
    let _ = fs::write("/proc/self/oom_score_adj", RATHER_THAN_THE_DAEMON);
    // The other half of the CPUs has mail to take in, and threads that wake each other cost more than they do at once.
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (mut runtime, threads) = (tokio::runtime::Builder::new_multi_thread(), (cpus / 2).max(1));
    let runtime = runtime::steady(runtime.worker_threads(threads), threads).context(run::NO_THREADS)?;
    runtime.block_on(serve(args))
}

async fn serve(args: &DequeuerArgs) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // The terminal that the daemon was started from.
    let _hang_up = signal(SignalKind::hangup())?;
    let (spool, mut found) = open(&args.spool)?;
    let listener = bind(&spool.places().link())?;
    let (orders, mut ordered) = mpsc::channel(WAITING);
    let (mut work, mut moving): (Option<Work>, Option<JoinHandle<()>>) = (None, None);
    let disk = tokio::spawn(store_and_forward::look_after(spool.intake()));
    let comes_round = Arc::new(AtomicBool::new(true));
    let deaf = Shortage::default();
    let mut look = tokio::time::interval(link::BEAT);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // There is one receiver at a time; the one before is gone, or its task is about to notice.
                    let said = Progress { comes_round: Arc::clone(&comes_round), told: Arc::default() };
                    drop(tokio::spawn(converse(stream, spool.clone(), orders.clone(), said)));
                }
                // What it is at needs no daemon.
                Err(error) => {
                    if deaf.begins(Instant::now().into_std()) {
                        warn!(%error, "a daemon that calls is not heard, and waits");
                    }
                    tokio::time::sleep(EXHAUSTED).await;
                }
            },
            _ = look.tick() => {
                if let Some(over) = deaf.ends(Instant::now().into_std()) {
                    info!(lasted = ?over.lasted, "a daemon that calls is heard again");
                }
                let is_well = work.as_ref().is_none_or(|work| work.dequeuer.comes_round());
                comes_round.store(is_well, Ordering::Release);
            }
            Some(order) = ordered.recv() => match (order, &work) {
                (Tell::Stop, _) => break,
                (Tell::TakenIn(_), _) => {}
                (Tell::Configure(configuration), None) => {
                    work = Some(Work::begin(&spool, std::mem::take(&mut found), configuration)?);
                    moving = Some(tokio::spawn(former::take_over(spool.clone())));
                }
                (Tell::Configure(configuration), Some(work)) => match setup(configuration) {
                    Ok((_, setup)) => {
                        work.dequeuer.set_up(setup);
                        info!("the dequeuer goes by another configuration");
                    }
                    Err(error) => error!("the dequeuer goes on by the old configuration: {error:#}"),
                },
            },
        }
    }
    debug!("the dequeuer ends");
    disk.abort();
    if let Some(moving) = moving {
        moving.abort();
    }
    // Whoever finds no socket knows that there is no dequeuer.
    let _ = fs::remove_file(spool.places().socket());
    if let Some(work) = work {
        work.end().await?;
    }
    // The link itself lasts until the process is gone: the daemon takes its end for the end of everything.
    let _ = fs::remove_file(spool.places().link());
    Ok(ExitCode::SUCCESS)
}

fn open(folder: &Path) -> anyhow::Result<(Spool, Vec<(Place, QueuedMessage)>)> {
    let (spool, recovered) = Spool::open(&spool::config::Config::within(folder))?;
    for foreign in &recovered.foreign {
        warn!("{foreign}");
    }
    for (id, why) in &recovered.damaged {
        error!(message = %id, why, "a damaged message was put into `corrupt`");
    }
    let (messages, removed) = (recovered.messages.len(), recovered.removed);
    info!(messages, removed, folder = %folder.display(), "the spool is open");
    Ok((spool, recovered.messages))
}

fn bind(path: &Path) -> anyhow::Result<UnixListener> {
    // Of a dequeuer that was killed: the lock says that there is no other.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("removing {}", path.display()));
        }
        _ => {}
    }
    UnixListener::bind(path).with_context(|| format!("listening at {}", path.display()))
}

/// What it does once it knows how.
struct Work {
    dequeuer: Dequeuer,
    /// Writes the records for as long as it is kept.
    writing: Writing,
    queue: JoinHandle<()>,
}

impl Work {
    fn begin(
        spool: &Spool,
        found: Vec<(Place, QueuedMessage)>,
        configuration: Configuration,
    ) -> anyhow::Result<Self> {
        let (config, setup) = setup(configuration)?;
        let records = config.records.within(&config.gateway.data_dir).of_dequeuer();
        let clock = Arc::new(SystemClock);
        let (recorder, writing) = Recorder::start(records, Arc::clone(&clock) as _)?;
        let dequeuer = Dequeuer::start(spool.clone(), found, setup, recorder, clock);
        let queue = queue_socket::listen(&spool.places().socket(), dequeuer.orders())?;
        Ok(Self { dequeuer, writing, queue })
    }

    /// Ends what is in flight; the rest is in the spool.
    async fn end(self) -> anyhow::Result<()> {
        self.queue.abort();
        self.dequeuer.stop().await;
        tokio::task::spawn_blocking(move || self.writing.finish()).await??;
        Ok(())
    }
}

fn setup(configuration: Configuration) -> anyhow::Result<(Config, DequeuerSetup)> {
    let config = Config::of_text(&configuration.file, configuration.text)?;
    let inspector = inspector::message_inspector(&config)?;
    let mut setup = store_and_forward::dequeuer_setup(&config, &config.inspector.name(), &inspector)?;
    if !configuration.rules.is_empty() {
        setup.rules = rule_text::read(&configuration.rules)?;
    }
    Ok((config, setup))
}

/// How far it is.
#[derive(Clone, Debug)]
struct Progress {
    /// Whether what sees to the messages has come round lately.
    comes_round: Arc<AtomicBool>,
    /// What this daemon has told of.
    told: Arc<Mutex<Told>>,
}

/// What a daemon has told of.
#[derive(Debug, Default)]
struct Told {
    /// How many are in care now.
    taken: u64,
    /// Those that are being taken into care: the daemon still counts them.
    noting: Vec<MessageId>,
}

impl Progress {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is said of it: each message counts once, here or where it was taken in.
    fn status(&self, spool: &Spool) -> Say {
        let told = self.told();
        // In this order: what is noted meanwhile counts twice for a moment, and never not at all.
        let counts = |id: &&MessageId| spool.place(**id).is_some_and(|place| place != Place::Quarantine);
        let noted = told.noting.iter().filter(counts).count() as u64;
        Say::Status { taken: told.taken, count: spool.count().saturating_sub(noted) }
    }
}

/// Talks with a daemon until it is gone, and finds then what it has said nothing of.
async fn converse(stream: UnixStream, spool: Spool, orders: mpsc::Sender<Tell>, progress: Progress) {
    let (read, write) = stream.into_split();
    let telling = tokio::spawn(tell_status(write, spool.clone(), progress.clone()));
    if let Err(error) = listen(read, &spool, &orders, &progress).await {
        warn!(%error, "what the daemon says cannot be understood");
    }
    telling.abort();
    warn!("the daemon is gone; what is in the spool is delivered all the same");
    let looking = spool.clone();
    match tokio::task::spawn_blocking(move || looking.unknown()).await {
        Ok(Ok(ids)) => take_note(&spool, ids).await,
        Ok(Err(error)) => error!(%error, "it cannot be seen what was taken in last"),
        Err(_) => {}
    }
}

async fn listen(
    read: OwnedReadHalf,
    spool: &Spool,
    orders: &mpsc::Sender<Tell>,
    progress: &Progress,
) -> io::Result<()> {
    let (mut read, mut line) = (BufReader::new(read), Vec::new());
    while let Some(order) = link::hear(&mut read, &mut line).await? {
        match order {
            Tell::TakenIn(notices) => {
                let count = notices.len() as u64;
                let messages = link::hear_files(&mut read, &notices).await?;
                progress.told().noting = notices.iter().map(|notice| notice.id).collect();
                take_note(spool, messages).await;
                {
                    let mut told = progress.told();
                    told.taken += count;
                    told.noting.clear();
                }
                spool.say_changed();
            }
            order => {
                if orders.send(order).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Takes messages into care. What cannot be read now is tried until it can: nobody else would see to it.
async fn take_note(spool: &Spool, messages: Vec<TakenIn>) {
    let mut left = messages;
    while !left.is_empty() {
        let noting = spool.clone();
        // What was told whole is in memory; nothing is read for it.
        let reads = left.iter().any(|message| message.file.is_none());
        let note = move || -> Vec<(MessageId, Option<Slot>, SpoolError)> {
            let note = |message: TakenIn| {
                let (id, slot) = (message.id, message.slot);
                noting.take_note(message).err().map(|error| (id, slot, error))
            };
            left.into_iter().filter_map(note).collect()
        };
        let failed = if reads { tokio::task::spawn_blocking(note).await.unwrap_or_default() } else { note() };
        left = Vec::new();
        for (id, slot, error) in failed {
            error!(message = %id, %error, "a message that was taken in cannot be read");
            if matches!(error, SpoolError::Damaged { .. }) {
                if let Err(error) = spool.set_aside(id).await {
                    error!(message = %id, %error, "it cannot be put into `corrupt`");
                }
            } else {
                left.push(TakenIn::to_be_read(id, slot));
            }
        }
        if !left.is_empty() {
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// Says who this is, and then how far it is: whenever that changes, and again and again while it goes on at all.
async fn tell_status(mut write: OwnedWriteHalf, spool: Spool, progress: Progress) {
    let telling = async {
        let pid = std::process::id().cast_signed();
        link::write(&mut write, &Say::Hello { version: link::VERSION, program: Program::this()?, pid })
            .await?;
        loop {
            if progress.comes_round.load(Ordering::Acquire) {
                let status = progress.status(&spool);
                link::write(&mut write, &status).await?;
            }
            if timeout(link::BEAT, spool.changed()).await.is_ok() {
                tokio::time::sleep(GATHER).await;
            }
        }
    };
    let ended: io::Result<()> = telling.await;
    if let Err(error) = ended {
        debug!(%error, "nobody hears how many messages there are");
    }
}
