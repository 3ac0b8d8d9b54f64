//! What writes records: many at a time, and nothing twice.
//!
//! There is a thread for it. Who has to know that a fact is written does the writing itself, if the disk is not slow
//! and nobody else is at it just then: that is cheaper than to wake the thread and to be woken by it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use crate::audit::config::Config;
use crate::audit::error::{RecordsError, Result};
use crate::audit::ledger::Ledger;
use crate::audit::line::OpenSessions;
use crate::audit::queue::{Fact, Queue, Waiting};
use crate::audit::{folder, log, recovery, timestamp};
use crate::event::session_event::{Record, SessionEvent};
use crate::model::clock::Clock;
use crate::model::leg::Leg;
use crate::model::session_id::SessionId;

/// How long facts gather before they are written together.
const GATHER: Duration = Duration::from_millis(5);
/// A disk that takes longer for one write is slow.
const SLOW: Duration = Duration::from_millis(20);
/// How long a slow disk is left to the thread.
const SLOW_FOR: Duration = Duration::from_secs(5);
/// Log lines that wait for the thread; what is left out stands in the records.
const MAX_UNLOGGED: usize = 4_096;
/// How long a disk that fails is left alone.
const RETRY: Duration = Duration::from_secs(1);
/// Facts that wait at most, as a rule.
const FEW: usize = 64;
/// Octets that are written at once.
const WRITE_OCTETS: u64 = 256 << 10;

/// Writes records.
#[derive(Debug)]
pub(crate) struct Writer {
    config: Config,
    clock: Arc<dyn Clock>,
    /// Keeps other daemons out.
    _claim: File,
    file: File,
    /// Octets of whole lines in the file.
    length: u64,
    sequence: u64,
    ledger: Ledger,
    times: timestamp::Formatter,
    /// For the next facts that wait, so that the list need not grow anew.
    emptied: Vec<Fact>,
    buffer: Vec<u8>,
    /// Facts that came out of the queue, in all.
    taken: u64,
    /// What the log is yet to say; only the thread logs.
    unlogged: Vec<Record>,
    /// Until then only the thread writes.
    slow_until: Option<Instant>,
}

/// A writer, for as long as there is one.
#[derive(Debug)]
pub(crate) struct SharedWriter(Mutex<Option<Writer>>);

impl SharedWriter {
    pub(crate) fn new(writer: Writer) -> Self {
        Self(Mutex::new(Some(writer)))
    }

    /// Writes until the queue is closed and empty.
    pub(crate) fn run(&self, queue: &Queue) -> Result<Written> {
        let _nobody_waits = LastWord(self, queue);
        while queue.wait() {
            queue.gather(GATHER);
            let mut guard = self.lock();
            let Some(writer) = guard.as_mut() else { break };
            writer.batch(queue.take(), queue)?;
            let unlogged = std::mem::take(&mut writer.unlogged);
            drop(guard);
            unlogged.iter().for_each(log::log);
        }
        match self.lock().take() {
            Some(writer) => writer.end(queue),
            None => Ok(Written::default()),
        }
    }

    /// Writes what is in the queue, if that can be done at once.
    pub(crate) fn write_now(&self, queue: &Queue) {
        let mut guard = match self.0.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if let Some(writer) = guard.as_mut() {
            writer.write_now(queue);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Writer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Opens the newest file, or begins the first, and closes the accounts of an earlier run.
    pub(crate) fn open(config: Config, clock: Arc<dyn Clock>) -> Result<Self> {
        let claim = folder::claim(&config.folder)?;
        let newest = folder::files(&config.folder)?.pop();
        let path = newest
            .map_or_else(|| folder::path_of_new(&config.folder, clock.unix_micros()), |newest| newest.path);
        let failed = |source| RecordsError::Io { path: path.clone(), source };
        let mut file = folder::open(&path).map_err(failed)?;
        recovery::put_torn_line_aside(&mut file, &path).map_err(failed)?;
        io::Seek::rewind(&mut file).map_err(failed)?;
        let ledger = recovery::read_ledger(&file).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let buffer = Vec::new();
        let mut writer = Self {
            config,
            clock,
            _claim: claim,
            file,
            length,
            sequence: 0,
            ledger,
            times: timestamp::Formatter::default(),
            emptied: Vec::new(),
            buffer,
            taken: 0,
            unlogged: Vec::new(),
            slow_until: None,
        };
        let left = writer.close_all(ENDED);
        if left > 0 {
            info!(
                sessions = left,
                "sessions of an earlier run that was ended in their midst are accounted for"
            );
        }
        writer.flush().map_err(failed)?;
        Ok(writer)
    }

    fn end(mut self, queue: &Queue) -> Result<Written> {
        let left = self.close_all(STOPPED);
        if left > 0 {
            warn!(sessions = left, "sessions were still open at the end");
        }
        self.flush_patiently(queue)?;
        self.unlogged.iter().for_each(log::log);
        self.file.sync_data().map_err(|error| RecordsError::of(&self.config.folder, error))?;
        Ok(Written { records: self.sequence, lost: queue.lost() })
    }

    fn batch(&mut self, waiting: Waiting, queue: &Queue) -> Result<()> {
        self.taken += waiting.facts.len() as u64;
        for Fact { unix_micros, session, message, event } in waiting.facts {
            self.record(unix_micros, session, message, event);
            if self.is_enough() {
                self.flush_patiently(queue)?;
            }
        }
        self.note_lost(waiting.lost);
        self.flush_patiently(queue)?;
        queue.wrote(self.taken);
        Ok(())
    }

    /// Writes what is in the queue, unless that would take long. What fails is left to the thread.
    fn write_now(&mut self, queue: &Queue) {
        let began = Instant::now();
        if self.slow_until.is_some_and(|until| began < until) || !self.buffer.is_empty() {
            return;
        }
        let mut waiting = queue.take_now(std::mem::take(&mut self.emptied));
        self.taken += waiting.facts.len() as u64;
        for Fact { unix_micros, session, message, event } in waiting.facts.drain(..) {
            self.record(unix_micros, session, message, event);
        }
        waiting.facts.shrink_to(FEW);
        self.emptied = waiting.facts;
        self.note_lost(waiting.lost);
        let outcome = self.flush();
        let is_slow = began.elapsed() > SLOW;
        self.slow_until = is_slow.then(|| Instant::now() + SLOW_FOR);
        match outcome {
            Ok(()) => queue.wrote(self.taken),
            Err(_) => queue.rouse(),
        }
    }

    /// Whether what is to be written fills a write, or a file.
    const fn is_enough(&self) -> bool {
        let buffered = self.buffer.len() as u64;
        buffered >= WRITE_OCTETS || self.length + buffered >= self.config.max_file
    }

    fn note_lost(&mut self, lost: HashMap<SessionId, u64>) {
        for (session, facts) in lost {
            let detail = Some(format!("{facts} of this session's records, for which there was no room"));
            let event = SessionEvent::Note { leg: Leg::Client, what: LOST.to_owned(), detail };
            self.record(self.clock.unix_micros(), session, None, event);
        }
    }

    fn close_all(&mut self, reason: &str) -> usize {
        let accounts = self.ledger.close_all(reason);
        let count = accounts.len();
        for (session, event) in accounts {
            self.put(self.clock.unix_micros(), session, None, event);
        }
        count
    }

    fn record(&mut self, unix_micros: u64, session: SessionId, message: Option<u32>, event: SessionEvent) {
        let event = self.ledger.enter(unix_micros, session, event);
        self.put(unix_micros, session, message, event);
    }

    /// Puts a record at the end of what is to be written.
    fn put(&mut self, unix_micros: u64, session: SessionId, message: Option<u32>, event: SessionEvent) {
        self.sequence += 1;
        let time = self.times.format(unix_micros);
        let record = Record { time, sequence: self.sequence, session, message, event };
        self.put_line(&record);
        if log::is_wanted(&record.event) && self.unlogged.len() < MAX_UNLOGGED {
            self.unlogged.push(record);
        }
    }

    fn put_line(&mut self, line: &impl serde::Serialize) {
        // Writing JSON into memory fails only for maps with odd keys, and there are none.
        if serde_json::to_writer(&mut self.buffer, line).is_ok() {
            self.buffer.push(b'\n');
        }
    }

    /// Writes what is to be written. A disk that is full or fails is tried again until the daemon is to end;
    /// meanwhile facts wait, and those there is no room for are counted.
    fn flush_patiently(&mut self, queue: &Queue) -> Result<()> {
        let mut told = false;
        loop {
            let Err(error) = self.flush() else {
                if told {
                    info!("records can be written again");
                }
                return Ok(());
            };
            if queue.is_closed() {
                return Err(RecordsError::of(&self.config.folder, error));
            }
            if !told {
                error!(%error, folder = %self.config.folder.display(), "records cannot be written; they wait");
                told = true;
            }
            queue.is_stuck();
            thread::sleep(RETRY);
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.write_all(&self.buffer) {
            // What was written of it is taken back, so that it is not there twice.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += self.buffer.len() as u64;
        self.buffer.clear();
        if self.length >= self.config.max_file
            && let Err(error) = self.begin_file()
        {
            // Better a file that is too long than records that are not there.
            warn!(%error, "the next record file cannot be begun; the last one goes on");
        }
        Ok(())
    }

    /// Begins the next file with the list of open sessions, and removes what is older than what is kept.
    fn begin_file(&mut self) -> io::Result<()> {
        let now = self.clock.unix_micros();
        let list = OpenSessions { time: timestamp::format(now), open: self.ledger.open.clone() };
        let mut line = serde_json::to_vec(&list)?;
        line.push(b'\n');
        // It gets its name when it says what it has to, not before.
        let file = folder::begin(&self.config.folder, now, &line)?;
        self.file.sync_data()?;
        self.file = file;
        self.length = line.len() as u64;
        if let Err(error) = folder::prune(&self.config.folder, self.config.keep) {
            warn!(%error, "old records cannot be removed");
        }
        Ok(())
    }
}

/// When the thread ends, whatever ends it, nobody waits for it any more, and nobody writes in its place.
struct LastWord<'a>(&'a SharedWriter, &'a Queue);

impl Drop for LastWord<'_> {
    fn drop(&mut self) {
        *self.0.lock() = None;
        self.1.is_stuck();
    }
}

/// How much was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Records.
    pub records: u64,
    /// Facts that there was no room for.
    pub lost: u64,
}

/// Reason of sessions that a killed daemon left open.
pub(crate) const ENDED: &str = "daemon_ended";
/// Reason of sessions that were open when the daemon had nothing more to write.
pub(crate) const STOPPED: &str = "daemon_stopped";
/// Word of the note about facts that there was no room for.
pub(crate) const LOST: &str = "records_lost";

#[cfg(test)]
mod tests;
