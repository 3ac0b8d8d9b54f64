//! Keeps messages from waiting for an engine that is known to be down, and finds out when it is back.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::outcome::EngineError;

/// Failures in a row that open it.
const FAILURES: u32 = 3;
/// How long nobody is sent to an engine that is down: it is to be back at work within 5 s of its return.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a test may be under way before another one is made: whoever made it may be gone.
pub(crate) const TEST_WAIT: Duration = Duration::from_secs(5);
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
    /// At work: failures in a row, and when it was tested last.
    Closed { failures: u32, tested: Instant },
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
            State::Closed { failures, .. } => {
                *state = State::Closed { failures: *failures, tested: now };
                return Pass::Test;
            }
            State::Open { error, until } if now < *until => return Pass::No(error.clone()),
            State::Open { error, .. } => Some(error.clone()),
            State::Testing { error: Some(error), since } if now < *since + TEST_WAIT => {
                return Pass::No(error.clone());
            }
            // At the very beginning there is no reason yet to turn anybody away.
            State::Testing { error: None, since } if now < *since + TEST_WAIT => return Pass::Go,
            State::Testing { error, .. } => error.clone(),
        };
        *state = State::Testing { error, since: now };
        Pass::Test
    }

    /// It gave an answer, or passed a test.
    pub(crate) fn succeeded(&self, now: Instant) {
        let mut state = self.lock();
        let tested = match *state {
            State::Closed { tested, .. } => tested,
            _ => now,
        };
        *state = State::Closed { failures: 0, tested };
    }

    /// It gave none. A failed test opens it at once.
    pub(crate) fn failed(&self, now: Instant, error: &EngineError, in_test: bool) {
        if !is_its_fault(error) {
            return;
        }
        let mut state = self.lock();
        match &mut *state {
            State::Closed { failures, .. } if !in_test && *failures + 1 < FAILURES => *failures += 1,
            State::New | State::Testing { error: None, .. } if !in_test => {
                *state = State::Closed { failures: 1, tested: now };
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
            breaker.failed(start, &DOWN, false);
        }
        assert_eq!(breaker.pass(start), Pass::No(DOWN));
        let later = start + PAUSE;
        assert_eq!(breaker.pass(later), Pass::Test);
        assert_eq!(breaker.pass(later), Pass::No(DOWN), "one test at a time");
        breaker.failed(later, &DOWN, true);
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
            breaker.failed(now, &DOWN, false);
            assert_eq!(breaker.pass(now), Pass::Go);
        }
        breaker.failed(now, &DOWN, false);
        assert_eq!(breaker.pass(now), Pass::No(DOWN));
    }

    #[test]
    fn an_answer_between_failures_counts() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        breaker.succeeded(now);
        for _ in 0..10 {
            breaker.failed(now, &DOWN, false);
            breaker.failed(now, &EngineError::Busy, false);
            breaker.failed(now, &DOWN, false);
            assert_eq!(breaker.pass(now), Pass::Go);
            breaker.succeeded(now);
        }
    }

    #[test]
    fn a_test_that_was_given_up_is_made_again() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        breaker.failed(start, &DOWN, true);
        let mut now = start + PAUSE;
        for _ in 0..3 {
            assert_eq!(breaker.pass(now), Pass::Test);
            assert_eq!(breaker.pass(now), Pass::No(DOWN));
            now += TEST_WAIT;
        }
    }

    #[test]
    fn a_test_is_due_again_after_a_while() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        breaker.succeeded(start);
        assert_eq!(breaker.pass(start + TEST_AGE), Pass::Test);
        assert_eq!(breaker.pass(start + TEST_AGE), Pass::Go);
        breaker.failed(start + TEST_AGE, &EngineError::Blind, true);
        assert_eq!(breaker.pass(start + TEST_AGE), Pass::No(EngineError::Blind));
    }
}
