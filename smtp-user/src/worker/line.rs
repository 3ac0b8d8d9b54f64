//! The line to a worker: whatever goes over it has one end for all of it, however slowly the octets drip.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::worker::turns::{Mark, Turns};

/// The line to a worker, for one task.
pub(super) struct Line<'l> {
    stream: &'l UnixStream,
    start: Instant,
    /// How long it has beyond its deadline.
    grace: Duration,
    /// Of which somebody still has to be told.
    turns: Turns,
    /// Hears that one of them has passed, and says whether the worker stands still now, or nothing if it is given up.
    passed: &'l mut dyn FnMut(Mark) -> Option<bool>,
}

impl<'l> Line<'l> {
    /// For a task that begins now.
    pub(super) fn new(
        stream: &'l UnixStream,
        turns: Turns,
        grace: Duration,
        passed: &'l mut dyn FnMut(Mark) -> Option<bool>,
    ) -> Self {
        Self { stream, start: Instant::now(), grace, turns, passed }
    }

    /// Tries something again and again, each time with the time that is left until somebody has to be told.
    fn repeat<T>(&mut self, mut once: impl FnMut(&UnixStream, Duration) -> io::Result<T>) -> io::Result<T> {
        loop {
            let gone = self.start.elapsed();
            if gone >= self.turns.deadline() + self.grace {
                return Err(ErrorKind::TimedOut.into());
            }
            while gone >= self.turns.next().0 {
                let (_, mark) = self.turns.next();
                let Some(is_still) = (self.passed)(mark) else {
                    return Err(ErrorKind::ResourceBusy.into());
                };
                self.turns.pass(gone, is_still);
            }
            let until = self.turns.next().0.min(self.turns.deadline() + self.grace);
            // No time at all would mean for ever.
            match once(self.stream, until.saturating_sub(gone).max(Duration::from_millis(1))) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                done => return done,
            }
        }
    }
}

impl Read for Line<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.repeat(|mut stream, time| {
            stream.set_read_timeout(Some(time))?;
            stream.read(room)
        })
    }
}

impl Write for Line<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.repeat(|mut stream, time| {
            stream.set_write_timeout(Some(time))?;
            stream.write(octets)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
