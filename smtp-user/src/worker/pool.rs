//! Workers from the outside: started when they are needed, kept while they behave.
//!
//! Everything in here waits; it is called on threads that may.

use std::cell::Cell;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, setpriority_process};
use sha2::{Digest as _, Sha256};
use tracing::{info, warn};

use crate::model::shortage::Shortage;
use crate::worker::error::WorkerError;
use crate::worker::lane::Lane;
use crate::worker::line::Line;
use crate::worker::poison::PoisonList;
use crate::worker::protocol::{self, Copied, Original, Question, Task, Unpacked};
use crate::worker::starter::Starter;
use crate::worker::turns::{Mark, Turns};

/// Workers for parts.
#[derive(Debug)]
pub struct Pool {
    starter: Starter,
    idle: Mutex<Vec<Worker>>,
    poison: Mutex<PoisonList>,
    /// Workers cannot be started.
    shortage: Shortage,
}

/// The command that makes this program a worker.
const COMMAND: &str = "scan-worker";
/// Workers that are kept without work.
const MAX_IDLE: usize = 8;
/// Questions that one worker answers: memory that a decoder did not give back goes with it.
const MAX_QUESTIONS: u32 = 1000;
/// How long a worker has, by the clock, beyond the deadline that it knows itself, which is looked at between two blocks.
const GRACE: Duration = Duration::from_secs(5);
/// What a worker that is not done at once is to the scheduler (`nice`): a tenth of what the others are.
const BEHIND: i32 = 10;

/// A worker.
#[derive(Debug)]
struct Worker {
    child: Child,
    stream: UnixStream,
    questions: u32,
    /// It has given its rights away, and does not outlive this process, whatever it does.
    is_ready: bool,
    /// It leaves the time to others, and cannot be told to go on as before.
    is_behind: bool,
}

/// Something for a worker to do.
struct Job<'j> {
    task: &'j Task,
    octets: &'j [Vec<u8>],
    deadline: Duration,
    /// How long it has beyond that, whatever it thinks itself.
    grace: Duration,
}

/// How a question ended.
enum Ending<T> {
    /// By an answer, or over the part.
    Of(Result<T, WorkerError>),
    /// The worker was killed, or ended before it had read the task: of one that was kept for long, this is no sign that the
    /// part did it.
    FromOutside {
        /// By which signal or with which code.
        how: String,
        /// It was killed.
        is_killed: bool,
    },
}

/// Reads an answer.
type Reads<T> = fn(&mut Line<'_>) -> io::Result<T>;

impl Pool {
    /// Workers are this program again, as it was when it started, also after its file was replaced.
    pub fn of_this_program() -> Self {
        Self::new("/proc/self/exe".into(), vec![COMMAND.to_owned()])
    }

    /// Workers that are made by starting a program with arguments.
    pub(crate) fn new(program: PathBuf, arguments: Vec<String>) -> Self {
        Self {
            starter: Starter::new(program, arguments),
            idle: Mutex::default(),
            poison: Mutex::default(),
            shortage: Shortage::default(),
        }
    }

    /// Has a part unpacked, in the time that its limits leave.
    pub fn unpack(
        &self,
        question: &Question,
        readings: &[Vec<u8>],
        lane: &mut Lane,
    ) -> Result<Vec<Unpacked>, WorkerError> {
        let (deadline, task) = (question.limits.deadline, Task::Unpack(question.clone()));
        let job = Job { task: &task, octets: readings, deadline, grace: GRACE };
        self.give(&job, lane, |line| protocol::read(line))
    }

    /// Has a safe copy of a part made. It does not look at the clock while it is at it, so it has this time and no more.
    pub fn copy(
        &self,
        original: &Original,
        octets: Vec<u8>,
        time: Duration,
        lane: &mut Lane,
    ) -> Result<(Copied, Vec<u8>), WorkerError> {
        let task = Task::Copy(original.clone());
        let job = Job { task: &task, octets: &[octets], deadline: time, grace: Duration::ZERO };
        self.give(&job, lane, |line| protocol::read_copy(line))
    }

    fn give<T>(&self, job: &Job<'_>, lane: &mut Lane, read: Reads<T>) -> Result<T, WorkerError> {
        let sha256 = job.sha256();
        if lock(&self.poison).is_poisonous(&sha256, Instant::now()) {
            return Err(WorkerError::Poisonous);
        }
        // One may have been ended while it had nothing to do: that says nothing about the part.
        while let Some(mut worker) = self.take() {
            if worker.is_there() {
                match self.ask(worker, job, lane, read) {
                    Ending::Of(answer) => return self.judged(answer, sha256),
                    // A new one shows what it was.
                    Ending::FromOutside { .. } => break,
                }
            }
        }
        match self.ask(self.start()?, job, lane, read) {
            Ending::Of(answer) => self.judged(answer, sha256),
            Ending::FromOutside { is_killed: true, .. } => Err(WorkerError::Killed),
            Ending::FromOutside { how, .. } => self.judged(Err(WorkerError::Died { how }), sha256),
        }
    }

    fn take(&self) -> Option<Worker> {
        lock(&self.idle).pop()
    }

    fn judged<T>(&self, answer: Result<T, WorkerError>, sha256: [u8; 32]) -> Result<T, WorkerError> {
        if matches!(answer, Err(WorkerError::Died { .. } | WorkerError::TimedOut)) {
            lock(&self.poison).died(sha256, Instant::now());
        }
        answer
    }

    fn start(&self) -> Result<Worker, WorkerError> {
        let (child, stream) = self.starter.start().map_err(|source| self.not_started(source))?;
        if let Some(over) = self.shortage.ends(Instant::now()) {
            info!(lasted = ?over.lasted, put_off = over.times, "workers can be started again");
        }
        Ok(Worker { child, stream, questions: 0, is_ready: false, is_behind: false })
    }

    fn not_started(&self, source: io::Error) -> WorkerError {
        if self.shortage.begins(Instant::now()) {
            warn!(
                error = %source,
                "no worker can be started, and what has to be unpacked is put off: `TasksMax=`, `MemoryMax=` and \
                 `LimitNOFILE=` in the unit say how many processes, how much memory and how many descriptors there may be"
            );
        }
        WorkerError::Start { source }
    }

    fn ask<T>(&self, mut worker: Worker, job: &Job<'_>, lane: &mut Lane, read: Reads<T>) -> Ending<T> {
        Ending::Of(match worker.ask(job, lane, read) {
            Ok(answer) => {
                let mut idle = lock(&self.idle);
                if worker.is_as_new() && idle.len() < MAX_IDLE {
                    idle.push(worker);
                }
                Ok(answer)
            }
            Err(error) if error.kind() == ErrorKind::TimedOut => Err(WorkerError::TimedOut),
            Err(error) if error.kind() == ErrorKind::ResourceBusy => Err(WorkerError::Crowded),
            Err(error) => {
                let (how, is_killed) = worker.end(&error);
                // Whoever ends while a task is on its way to it leaves a line that is broken or reset.
                if is_killed || matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) {
                    return Ending::FromOutside { how, is_killed };
                }
                Err(WorkerError::Died { how })
            }
        })
    }
}

impl Job<'_> {
    /// Of task and octets: what ends whoever copies it may be unpacked all the same.
    fn sha256(&self) -> [u8; 32] {
        let mut sha256 = Sha256::new();
        sha256.update(match self.task {
            Task::Unpack(_) => b"unpack",
            Task::Copy(_) => b"copy..",
        });
        for octets in self.octets {
            sha256.update(octets);
        }
        sha256.finalize().into()
    }
}

impl Worker {
    fn ask<T>(&mut self, job: &Job<'_>, lane: &mut Lane, read: Reads<T>) -> io::Result<T> {
        self.questions += 1;
        let (child, is_behind) = (&self.child, &mut self.is_behind);
        let is_ready = Cell::new(self.is_ready);
        let mut is_still = false;
        let mut passed = |mark| {
            match mark {
                Mark::Behind => {
                    *is_behind = be_nice(child, BEHIND);
                    lane.step_aside();
                }
                Mark::Slow if !lane.slow_down() => return None,
                Mark::Slow => {}
                Mark::Rest if !lane.others_came() => {}
                // One that stands still before it is ready would stand there for ever, were this process to be killed.
                Mark::Rest | Mark::Halt => is_still = is_ready.get() && signal(child, Signal::STOP),
                Mark::Turn => is_still = is_still && !signal(child, Signal::CONT),
            }
            Some(is_still)
        };
        let mut line = Line::new(&self.stream, Turns::new(job.deadline), job.grace, &mut passed);
        protocol::write(&mut line, job.task)?;
        for octets in job.octets {
            line.write_all(octets)?;
        }
        if !is_ready.get() {
            protocol::read_ready(&mut line)?;
            is_ready.set(true);
        }
        let answer = read(&mut line)?;
        if is_still {
            signal(child, Signal::CONT);
        }
        self.is_ready = true;
        // Without the right to take that back, it ends with its task.
        *is_behind = *is_behind && !be_nice(child, 0);
        Ok(answer)
    }

    /// Whether it still runs.
    fn is_there(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Whether it may have another task.
    const fn is_as_new(&self) -> bool {
        self.questions < MAX_QUESTIONS && !self.is_behind
    }

    /// How it ended, or that it was made to; and whether somebody killed it.
    fn end(&mut self, error: &io::Error) -> (String, bool) {
        // What it said was no answer, if it still runs.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        match self.child.wait() {
            Ok(status) => match (status.signal(), status.code()) {
                (Some(signal), _) => (format!("signal {signal}"), signal == Signal::KILL.as_raw()),
                (_, Some(0)) | (None, None) => (error.to_string(), false),
                (_, Some(code)) => (format!("exit code {code}"), false),
            },
            Err(error) => (error.to_string(), false),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It has nothing that could be lost.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a worker a signal; gives whether it was there.
fn signal(child: &Child, signal: Signal) -> bool {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    id.is_some_and(|id| kill_process(id, signal).is_ok())
}

/// Says what a worker is to the scheduler; gives whether it is that now. Where it is not, it takes more from the others, and no
/// more than its deadline.
fn be_nice(child: &Child, nice: i32) -> bool {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    id.is_some_and(|id| setpriority_process(Some(id), nice).is_ok())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
