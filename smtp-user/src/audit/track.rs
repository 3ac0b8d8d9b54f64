//! The record files of one folder, read line by line: what one process writes.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::audit::error::{RecordsError, Result};
use crate::audit::folder::{self, RecordFile};
use crate::audit::reader::{BEFORE_TIME, RawRecord};
use crate::audit::recovery::MAX_LINE;
use crate::audit::timestamp;

/// Reads records in the order they were written.
#[derive(Debug)]
pub(super) struct Track {
    folder: PathBuf,
    /// Records of earlier times are passed over.
    from: String,
    waiting: VecDeque<RecordFile>,
    current: Option<(RecordFile, BufReader<File>)>,
    line: Vec<u8>,
    unreadable: u64,
    begun: Option<String>,
}

impl Track {
    /// Reads records from a moment on, microseconds since 1970; 0 reads all there are.
    pub(super) fn open(folder: &Path, from: u64) -> Result<Self> {
        let from = if from == 0 { String::new() } else { timestamp::format(from) };
        let mut waiting: VecDeque<RecordFile> = folder::files(folder)?.into();
        let begun = waiting.front().map(|file| file.begun.clone());
        // A file reaches until the next one was begun.
        while waiting.get(1).is_some_and(|next| next.begun <= from) {
            waiting.pop_front();
        }
        let folder = folder.to_owned();
        Ok(Self { folder, from, waiting, current: None, line: Vec::new(), unreadable: 0, begun })
    }

    /// Goes to the next record; says no at the end, after which more may come when it is asked again.
    pub(super) fn fill(&mut self) -> Result<bool> {
        loop {
            if !self.read_line()? {
                return Ok(false);
            }
            match self.record() {
                Some(raw) if raw.time() >= self.from.as_str() => return Ok(true),
                Some(_) => {}
                // The list of open sessions at the beginning of a file is not for readers.
                None if self.line.windows(9).take(40).any(|window| window == b",\"open\":{") => {}
                None => self.unreadable += 1,
            }
        }
    }

    /// The record that it is at.
    pub(super) fn record(&self) -> Option<RawRecord<'_>> {
        std::str::from_utf8(&self.line).ok().and_then(RawRecord::new)
    }

    /// When that was.
    pub(super) fn time(&self) -> &str {
        self.record().map_or("", |record| record.time())
    }

    /// Lines that are no records.
    pub(super) fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// When the oldest file that is kept was begun.
    pub(super) fn begun(&self) -> Option<&str> {
        self.begun.as_deref()
    }

    /// Reads a whole line, without its end, into `line`.
    fn read_line(&mut self) -> Result<bool> {
        // A line that was not whole the last time is read on; a whole one makes room for the next.
        if self.line.last() != Some(&b'\n') && !self.line.is_empty() && self.current.is_none() {
            self.line.clear();
        }
        loop {
            let Some((file, reader)) = &mut self.current else {
                if !self.open_next()? {
                    return Ok(false);
                }
                continue;
            };
            if self.line.last() == Some(&b'\n') {
                self.line.clear();
            }
            let failed = |error| RecordsError::of(&file.path, error);
            reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.line).map_err(failed)?;
            if self.line.last() == Some(&b'\n') || self.line.len() as u64 > MAX_LINE {
                return Ok(true);
            }
            // At the end of what there is. The next file is only begun when this one is done.
            let begun = file.begun.clone();
            if !self.has_next(&begun)? {
                return Ok(false);
            }
            if let Some((file, reader)) = &mut self.current {
                let failed = |error| RecordsError::of(&file.path, error);
                reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.line).map_err(failed)?;
                if self.line.last() == Some(&b'\n') {
                    return Ok(true);
                }
            }
            self.line.clear();
            self.current = None;
        }
    }

    fn has_next(&mut self, after: &str) -> Result<bool> {
        if self.waiting.is_empty() {
            let newer = folder::files(&self.folder)?.into_iter().filter(|file| file.begun.as_str() > after);
            self.waiting = newer.collect();
        }
        Ok(!self.waiting.is_empty())
    }

    fn open_next(&mut self) -> Result<bool> {
        while let Some(file) = self.waiting.pop_front() {
            let opened = File::open(&file.path).and_then(|mut opened| {
                seek_to(&mut opened, &self.from)?;
                Ok(opened)
            });
            match opened {
                Ok(opened) => {
                    self.current = Some((file, BufReader::with_capacity(READ_OCTETS, opened)));
                    return Ok(true);
                }
                // It was too old to be kept in the meantime.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(RecordsError::of(&file.path, error)),
            }
        }
        Ok(false)
    }
}

const READ_OCTETS: usize = 256 << 10;
/// Closer than this it is quicker to read on than to seek.
const NEAR: u64 = 64 << 10;

/// Goes to the beginning of a line that is not later than the first one of a moment or later. Lines stand in the
/// order of their times, unless somebody has set the clock back.
fn seek_to(file: &mut File, from: &str) -> io::Result<()> {
    let (mut low, mut high) = (0, file.metadata()?.len());
    if from.is_empty() {
        return Ok(());
    }
    while high - low > NEAR {
        let middle = low + (high - low) / 2;
        file.seek(SeekFrom::Start(middle))?;
        let mut reader = BufReader::new(&*file).take(MAX_LINE);
        let (mut skipped, mut line) = (Vec::new(), Vec::new());
        let skipped = reader.read_until(b'\n', &mut skipped)? as u64;
        reader.read_until(b'\n', &mut line)?;
        let time = line.strip_prefix(BEFORE_TIME.as_bytes()).and_then(|rest| rest.get(..timestamp::LENGTH));
        match time {
            Some(time) if time < from.as_bytes() => low = middle + skipped,
            // A line that is no record says nothing: what is before it is read too.
            _ => high = middle,
        }
    }
    file.seek(SeekFrom::Start(low)).map(|_| ())
}
