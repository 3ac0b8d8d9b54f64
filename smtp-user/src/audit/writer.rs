//! The thread that writes records: many at a time, and nothing twice.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

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
/// How long a disk that fails is left alone.
const RETRY: Duration = Duration::from_secs(1);
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
    buffer: Vec<u8>,
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
        let mut writer = Self { config, clock, _claim: claim, file, length, sequence: 0, ledger, buffer };
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

    /// Writes until the queue is closed and empty.
    pub(crate) fn run(mut self, queue: &Queue) -> Result<Written> {
        let _nobody_waits = LastWord(queue);
        let mut written = 0;
        while let Some(waiting) = queue.take() {
            written += waiting.facts.len() as u64;
            self.batch(waiting, queue)?;
            queue.wrote(written);
            queue.gather(GATHER);
        }
        let left = self.close_all(STOPPED);
        if left > 0 {
            warn!(sessions = left, "sessions were still open at the end");
        }
        self.flush_patiently(queue)?;
        self.file.sync_data().map_err(|error| RecordsError::of(&self.config.folder, error))?;
        Ok(Written { records: self.sequence, lost: queue.lost() })
    }

    fn batch(&mut self, waiting: Waiting, queue: &Queue) -> Result<()> {
        for Fact { unix_micros, session, message, event } in waiting.facts {
            self.record(unix_micros, session, message, event);
            let buffered = self.buffer.len() as u64;
            if buffered >= WRITE_OCTETS || self.length + buffered >= self.config.max_file {
                self.flush_patiently(queue)?;
            }
        }
        self.note_lost(waiting.lost);
        self.flush_patiently(queue)
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
        let time = timestamp::format(unix_micros);
        let record = Record { time, sequence: self.sequence, session, message, event };
        log::log(&record);
        self.put_line(&record);
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

/// When the thread ends, whatever ends it, nobody waits for it any more.
struct LastWord<'a>(&'a Queue);

impl Drop for LastWord<'_> {
    fn drop(&mut self) {
        self.0.is_stuck();
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
