//! Something that the system has no more of for this process: descriptors, memory, threads.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;

/// A shortage, so that it is told of twice and not each time that it is met with: when it begins, and when it is over.
#[derive(Debug, Default)]
pub struct Shortage(Mutex<Option<Lasting>>);

#[derive(Clone, Copy, Debug)]
struct Lasting {
    since: Instant,
    last: Instant,
    times: u64,
}

/// What there is to say of one that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// From the first time that it was met with to the last.
    pub lasted: Duration,
    /// How often it was.
    pub times: u64,
}

/// It is over when it was not met with for so long: whoever is at a limit is above and below it in turn.
const QUIET: Duration = Duration::from_secs(5);

impl Shortage {
    /// It was met with; says whether that is the first time.
    #[must_use]
    pub fn begins(&self, now: Instant) -> bool {
        let mut inside = self.lock();
        let is_first = inside.is_none();
        let lasting = inside.get_or_insert(Lasting { since: now, last: now, times: 0 });
        lasting.last = now;
        lasting.times += 1;
        is_first
    }

    /// Whether there was one that is over now; says so once.
    pub fn ends(&self, now: Instant) -> Option<Over> {
        let mut inside = self.lock();
        let over = inside.take_if(|lasting| now.saturating_duration_since(lasting.last) >= QUIET)?;
        Some(Over { lasted: over.last.saturating_duration_since(over.since), times: over.times })
    }

    /// Three values that are whole after every step, so a panic elsewhere does not matter.
    fn lock(&self) -> MutexGuard<'_, Option<Lasting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an error says that this process, or the system, has no more descriptors, memory or threads: it says nothing about
/// what they were wanted for, and the same may well succeed later.
pub fn is_shortage(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS | Errno::AGAIN)
    )
}

/// Whether an error says that there are no more descriptors: nothing was opened, and nothing done.
pub fn has_no_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_of_when_it_begins_and_when_it_was_not_met_with_for_a_while() {
        let (shortage, start) = (Shortage::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(shortage.ends(at(100)), None);
        assert!(shortage.begins(at(0)));
        assert!(!shortage.begins(at(1)) && !shortage.begins(at(4)));
        assert_eq!(shortage.ends(at(8)), None, "it may not be over");
        assert_eq!(shortage.ends(at(9)), Some(Over { lasted: Duration::from_secs(4), times: 3 }));
        assert_eq!(shortage.ends(at(100)), None);
        assert!(shortage.begins(at(101)));
    }

    #[test]
    fn a_disk_that_fails_or_is_full_is_no_shortage() {
        for (errno, is) in
            [(Errno::MFILE, true), (Errno::NOMEM, true), (Errno::IO, false), (Errno::NOSPC, false)]
        {
            assert_eq!(is_shortage(&errno.into()), is, "{errno}");
        }
    }
}
