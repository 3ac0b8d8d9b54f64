//! What is yet to be written. Putting a fact in never waits for a disk.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::event::session_event::SessionEvent;
use crate::model::session_id::SessionId;

/// A fact that is yet to be written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fact {
    pub(crate) unix_micros: u64,
    pub(crate) session: SessionId,
    pub(crate) message: Option<u32>,
    pub(crate) event: SessionEvent,
}

/// The queue before the writer.
#[derive(Debug)]
pub(crate) struct Queue {
    /// Facts that may wait; again as many if the accounts would not balance without them.
    room: usize,
    state: Mutex<State>,
    filled: Condvar,
    hurried: Condvar,
    /// How many facts are written; all there will ever be, while nobody writes any.
    written: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    waiting: Waiting,
    /// Facts that were put in, in all.
    put: u64,
    lost_in_all: u64,
    thread: Thread,
    /// Somebody waits for what is yet to be written.
    hurry: bool,
    closed: bool,
}

/// What the thread does that writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Thread {
    /// It is at work, and will look again.
    #[default]
    AtWork,
    /// It sleeps until something is put in.
    Asleep,
    /// Something was put in since it last looked.
    Called,
}

/// What waits to be written, in the order of its times.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) facts: Vec<Fact>,
    /// How many facts of which session there was no room for.
    pub(crate) lost: HashMap<SessionId, u64>,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.lost.is_empty()
    }
}

/// Facts that may wait. A fact has some 500 octets; a writer that does not get on is noticed long before.
const ROOM: usize = 32_768;
/// Sessions whose lost facts are counted one by one; beyond that they only count in all.
const LOST_SESSIONS: usize = 4_096;

impl Default for Queue {
    fn default() -> Self {
        Self::with_room(ROOM)
    }
}

impl Queue {
    /// An empty queue with room for so many facts, and as many more first and last ones of sessions.
    pub(crate) fn with_room(room: usize) -> Self {
        Self {
            room,
            state: Mutex::default(),
            filled: Condvar::new(),
            hurried: Condvar::new(),
            written: watch::Sender::new(0),
        }
    }

    /// An empty queue that nobody writes down, so that nobody waits for it either.
    pub(crate) fn unwritten() -> Self {
        Self { written: watch::Sender::new(u64::MAX), ..Self::default() }
    }

    /// Puts a fact in, at a time that is read when its place is certain. False: there was no room, or nobody
    /// writes any more.
    pub(crate) fn put(&self, now: impl FnOnce() -> u64, mut fact: Fact) -> bool {
        let needed = matches!(fact.event, SessionEvent::Opened { .. } | SessionEvent::Account { .. });
        let limit = if needed { self.room * 2 } else { self.room };
        let mut state = self.lock();
        let has_room = state.waiting.facts.len() < limit && !state.closed;
        let waiting = &mut state.waiting;
        if has_room {
            fact.unix_micros = now();
            waiting.facts.push(fact);
            state.put += 1;
            self.fill(state);
            return true;
        }
        if waiting.lost.len() < LOST_SESSIONS || waiting.lost.contains_key(&fact.session) {
            *waiting.lost.entry(fact.session).or_default() += 1;
        }
        state.lost_in_all += 1;
        false
    }

    /// Wakes the thread, if it sleeps: that costs a system call.
    fn fill(&self, mut state: MutexGuard<'_, State>) {
        let before = std::mem::replace(&mut state.thread, Thread::Called);
        drop(state);
        if before == Thread::Asleep {
            self.filled.notify_one();
        }
    }

    /// Has the thread look, though nothing was put in.
    pub(crate) fn rouse(&self) {
        self.fill(self.lock());
    }

    /// Waits until something was put in; says no once the queue is closed and empty.
    pub(crate) fn wait(&self) -> bool {
        let mut state = self.lock();
        while state.thread != Thread::Called && state.waiting.is_empty() {
            if state.closed {
                return false;
            }
            state.thread = Thread::Asleep;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// Lets facts gather for a while, unless somebody is in a hurry or no more are to come.
    pub(crate) fn gather(&self, limit: Duration) {
        let more = |state: &mut State| !state.hurry && !state.closed;
        drop(self.hurried.wait_timeout_while(self.lock(), limit, more));
    }

    /// How many facts were put in so far.
    pub(crate) fn put_so_far(&self) -> u64 {
        self.lock().put
    }

    /// Whether so many facts are written, or nobody writes.
    pub(crate) fn has_written(&self, facts: u64) -> bool {
        *self.written.borrow() >= facts
    }

    /// Waits until so many facts are written, or nobody writes.
    pub(crate) async fn settle(&self, put: u64) {
        self.lock().hurry = true;
        self.hurried.notify_one();
        // The sender lives as long as this queue.
        let _ = self.written.subscribe().wait_for(|written| *written >= put).await;
    }

    /// Says how many facts are written by now.
    pub(crate) fn wrote(&self, written: u64) {
        self.written.send_replace(written);
    }

    /// Says that nothing is written for now: nobody is to wait for it.
    pub(crate) fn is_stuck(&self) {
        self.written.send_replace(u64::MAX);
    }

    /// What there is to write, if anything, for the thread that writes.
    pub(crate) fn take(&self) -> Waiting {
        let mut state = self.lock();
        (state.thread, state.hurry) = (Thread::AtWork, false);
        std::mem::take(&mut state.waiting)
    }

    /// The same, for somebody else, who may leave an emptied list for the next facts.
    pub(crate) fn take_now(&self, emptied: Vec<Fact>) -> Waiting {
        std::mem::replace(&mut self.lock().waiting, Waiting { facts: emptied, lost: HashMap::new() })
    }

    /// No more facts are meant to come.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
        self.hurried.notify_one();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Facts that there was no room for, in all.
    pub(crate) fn lost(&self) -> u64 {
        self.lock().lost_in_all
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
