//! Threads that sync files at the same time: a file system does in one go what is asked of it at once, and a sync that
//! begins when another one has ended waits for the disk once more.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::spool::file_system::Unsynced;

/// The threads; made when they are needed, and gone with this value.
#[derive(Debug, Default)]
pub(crate) struct Syncers {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    inner: Mutex<Inner>,
    has_work: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    work: VecDeque<Work>,
    threads: usize,
    idle: usize,
    is_over: bool,
}

/// A file or folder, its number, and whom to tell.
#[derive(Debug)]
struct Work {
    file: Box<dyn Unsynced>,
    number: usize,
    outcome: Option<io::Result<()>>,
    round: Arc<Round>,
}

impl Work {
    fn carry_out(mut self) {
        self.outcome = Some(self.file.sync());
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // One that came to no outcome, by a fault of this program, is not waited for either.
        self.round.ended(self.number, self.outcome.take());
    }
}

/// Files that are waited for together: whoever waits is woken once, by the last of them.
#[derive(Debug)]
struct Round {
    state: Mutex<Outcomes>,
    is_over: Condvar,
}

#[derive(Debug)]
struct Outcomes {
    known: Vec<(usize, io::Result<()>)>,
    left: usize,
}

impl Round {
    fn new(files: usize) -> Self {
        let outcomes = Outcomes { known: Vec::with_capacity(files), left: files };
        Self { state: Mutex::new(outcomes), is_over: Condvar::new() }
    }

    fn ended(&self, number: usize, outcome: Option<io::Result<()>>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.known.extend(outcome.map(|outcome| (number, outcome)));
        state.left = state.left.saturating_sub(1);
        if state.left == 0 {
            self.is_over.notify_one();
        }
    }

    fn wait(&self) -> Vec<(usize, io::Result<()>)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_under_way = |state: &mut Outcomes| state.left > 0;
        let mut state = self.is_over.wait_while(state, is_under_way).unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.known)
    }
}

/// Files that are synced at the same time; others wait.
const MOST: usize = 64;

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut inner = self.inner();
        loop {
            if let Some(work) = inner.work.pop_front() {
                drop(inner);
                work.carry_out();
                inner = self.inner();
            } else if inner.is_over {
                return;
            } else {
                inner.idle += 1;
                inner = self.has_work.wait(inner).unwrap_or_else(PoisonError::into_inner);
                inner.idle -= 1;
            }
        }
    }
}

impl Syncers {
    /// Syncs files and closes them; gives for each number what came of it, in no order. What is not named has failed.
    pub(crate) fn sync(&self, files: Vec<(usize, Box<dyn Unsynced>)>) -> Vec<(usize, io::Result<()>)> {
        let round = Arc::new(Round::new(files.len()));
        let work = |(number, file)| Work { file, number, outcome: None, round: Arc::clone(&round) };
        let mut files = files.into_iter().map(work);
        // This thread would only wait.
        let Some(own) = files.next() else { return Vec::new() };
        let others: Vec<Work> = files.collect();
        if !others.is_empty() {
            let mut inner = self.shared.inner();
            let count = others.len();
            inner.work.extend(others);
            let wanted = inner.work.len().saturating_sub(inner.idle).min(MOST - inner.threads.min(MOST));
            for _ in 0..wanted {
                let shared = Arc::clone(&self.shared);
                let thread = std::thread::Builder::new().name("spool sync".to_owned());
                // Without a thread to be had, those that there are do it, and this one.
                if thread.spawn(move || shared.work()).is_err() {
                    break;
                }
                inner.threads += 1;
            }
            drop(inner);
            (0..count).for_each(|_| self.shared.has_work.notify_one());
        }
        own.carry_out();
        loop {
            let next = self.shared.inner().work.pop_front();
            let Some(work) = next else { break };
            work.carry_out();
        }
        round.wait()
    }
}

impl Drop for Syncers {
    fn drop(&mut self) {
        self.shared.inner().is_over = true;
        self.shared.has_work.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails, or says how many syncs are under way when it is one of them.
    #[derive(Debug)]
    struct Fake {
        fails: bool,
        together: Arc<std::sync::Barrier>,
    }

    impl Unsynced for Fake {
        fn sync(&mut self) -> io::Result<()> {
            self.together.wait();
            if self.fails { Err(io::Error::other("no")) } else { Ok(()) }
        }
    }

    #[test]
    fn all_files_are_synced_at_once_and_each_has_its_own_outcome() {
        let syncers = Syncers::default();
        for count in [1, 7, MOST, 3] {
            // None of them returns before all of them are at it.
            let together = Arc::new(std::sync::Barrier::new(count));
            let files = (0..count).map(|number| {
                let file = Fake { fails: number % 3 == 1, together: Arc::clone(&together) };
                (number, Box::new(file) as Box<dyn Unsynced>)
            });
            let mut outcomes = syncers.sync(files.collect());
            outcomes.sort_by_key(|(number, _)| *number);
            let failed: Vec<bool> = outcomes.into_iter().map(|(_, outcome)| outcome.is_err()).collect();
            assert_eq!(failed, (0..count).map(|number| number % 3 == 1).collect::<Vec<_>>());
        }
        assert!(syncers.sync(Vec::new()).is_empty());
    }

    #[test]
    fn the_threads_end_with_it() {
        let syncers = Syncers::default();
        let together = Arc::new(std::sync::Barrier::new(3));
        let files = (0..3).map(|number| {
            (number, Box::new(Fake { fails: false, together: Arc::clone(&together) }) as Box<dyn Unsynced>)
        });
        assert_eq!(syncers.sync(files.collect()).len(), 3);
        let shared = Arc::downgrade(&syncers.shared);
        drop(syncers);
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while shared.upgrade().is_some() {
            assert!(std::time::Instant::now() < end, "threads are left");
            std::thread::yield_now();
        }
    }
}
