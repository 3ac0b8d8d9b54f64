//! Where everybody hands facts in.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::audit::config::Config;
use crate::audit::error::{RecordsError, Result};
use crate::audit::queue::{Fact, Queue};
use crate::audit::timestamp;
pub use crate::audit::writer::Written;
use crate::audit::writer::{SharedWriter, Writer};
use crate::event::session_event::{Record, SessionEvent};
use crate::model::clock::Clock;
use crate::model::session_id::SessionId;

/// Takes facts and hands them to the thread that writes them. Clones hand them to the same thread.
#[derive(Clone, Debug)]
pub struct Recorder {
    queue: Arc<Queue>,
    /// Nothing is written without one.
    writer: Option<Arc<SharedWriter>>,
    clock: Arc<dyn Clock>,
}

impl Recorder {
    /// Opens the records, closes the accounts of an earlier run, and starts the thread.
    pub fn start(config: Config, clock: Arc<dyn Clock>) -> Result<(Self, Writing)> {
        let folder = config.folder.clone();
        let writer = Arc::new(SharedWriter::new(Writer::open(config, Arc::clone(&clock))?));
        let queue = Arc::new(Queue::default());
        let (theirs, at_work) = (Arc::clone(&queue), Arc::clone(&writer));
        let thread = thread::Builder::new()
            .name("records".to_owned())
            .spawn(move || at_work.run(&theirs))
            .map_err(|source| RecordsError::Io { path: folder, source })?;
        let writing = Writing { queue: Arc::clone(&queue), thread: Some(thread) };
        Ok((Self { queue, writer: Some(writer), clock }, writing))
    }

    /// Records nothing; whoever holds the other half reads the facts. For tests, and for a trial run.
    pub fn collecting(clock: Arc<dyn Clock>) -> (Self, Collected) {
        let queue = Arc::new(Queue::unwritten());
        (Self { queue: Arc::clone(&queue), writer: None, clock }, Collected { queue, sequence: 0 })
    }

    /// Hands a fact in. Never waits: when the disk does not keep up and the queue is full, the fact is lost,
    /// counted, and a note in the session's records says how many were.
    pub fn emit(&self, session: SessionId, message: Option<u32>, event: SessionEvent) {
        self.queue.put(|| self.clock.unix_micros(), Fact { unix_micros: 0, session, message, event });
    }

    /// Waits until what was handed in so far is written, so that it is known also if this process is killed; it may not
    /// yet be on the disk. While the disk takes nothing, nothing is waited for.
    pub async fn settle(&self) {
        self.settle_up_to(self.queue.put_so_far()).await;
    }

    async fn settle_up_to(&self, put: u64) {
        if let Some(writer) = &self.writer
            && !self.queue.has_written(put)
        {
            writer.write_now(&self.queue);
        }
        if !self.queue.has_written(put) {
            self.queue.settle(put).await;
        }
    }

    /// The same where many wait at a time: others that are about to get as far, and one of them writes for all. A turn of the
    /// scheduler costs as much as it saves where there are few.
    pub async fn settle_with_others(&self) {
        let put = self.queue.put_so_far();
        if !self.queue.has_written(put) {
            tokio::task::yield_now().await;
            self.settle_up_to(put).await;
        }
    }

    /// A name for a session that begins now.
    pub fn new_session(&self) -> SessionId {
        let unix_micros = self.clock.unix_micros();
        let mut chance = [0; 10];
        if rustix::rand::getrandom(&mut chance, rustix::rand::GetRandomFlags::empty()) != Ok(chance.len()) {
            // A kernel without chance has a clock; names need not be secret.
            if let Some(low) = chance.last_chunk_mut() {
                *low = unix_micros.to_be_bytes();
            }
        }
        SessionId::new(unix_micros / 1000, chance)
    }

    /// Facts that there was no room for, in all.
    pub fn lost(&self) -> u64 {
        self.queue.lost()
    }
}

/// The thread that writes. Dropping it ends the thread and waits for what is yet to be written.
#[derive(Debug)]
#[must_use = "records are written for as long as this is kept"]
pub struct Writing {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<Result<Written>>>,
}

impl Writing {
    /// Writes what is yet to be written, accounts for sessions that are still open, and ends. It waits for the
    /// disk: not for an asynchronous task.
    pub fn finish(mut self) -> Result<Written> {
        self.end()
    }

    fn end(&mut self) -> Result<Written> {
        self.queue.close();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(written)) => written,
            // A panic was reported by whoever hears of panics.
            Some(Err(_)) | None => Ok(Written::default()),
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if self.thread.is_some()
            && let Err(error) = self.end()
        {
            tracing::error!(%error, "the last records could not be written");
        }
    }
}

/// Facts in the order they were handed in.
#[derive(Debug)]
pub struct Collected {
    queue: Arc<Queue>,
    sequence: u64,
}

impl Collected {
    /// What was handed in since the last time; nothing if nothing was.
    pub fn take(&mut self) -> Vec<Record> {
        let facts = self.queue.take_now(Vec::new()).facts;
        let number = |fact: Fact| {
            self.sequence += 1;
            let Fact { unix_micros, session, message, event } = fact;
            Record { time: timestamp::format(unix_micros), sequence: self.sequence, session, message, event }
        };
        facts.into_iter().map(number).collect()
    }
}

#[cfg(test)]
mod tests;
