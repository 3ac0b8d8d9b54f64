//! The daemon's side: sees to it that there is a dequeuer, and tells it what was taken in.

use std::collections::VecDeque;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tracing::{error, info, warn};

use super::link::{self, Configuration, Program, Say, Tell};
use crate::app::log::LogArgs;
use crate::gateway::dequeuer::running::{COMMAND, PIN_DIR, SPOOL};
use crate::model::session_id::MessageId;
use crate::spool::intake::Intake;
use crate::spool::news::TakenIn;

/// Looks after the dequeuer.
#[derive(Debug)]
pub struct Supervisor {
    wanted: watch::Sender<Configuration>,
    phase: watch::Sender<Phase>,
    /// The dequeuer's process, while there is one that answers.
    at_work: watch::Receiver<Option<i32>>,
    task: JoinHandle<()>,
}

/// How a dequeuer is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Whose it is.
    pub pin_dir: PathBuf,
    /// What it logs, to where the daemon does.
    pub log: LogArgs,
}

/// Before a dequeuer is started again that has ended; doubled each time that it does not last.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// And at most: a dequeuer delivers again within five seconds, and reads the spool first.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// A dequeuer that was there for so long has lasted.
const LASTING: Duration = Duration::from_secs(30);
/// How often it is looked whether a new one answers: it reads the whole spool first.
const LOOK: Duration = Duration::from_millis(10);
/// How long one may take to say who it is, or to be gone when its link is.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one may take to end what is in flight.
const DRAIN: Duration = Duration::from_secs(15);
/// Messages that are told in one line.
const AT_A_TIME: usize = 1000;

/// Beats that may be missed: by then it hangs, and there is a second left to have it again within five.
const SILENT_BEATS: u32 = 6;

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// There is to be a dequeuer.
    Working,
    /// The daemon is about to end: a dequeuer that is there goes on, and one that ends is not started again.
    Ending,
    /// The dequeuer is to end.
    Stopping,
}

/// Why a dequeuer is spoken with no longer.
enum End {
    /// As the daemon wanted.
    Stopped,
    /// It belongs to another version of this program, and was told to go.
    Replaced,
    /// It is gone, or does not make sense.
    Lost(io::Error),
}

impl Supervisor {
    /// Begins; inside a runtime.
    pub fn start(intake: Intake, launch: Launch, configuration: Configuration) -> Self {
        let (wanted, wanting) = watch::channel(configuration);
        let (phase, wanted_phase) = watch::channel(Phase::Working);
        let (found, at_work) = watch::channel(None);
        let worker = Worker { intake, launch, wanted: wanting, phase: wanted_phase, found, child: None };
        Self { wanted, phase, at_work, task: tokio::spawn(worker.work()) }
    }

    /// Waits until there is a dequeuer that answers, but not for long.
    pub async fn ready(&self, patience: Duration) -> bool {
        let mut at_work = self.at_work.clone();
        timeout(patience, at_work.wait_for(Option::is_some)).await.is_ok_and(|found| found.is_ok())
    }

    /// Has the dequeuer work by a configuration, also if it is the same: files that it names may be others.
    pub fn set_up(&self, configuration: Configuration) {
        self.wanted.send_replace(configuration);
    }

    /// Has it work by another one, if it is.
    pub fn change(&self, change: impl FnOnce(&mut Configuration)) {
        self.wanted.send_if_modified(|wanted| {
            let before = wanted.clone();
            change(wanted);
            *wanted != before
        });
    }

    /// The daemon is about to end. Who sent it the signal may have sent one to the dequeuer, too.
    pub fn expect_end(&self) {
        self.phase.send_replace(Phase::Ending);
    }

    /// Has the dequeuer end what is in flight, and end.
    pub async fn stop(mut self) {
        self.phase.send_replace(Phase::Stopping);
        if timeout(DRAIN + PATIENCE, &mut self.task).await.is_err() {
            warn!("the dequeuer does not end");
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.task.abort();
        // Whoever is in a hurry does not wait for it; but an orderly end leaves no process behind.
        if let Some(pid) = *self.at_work.borrow() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
    }
}

/// What looks after it.
struct Worker {
    intake: Intake,
    launch: Launch,
    wanted: watch::Receiver<Configuration>,
    phase: watch::Receiver<Phase>,
    found: watch::Sender<Option<i32>>,
    /// The dequeuer that this daemon has started; one that it has found is none of its children.
    child: Option<Child>,
}

impl Worker {
    async fn work(mut self) {
        let mut wait = FIRST_WAIT;
        loop {
            let began = Instant::now();
            let end = match self.connect().await {
                Ok(Some(stream)) => self.converse(stream).await,
                Ok(None) => End::Stopped,
                Err(error) => End::Lost(error),
            };
            self.found.send_replace(None);
            match end {
                End::Stopped => {
                    self.bury().await;
                    return;
                }
                End::Replaced => {
                    self.bury().await;
                }
                End::Lost(_) if *self.phase.borrow() >= Phase::Ending => {
                    info!("the dequeuer has ended, as the daemon is about to");
                    self.bury().await;
                    return;
                }
                End::Lost(error) => {
                    let how = self.bury().await;
                    wait = if began.elapsed() >= LASTING { FIRST_WAIT } else { wait };
                    error!(%error, how, again_in = ?wait, "the dequeuer is gone: mail is taken and not delivered");
                    tokio::select! {
                        () = sleep(wait) => {}
                        () = reached(&mut self.phase, Phase::Ending) => return,
                    }
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    /// Calls the dequeuer that is there, or starts one; none if there is to be none.
    async fn connect(&mut self) -> io::Result<Option<UnixStream>> {
        let path = self.intake.places().link();
        if let Ok(stream) = UnixStream::connect(&path).await {
            return Ok(Some(stream));
        }
        self.child = Some(self.start()?);
        loop {
            if let Ok(stream) = UnixStream::connect(&path).await {
                return Ok(Some(stream));
            }
            if let Some(Ok(Some(status))) = self.child.as_mut().map(Child::try_wait) {
                self.child = None;
                return Err(io::Error::other(format!("it ended at once ({status})")));
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                () = reached(&mut self.phase, Phase::Stopping) => {
                    if let Some(child) = &self.child {
                        let _ = kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM);
                    }
                    return Ok(None);
                }
            }
        }
    }

    fn start(&self) -> io::Result<Child> {
        let Launch { pin_dir, log } = &self.launch;
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("postern")
            .arg(COMMAND)
            .arg(PIN_DIR)
            .arg(pin_dir)
            .arg(SPOOL)
            .arg(self.intake.places().root());
        command.arg("--log").arg(&log.log);
        if log.json {
            command.arg("--json");
        }
        // A terminal's Ctrl-C is for the daemon, which then says so.
        command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0).spawn()
    }

    /// Waits a moment until the child is gone, so that the system may forget it; says how it ended, if it was one.
    async fn bury(&mut self) -> Option<String> {
        let mut child = self.child.take()?;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Ok(Some(status)) = child.try_wait() {
                return Some(status.to_string());
            }
            sleep(LOOK).await;
        }
        self.child = Some(child);
        None
    }

    async fn converse(&mut self, stream: UnixStream) -> End {
        let process = stream.peer_cred().ok().and_then(|peer| peer.pid());
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let (version, program, pid) = match timeout(PATIENCE, hear(&mut lines)).await {
            Ok(Ok(Say::Hello { version, program, pid })) => (version, program, pid),
            Ok(Ok(other)) => return End::Lost(io::Error::other(format!("it began with {other:?}"))),
            Ok(Err(error)) => return End::Lost(error),
            Err(_) => return hangs(process),
        };
        let is_ours = Program::this().is_ok_and(|this| this == program);
        if version != link::VERSION || !is_ours {
            info!(pid, "a dequeuer of another version is asked to end");
            return match timeout(DRAIN, farewell(&mut lines, &mut write)).await {
                Ok(()) => End::Replaced,
                Err(_) => End::Lost(io::Error::other("it belongs to another version, and does not end")),
            };
        }
        if self.child.is_none() {
            info!(pid, "the dequeuer that is there is worked with");
        }
        match self.serve(&mut lines, &mut write, pid).await {
            Ok(()) => {
                if timeout(DRAIN, farewell(&mut lines, &mut write)).await.is_err() {
                    warn!(pid, "the dequeuer does not end");
                }
                End::Stopped
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => hangs(process),
            Err(error) => End::Lost(error),
        }
    }

    /// Tells what is to be told until the daemon is to stop.
    async fn serve(
        &mut self,
        lines: &mut Lines<BufReader<OwnedReadHalf>>,
        write: &mut OwnedWriteHalf,
        pid: i32,
    ) -> io::Result<()> {
        let Self { intake, wanted, phase, found, .. } = self;
        // An earlier one may have been told of these, or not; who knows them already does not mind.
        let waiting = intake.not_handed_over();
        let (first, told) = (waiting.len() as u64, Mutex::new(VecDeque::new()));
        let telling = async {
            let configuration = wanted.borrow_and_update().clone();
            link::write(write, &Tell::Configure(configuration)).await?;
            tell(write, &waiting, &told).await?;
            found.send_replace(Some(pid));
            loop {
                tokio::select! {
                    messages = intake.taken_in() => tell(write, &messages, &told).await?,
                    Ok(()) = wanted.changed() => {
                        let configuration = wanted.borrow_and_update().clone();
                        link::write(write, &Tell::Configure(configuration)).await?;
                    }
                    () = reached(phase, Phase::Stopping) => return Ok(()),
                }
            }
        };
        // Beside each other: one that hangs does not read what it is told either.
        tokio::select! {
            end = telling => end,
            end = listen(lines, intake, first, &told) => end,
        }
    }
}

/// Messages that were told and are not in the dequeuer's care yet, in this order.
type Told = Mutex<VecDeque<MessageId>>;

/// Hears how far it is, until it is gone or says nothing for too long. Until it has taken the first of those that it is told
/// of, it may have found them in the spool as well, and its count is not used: they are counted here.
async fn listen(
    lines: &mut Lines<BufReader<OwnedReadHalf>>,
    intake: &Intake,
    first: u64,
    told: &Told,
) -> io::Result<()> {
    let mut handed_over = 0;
    let mut silent = 0;
    let mut beat = interval(link::BEAT);
    // Beats that this process has missed itself do not count.
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            said = hear(lines) => {
                silent = 0;
                if let Say::Status { taken, count } = said?
                    && taken >= first
                {
                    let more = usize::try_from(taken.saturating_sub(handed_over)).unwrap_or(usize::MAX);
                    let ids: Vec<MessageId> = {
                        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                        let more = more.min(told.len());
                        told.drain(..more).collect()
                    };
                    handed_over = taken;
                    intake.handed_over(&ids, count);
                }
            }
            _ = beat.tick() => {
                silent += 1;
                if silent > SILENT_BEATS {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
        }
    }
}

/// One that hangs is as good as none: it is killed, and what it held is in the spool.
fn hangs(process: Option<i32>) -> End {
    if let Some(pid) = process {
        warn!(pid, "the dequeuer says nothing, and is killed");
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    End::Lost(io::Error::new(io::ErrorKind::TimedOut, "it said nothing for too long"))
}

async fn tell(write: &mut OwnedWriteHalf, messages: &[TakenIn], told: &Told) -> io::Result<()> {
    for some in messages.chunks(AT_A_TIME) {
        let ids = some.iter().map(|message| message.id);
        told.lock().unwrap_or_else(PoisonError::into_inner).extend(ids);
        link::tell(write, some).await?;
    }
    Ok(())
}

async fn hear(lines: &mut Lines<BufReader<OwnedReadHalf>>) -> io::Result<Say> {
    let line = lines.next_line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(serde_json::from_str(&line)?)
}

/// Asks it to end, and waits until it is gone.
async fn farewell(lines: &mut Lines<BufReader<OwnedReadHalf>>, write: &mut OwnedWriteHalf) {
    if link::write(write, &Tell::Stop).await.is_ok() {
        while hear(lines).await.is_ok() {}
    }
}

async fn reached(phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    // Whoever could say so being gone says so, too.
    let _ = phase.wait_for(|phase| *phase >= wanted).await;
}
