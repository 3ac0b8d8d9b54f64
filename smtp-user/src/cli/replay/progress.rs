//! How far a long replay is, for who waits at a terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How far it is.
pub(super) struct Progress {
    whole: usize,
    done: usize,
    /// When it is said next; never where nobody reads it.
    next: Option<Instant>,
    was_said: bool,
}

/// How long nothing is said at first, and then between.
const QUIET: Duration = Duration::from_secs(2);
const BETWEEN: Duration = Duration::from_millis(250);

impl Progress {
    /// Of so many messages.
    pub(super) fn of(whole: usize) -> Self {
        let next = io::stderr().is_terminal().then(|| Instant::now() + QUIET);
        Self { whole, done: 0, next, was_said: false }
    }

    /// One more is done.
    pub(super) fn step(&mut self) {
        self.done += 1;
        let now = Instant::now();
        if self.next.is_some_and(|next| now >= next) {
            self.next = Some(now + BETWEEN);
            self.was_said = true;
            // Who cannot be told need not be.
            let _ = write!(io::stderr(), "\r\x1b[Kpostern: {} of {} judged again", self.done, self.whole);
        }
    }

    /// All are done.
    pub(super) fn end(&self) {
        if self.was_said {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
