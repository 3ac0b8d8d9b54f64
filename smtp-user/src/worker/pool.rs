//! Workers from the outside: started when they are needed, kept while they behave.
//!
//! Everything in here waits; it is called on threads that may.

use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use crate::worker::error::WorkerError;
use crate::worker::poison::PoisonList;
use crate::worker::protocol::{self, Question, Unpacked};

/// Workers for parts.
#[derive(Debug)]
pub struct Pool {
    program: PathBuf,
    arguments: Vec<String>,
    idle: Mutex<Vec<Worker>>,
    poison: Mutex<PoisonList>,
}

/// The command that makes this program a worker.
const COMMAND: &str = "scan-worker";
/// Workers that are kept without work.
const MAX_IDLE: usize = 8;
/// Questions that one worker answers: memory that a decoder did not give back goes with it.
const MAX_QUESTIONS: u32 = 1000;
/// How long a worker has beyond the deadline that it knows itself, which is looked at between two blocks.
const GRACE: Duration = Duration::from_secs(5);

/// A worker.
#[derive(Debug)]
struct Worker {
    child: Child,
    stream: UnixStream,
    questions: u32,
}

impl Pool {
    /// Workers are this program again, as it was when it started, also after its file was replaced.
    pub fn of_this_program() -> Self {
        Self::new("/proc/self/exe".into(), vec![COMMAND.to_owned()])
    }

    /// Workers that are made by starting a program with arguments.
    fn new(program: PathBuf, arguments: Vec<String>) -> Self {
        Self { program, arguments, idle: Mutex::default(), poison: Mutex::default() }
    }

    /// Has a part unpacked.
    pub fn unpack(&self, question: &Question, readings: &[Vec<u8>]) -> Result<Vec<Unpacked>, WorkerError> {
        let mut sha256 = Sha256::new();
        for octets in readings {
            sha256.update(octets);
        }
        let sha256: [u8; 32] = sha256.finalize().into();
        if lock(&self.poison).is_poisonous(&sha256, Instant::now()) {
            return Err(WorkerError::Poisonous);
        }
        let kept = lock(&self.idle).pop();
        if let Some(worker) = kept {
            match self.ask(worker, question, readings) {
                // It may have been ended while it had nothing to do: that says nothing about the part.
                Err(WorkerError::Died { .. }) => {}
                answer => return self.judged(answer, sha256),
            }
        }
        let answer = self.ask(self.start()?, question, readings);
        self.judged(answer, sha256)
    }

    fn judged<T>(&self, answer: Result<T, WorkerError>, sha256: [u8; 32]) -> Result<T, WorkerError> {
        if matches!(answer, Err(WorkerError::Died { .. } | WorkerError::TimedOut)) {
            lock(&self.poison).died(sha256, Instant::now());
        }
        answer
    }

    fn start(&self) -> Result<Worker, WorkerError> {
        let start = || {
            let (stream, theirs) = UnixStream::pair()?;
            let output = OwnedFd::from(theirs.try_clone()?);
            let child = Command::new(&self.program)
                .args(&self.arguments)
                .env_clear()
                .stdin(OwnedFd::from(theirs))
                .stdout(output)
                .stderr(Stdio::null())
                .spawn()?;
            Ok(Worker { child, stream, questions: 0 })
        };
        start().map_err(|source| WorkerError::Start { source })
    }

    fn ask(
        &self,
        mut worker: Worker,
        question: &Question,
        readings: &[Vec<u8>],
    ) -> Result<Vec<Unpacked>, WorkerError> {
        match worker.ask(question, readings) {
            Ok(answer) => {
                let mut idle = lock(&self.idle);
                if worker.questions < MAX_QUESTIONS && idle.len() < MAX_IDLE {
                    idle.push(worker);
                }
                Ok(answer)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Err(WorkerError::TimedOut)
            }
            Err(error) => Err(WorkerError::Died { how: worker.end(&error) }),
        }
    }
}

impl Worker {
    fn ask(&mut self, question: &Question, readings: &[Vec<u8>]) -> io::Result<Vec<Unpacked>> {
        self.questions += 1;
        let patience = Some(question.limits.deadline + GRACE);
        self.stream.set_write_timeout(patience)?;
        self.stream.set_read_timeout(patience)?;
        protocol::write(&mut self.stream, question)?;
        for octets in readings {
            self.stream.write_all(octets)?;
        }
        protocol::read(&mut self.stream)
    }

    /// How it ended, or that it was made to.
    fn end(&mut self, error: &io::Error) -> String {
        // What it said was no answer, if it still runs.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        match self.child.wait() {
            Ok(status) => match (status.signal(), status.code()) {
                (Some(signal), _) => format!("signal {signal}"),
                (_, Some(0)) | (None, None) => error.to_string(),
                (_, Some(code)) => format!("exit code {code}"),
            },
            Err(error) => error.to_string(),
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
