//! Keeps messages from waiting for an engine that is known to be down, and finds out when it is back.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::outcome::EngineError;

/// Failures in a row that open it.
const FAILURES: u32 = 3;
/// How long nobody is sent to an engine that is down: it is to be back at work within 5 s of its return.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a test may be under way.
pub(crate) const TEST_WAIT: Duration = Duration::from_secs(5);
/// How long a test is under way before another one is made beside it: its connection may be one that an engine which is
/// back knows nothing of.
const NEXT_TEST: Duration = PAUSE;
/// How long a test that was passed counts.
const TEST_AGE: Duration = Duration::from_mins(1);

/// The breaker of one engine. Time is an argument.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    /// Nobody has asked it anything.
    #[default]
    New,
    /// At work: failures in a row, when it was tested last, and when it gave an answer last.
    Closed { failures: u32, tested: Instant, answered: Instant },
    /// Down, for this reason; to be tried again then.
    Open { error: EngineError, until: Instant },
    /// Being tested.
    Testing { error: Option<EngineError>, since: Instant },
}

/// Whether it may be asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// It may.
    Go,
    /// It must pass a test first, and whoever hears this makes it.
    Test,
    /// It is down.
    No(EngineError),
}

impl Breaker {
    /// Whether it may be asked now.
    pub(crate) fn pass(&self, now: Instant) -> Pass {
        let mut state = self.lock();
        let error = match &*state {
            State::New => None,
            State::Closed { tested, .. } if now < *tested + TEST_AGE => return Pass::Go,
            // One asks the test's questions; the others go on meanwhile.
            State::Closed { failures, answered, .. } => {
                *state = State::Closed { failures: *failures, tested: now, answered: *answered };
                return Pass::Test;
            }
            State::Open { error, until } if now < *until => return Pass::No(error.clone()),
            State::Open { error, .. } => Some(error.clone()),
            State::Testing { error: Some(error), since } if now < *since + NEXT_TEST => {
                return Pass::No(error.clone());
            }
            // At the very beginning there is no reason yet to turn anybody away.
            State::Testing { error: None, since } if now < *since + NEXT_TEST => return Pass::Go,
            State::Testing { error, .. } => error.clone(),
        };
        *state = State::Testing { error, since: now };
        Pass::Test
    }

    /// Whether nothing is known against it.
    pub(crate) fn is_sound(&self) -> bool {
        matches!(*self.lock(), State::New | State::Closed { failures: 0, .. })
    }

    /// It gave an answer, or passed a test.
    pub(crate) fn succeeded(&self, now: Instant) {
        let mut state = self.lock();
        let tested = match *state {
            State::Closed { tested, .. } => tested,
            _ => now,
        };
        *state = State::Closed { failures: 0, tested, answered: now };
    }

    /// It gave none to what it was asked then. A failed test opens it at once.
    pub(crate) fn failed(&self, now: Instant, asked: Instant, error: &EngineError, in_test: bool) {
        if !is_its_fault(error) {
            return;
        }
        let mut state = self.lock();
        match &mut *state {
            // It has answered since: what was asked before tells nothing, unless that is the test now due, or it is an answer.
            State::Closed { tested, answered, .. }
                if asked < *answered && !(in_test && asked >= *tested) && *error != EngineError::Blind => {}
            State::Closed { failures, .. } if !in_test && *failures + 1 < FAILURES => *failures += 1,
            // The test that was begun last tells whether it is back. Connections of before may take long to end.
            State::Testing { since, .. } if asked < *since => {}
            State::Open { .. } => {}
            State::New | State::Testing { error: None, .. } if !in_test => {
                *state = State::Closed { failures: 1, tested: now, answered: asked };
            }
            _ => *state = State::Open { error: error.clone(), until: now + PAUSE },
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn is_its_fault(error: &EngineError) -> bool {
    !matches!(error, EngineError::Busy | EngineError::Unreadable { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN: EngineError = EngineError::TimedOut;

    #[test]
    fn three_failures_in_a_row_open_it_and_a_test_closes_it() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        assert_eq!(breaker.pass(start), Pass::Test);
        assert_eq!(breaker.pass(start), Pass::Go, "at the beginning nobody is turned away for a test");
        breaker.succeeded(start);
        for _ in 0..FAILURES {
            assert_eq!(breaker.pass(start), Pass::Go);
            breaker.failed(start, start, &DOWN, false);
        }
        assert_eq!(breaker.pass(start), Pass::No(DOWN));
        let later = start + PAUSE;
        assert_eq!(breaker.pass(later), Pass::Test);
        assert_eq!(breaker.pass(later), Pass::No(DOWN), "one test at a time");
        breaker.failed(later, later, &DOWN, true);
        assert_eq!(breaker.pass(later), Pass::No(DOWN));
        let later = later + PAUSE;
        assert_eq!(breaker.pass(later), Pass::Test);
        breaker.succeeded(later);
        assert_eq!(breaker.pass(later), Pass::Go);
    }

    #[test]
    fn without_tests_it_takes_three_failures_from_the_beginning() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        assert_eq!(breaker.pass(now), Pass::Test);
        for _ in 1..FAILURES {
            breaker.failed(now, now, &DOWN, false);
            assert_eq!(breaker.pass(now), Pass::Go);
        }
        breaker.failed(now, now, &DOWN, false);
        assert_eq!(breaker.pass(now), Pass::No(DOWN));
    }

    #[test]
    fn an_answer_between_failures_counts() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        breaker.succeeded(now);
        for _ in 0..10 {
            breaker.failed(now, now, &DOWN, false);
            breaker.failed(now, now, &EngineError::Busy, false);
            breaker.failed(now, now, &DOWN, false);
            assert_eq!(breaker.pass(now), Pass::Go);
            breaker.succeeded(now);
        }
    }

    #[test]
    fn a_test_that_was_given_up_is_made_again() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        breaker.failed(start, start, &DOWN, true);
        let mut now = start + PAUSE;
        for _ in 0..3 {
            assert_eq!(breaker.pass(now), Pass::Test);
            assert_eq!(breaker.pass(now), Pass::No(DOWN));
            now += NEXT_TEST;
        }
    }

    #[test]
    fn what_was_asked_before_the_last_answer_does_not_open_it() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        breaker.failed(start, start, &DOWN, true);
        let back = start + PAUSE;
        assert_eq!(breaker.pass(back), Pass::Test);
        breaker.succeeded(back);
        let late = back + PAUSE;
        for _ in 0..2 * FAILURES {
            breaker.failed(late, start, &DOWN, false);
            assert_eq!(breaker.pass(late), Pass::Go, "connections of before its restart end");
        }
        breaker.failed(late, start, &DOWN, true);
        assert_eq!(breaker.pass(late), Pass::Go, "so does a test of before");
        breaker.failed(late, start, &EngineError::Blind, true);
        assert_eq!(breaker.pass(late), Pass::No(EngineError::Blind), "an answer without signatures counts");
    }

    #[test]
    fn what_ends_late_makes_no_pause_longer() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        breaker.failed(start, start, &DOWN, true);
        let late = start + PAUSE / 2;
        breaker.failed(late, start, &DOWN, false);
        breaker.failed(late, start, &DOWN, true);
        let back = start + PAUSE;
        assert_eq!(breaker.pass(back), Pass::Test);
        breaker.failed(back, start, &DOWN, true);
        breaker.succeeded(back);
        assert_eq!(breaker.pass(back), Pass::Go);
    }

    #[test]
    fn a_test_that_hangs_keeps_nobody_from_finding_it_back() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        breaker.failed(start, start, &DOWN, true);
        let hanging = start + PAUSE;
        assert_eq!(breaker.pass(hanging), Pass::Test);
        let next = hanging + NEXT_TEST;
        assert!(next < hanging + TEST_WAIT);
        assert_eq!(breaker.pass(next), Pass::Test);
        breaker.succeeded(next);
        assert_eq!(breaker.pass(next), Pass::Go);
    }

    #[test]
    fn a_test_is_due_again_after_a_while() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        breaker.succeeded(start);
        assert_eq!(breaker.pass(start + TEST_AGE), Pass::Test);
        assert_eq!(breaker.pass(start + TEST_AGE), Pass::Go);
        breaker.failed(start + TEST_AGE, start + TEST_AGE, &EngineError::Blind, true);
        assert_eq!(breaker.pass(start + TEST_AGE), Pass::No(EngineError::Blind));
    }
}
