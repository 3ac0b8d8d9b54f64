//! What a worker that takes long has of the processors: less and less.
//!
//! To stand behind the others in the scheduler is not enough. It fills each pause between two of their tasks then, which
//! costs them a tenth and more of what two processors do, in whichever class it is; one that stands still costs nothing.

use std::time::Duration;

use crate::worker::lane::SOON;

/// What changes when a task takes longer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mark {
    /// Others come first from now on.
    Behind,
    /// Its place is among those that take long.
    Slow,
    /// It stands still until its next turn if there are others.
    Rest,
    /// It stands still until its next turn.
    Halt,
    /// It has a turn.
    Turn,
}

/// How long a worker is to the scheduler what the daemon is: nearly all parts are done by then.
const AT_ONCE: Duration = Duration::from_millis(50);
/// A turn of what takes long, beside others.
const TURN: Duration = Duration::from_millis(25);
/// How long it stands still behind that.
const REST: Duration = Duration::from_millis(75);
/// A turn after its deadline, to say that it could not; the kernel makes a few of it.
const LAST_TURN: Duration = Duration::from_millis(1);
/// How long it stands still behind that.
const HALT: Duration = Duration::from_millis(199);

/// The marks of a task and when they are due, from its beginning. They have no end.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    deadline: Duration,
    next: (Duration, Mark),
    /// [`Mark::Slow`] is still to come.
    is_soon: bool,
    /// Since when it has been standing still, before its deadline.
    rests: Option<Duration>,
}

impl Turns {
    /// Of a task that is to be done in so much time of its own.
    pub(super) const fn new(deadline: Duration) -> Self {
        Self { deadline, next: (AT_ONCE, Mark::Behind), is_soon: true, rests: None }
    }

    /// When it is to be done: later by as long as it stood still for others.
    pub(super) const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The next mark.
    pub(super) fn next(&self) -> (Duration, Mark) {
        if self.is_soon && self.next.0 >= SOON { (SOON, Mark::Slow) } else { self.next }
    }

    /// Goes on to the one behind it, at this time: one that was told late has its turn all the same. Whoever was told of
    /// it stands still, or does not.
    pub(super) fn pass(&mut self, at: Duration, is_still: bool) {
        let (_, mark) = self.next();
        if let Some(since) = self.rests {
            self.deadline += at.saturating_sub(since);
        }
        let goes_on = mark == Mark::Slow && self.rests.is_some();
        self.rests = (goes_on || (mark == Mark::Rest && is_still)).then_some(at);
        self.next = match mark {
            Mark::Slow => {
                self.is_soon = false;
                self.next
            }
            Mark::Behind | Mark::Turn if at >= self.deadline => (at + LAST_TURN, Mark::Halt),
            Mark::Behind | Mark::Turn => (at + TURN, Mark::Rest),
            Mark::Rest => (at + REST, Mark::Turn),
            Mark::Halt => (at + HALT, Mark::Turn),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A task up to some time, with others beside it or without; gives how long it worked, and its deadline then.
    fn worked(deadline: Duration, until: Duration, has_others: bool) -> (Duration, Duration) {
        let (mut turns, mut stands, mut still) = (Turns::new(deadline), None, Duration::ZERO);
        while turns.next().0 < until {
            let (at, mark) = turns.next();
            match mark {
                Mark::Rest if !has_others => {}
                Mark::Rest | Mark::Halt => stands = Some(at),
                Mark::Turn => still += at.saturating_sub(stands.take().unwrap_or(at)),
                Mark::Behind => assert_eq!(at, AT_ONCE),
                Mark::Slow => assert_eq!(at, SOON),
            }
            turns.pass(at, stands.is_some());
        }
        still += until.saturating_sub(stands.unwrap_or(until));
        (until.saturating_sub(still), turns.deadline())
    }

    #[test]
    fn alone_it_has_all_the_time_until_its_deadline_and_nearly_none_behind_that() {
        assert_eq!(worked(SECOND * 5, SECOND * 5, false), (SECOND * 5, SECOND * 5));
        let (late, deadline) = worked(SECOND * 5, SECOND * 15, false);
        assert!(late > SECOND * 5 && late < SECOND * 26 / 5, "{late:?}");
        assert_eq!(deadline, SECOND * 5);
    }

    #[test]
    fn beside_others_it_has_a_quarter_and_its_deadline_is_as_much_later() {
        let (worked, deadline) = worked(SECOND * 5, SECOND * 10, true);
        assert!(worked > SECOND * 2 && worked < SECOND * 3, "{worked:?}");
        let still = (SECOND * 10).saturating_sub(worked);
        let later = deadline.saturating_sub(SECOND * 5);
        assert!(later <= still && later + REST >= still, "{later:?} of {still:?}");
    }

    #[test]
    fn what_is_done_at_once_never_stands_still() {
        assert_eq!(worked(Duration::ZERO, AT_ONCE, true).0, AT_ONCE);
        assert!(worked(Duration::ZERO, SECOND, true).0 < SECOND / 10);
    }

    #[test]
    fn its_place_is_asked_for_once() {
        let (mut turns, mut slow) = (Turns::new(SECOND), 0);
        while turns.next().0 < SECOND * 3 {
            let (at, mark) = turns.next();
            slow += usize::from(mark == Mark::Slow);
            turns.pass(at, false);
        }
        assert_eq!(slow, 1);
    }

    #[test]
    fn a_turn_that_is_told_late_is_as_long() {
        let mut turns = Turns::new(SECOND);
        while turns.next().1 != Mark::Turn {
            turns.pass(turns.next().0, true);
        }
        turns.pass(SECOND / 4, false);
        assert_eq!(turns.next(), (SECOND / 4 + TURN, Mark::Rest));
    }
}
