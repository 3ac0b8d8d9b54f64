//! Waiting for an event, with a deadline.

use std::time::{Duration, Instant};

/// How often an event is looked for.
const POLL: Duration = Duration::from_millis(5);

/// Longest time for something that is due at once, on a machine that is busy with other builds.
pub const SOON: Duration = Duration::from_secs(10);

/// Asks until there is an answer, and fails the test when the time is up.
///
/// # Panics
///
/// When `limit` has passed without an answer.
#[track_caller]
pub fn wait_for<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "waited {limit:?} for this in vain: {what}");
        std::thread::park_timeout(POLL);
    }
}

/// Asks until it is true.
///
/// # Panics
///
/// When `limit` has passed and it is still false.
#[track_caller]
pub fn wait_until(what: &str, limit: Duration, mut ask: impl FnMut() -> bool) {
    wait_for(what, limit, || ask().then_some(()));
}

/// Watches a value for `span` and returns whether it never became true.
///
/// For the rare claim that something does *not* happen; keep the span short.
pub fn never(span: Duration, mut ask: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + span;
    while Instant::now() < end {
        if ask() {
            return false;
        }
        std::thread::park_timeout(POLL);
    }
    true
}
