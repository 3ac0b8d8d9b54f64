//! Reads record files line by line, from a moment on, while they are being written or after.
//!
//! A line is only taken apart as far as its reader needs: the first fields stand at fixed places.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::audit::error::{RecordsError, Result};
use crate::audit::folder::{self, RecordFile};
use crate::audit::recovery::MAX_LINE;
use crate::audit::timestamp;
use crate::event::session_event::Record;

/// A line of a record file.
#[derive(Clone, Copy, Debug)]
pub struct RawRecord<'a> {
    line: &'a str,
    event_at: usize,
}

/// What every record begins with.
const BEFORE_TIME: &str = "{\"time\":\"";
const BEFORE_SEQUENCE: &str = "\",\"sequence\":";
const BEFORE_SESSION: &str = ",\"session\":\"";
const BEFORE_EVENT: &str = "\"event\":\"";
/// Characters of a session's name.
const SESSION: usize = 36;

impl<'a> RawRecord<'a> {
    /// A line, if it begins as records do.
    fn new(line: &'a str) -> Option<Self> {
        let rest = line.strip_prefix(BEFORE_TIME)?.get(timestamp::LENGTH..)?.strip_prefix(BEFORE_SEQUENCE)?;
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix(BEFORE_SESSION)?;
        let event_at = line.len() - rest.len() + SESSION;
        line.is_char_boundary(event_at).then_some(Self { line, event_at })
    }

    /// When it happened.
    pub fn time(&self) -> &'a str {
        let start = BEFORE_TIME.len();
        self.line.get(start..start + timestamp::LENGTH).unwrap_or_default()
    }

    /// Name of the session.
    pub fn session(&self) -> &'a str {
        self.line.get(self.event_at - SESSION..self.event_at).unwrap_or_default()
    }

    /// What kind of fact it is, as in `opened`.
    pub fn event(&self) -> &'a str {
        let rest = self.line.get(self.event_at..).unwrap_or_default();
        // Only the message's number can stand before it.
        let word = rest.split_once(BEFORE_EVENT).map_or("", |(_, word)| word);
        word.split_once('"').map_or("", |(word, _)| word)
    }

    /// The line as it stands in the file.
    pub fn line(&self) -> &'a str {
        self.line
    }

    /// All of it, if this version can read it.
    pub fn parse(&self) -> Option<Record> {
        serde_json::from_str(self.line).ok()
    }
}

/// Reads records in the order they were written.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    /// Records of earlier times are passed over.
    from: String,
    waiting: VecDeque<RecordFile>,
    current: Option<(RecordFile, BufReader<File>)>,
    line: Vec<u8>,
    unreadable: u64,
    begun: Option<String>,
}

impl Reader {
    /// Reads records from a moment on, microseconds since 1970; 0 reads all there are.
    pub fn open(folder: &Path, from: u64) -> Result<Self> {
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

    /// The next record; none at the end, after which more may come when it is asked again.
    pub fn next_record(&mut self) -> Result<Option<RawRecord<'_>>> {
        loop {
            if !self.read_line()? {
                return Ok(None);
            }
            // What the checks below need outlives them only if the line is looked at once more.
            match std::str::from_utf8(&self.line).ok().and_then(RawRecord::new) {
                Some(raw) if raw.time() >= self.from.as_str() => break,
                Some(_) => {}
                // The list of open sessions at the beginning of a file is not for readers.
                None if self.line.windows(9).take(40).any(|window| window == b",\"open\":{") => {}
                None => self.unreadable += 1,
            }
        }
        Ok(std::str::from_utf8(&self.line).ok().and_then(RawRecord::new))
    }

    /// Lines that are no records.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// When the oldest file that is kept was begun.
    pub fn begun(&self) -> Option<&str> {
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

#[cfg(test)]
mod tests;
