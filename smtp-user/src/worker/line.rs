//! The line to a worker: whatever goes over it has one end for all of it, however slowly the octets drip.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// The line to a worker, for one task.
pub(super) struct Line<'l> {
    stream: &'l UnixStream,
    start: Instant,
    time: Duration,
    /// The times, from the start, of which somebody still has to be told, in their order.
    marks: &'l [(Duration, Mark)],
    /// Hears that one of them has passed, and says whether to go on.
    passed: &'l mut dyn FnMut(Mark) -> bool,
}

/// What changes when a task takes longer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mark {
    /// Others come first from now on.
    Behind,
    /// Its place is among those that take long.
    Slow,
    /// Its deadline has passed.
    Last,
}

impl<'l> Line<'l> {
    /// For a task that begins now.
    pub(super) fn new(
        stream: &'l UnixStream,
        time: Duration,
        marks: &'l [(Duration, Mark)],
        passed: &'l mut dyn FnMut(Mark) -> bool,
    ) -> Self {
        Self { stream, start: Instant::now(), time, marks, passed }
    }

    /// Tries something again and again, each time with the time that is left until somebody has to be told.
    fn repeat<T>(&mut self, mut once: impl FnMut(&UnixStream, Duration) -> io::Result<T>) -> io::Result<T> {
        loop {
            let gone = self.start.elapsed();
            if gone >= self.time {
                return Err(ErrorKind::TimedOut.into());
            }
            while let Some(((at, mark), others)) = self.marks.split_first()
                && gone >= *at
            {
                self.marks = others;
                if !(self.passed)(*mark) {
                    return Err(ErrorKind::ResourceBusy.into());
                }
            }
            let until = self.marks.first().map_or(self.time, |(at, _)| self.time.min(*at));
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
