//! The line to a worker: whatever goes over it has one end for all of it, however slowly the octets drip.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::worker::lane::SOON;

/// The line to a worker, for one task.
pub(super) struct Line<'l> {
    stream: &'l UnixStream,
    end: Instant,
    /// When it is slow, as long as nobody was told.
    slow: Option<Instant>,
    /// Hears that it is slow, and says whether to go on.
    slowed: &'l mut dyn FnMut() -> bool,
}

impl<'l> Line<'l> {
    /// For a task that begins now.
    pub(super) fn new(stream: &'l UnixStream, time: Duration, slowed: &'l mut dyn FnMut() -> bool) -> Self {
        let now = Instant::now();
        Self { stream, end: now + time, slow: Some(now + SOON), slowed }
    }

    /// Tries something again and again, each time with the time that is left until somebody has to be told.
    fn repeat<T>(&mut self, mut once: impl FnMut(&UnixStream, Duration) -> io::Result<T>) -> io::Result<T> {
        loop {
            let now = Instant::now();
            if now >= self.end {
                return Err(ErrorKind::TimedOut.into());
            }
            if self.slow.is_some_and(|slow| now >= slow) {
                self.slow = None;
                if !(self.slowed)() {
                    return Err(ErrorKind::ResourceBusy.into());
                }
            }
            let until = self.slow.map_or(self.end, |slow| slow.min(self.end));
            // No time at all would mean for ever.
            match once(self.stream, until.saturating_duration_since(now).max(Duration::from_millis(1))) {
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
