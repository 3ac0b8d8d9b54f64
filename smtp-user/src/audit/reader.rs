//! Reads records of all processes that write some, in the order of their times, while they are being written or after.
//!
//! A line is only taken apart as far as its reader needs: the first fields stand at fixed places.

use std::path::{Path, PathBuf};

use crate::audit::config::DEQUEUER;
use crate::audit::error::Result;
use crate::audit::timestamp;
use crate::audit::track::Track;
use crate::event::session_event::Record;

/// A line of a record file.
#[derive(Clone, Copy, Debug)]
pub struct RawRecord<'a> {
    line: &'a str,
    event_at: usize,
}

/// What every record begins with.
pub(super) const BEFORE_TIME: &str = "{\"time\":\"";
const BEFORE_SEQUENCE: &str = "\",\"sequence\":";
const BEFORE_SESSION: &str = ",\"session\":\"";
const BEFORE_EVENT: &str = "\"event\":\"";
/// Characters of a session's name.
const SESSION: usize = 36;

impl<'a> RawRecord<'a> {
    /// A line, if it begins as records do.
    pub(super) fn new(line: &'a str) -> Option<Self> {
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

/// Reads records in the order of their times.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    from: u64,
    /// Each with whether its next record is there already.
    tracks: Vec<(Track, bool)>,
    /// The one whose record was given out last.
    last: Option<usize>,
}

impl Reader {
    /// Reads records from a moment on, microseconds since 1970; 0 reads all there are.
    pub fn open(folder: &Path, from: u64) -> Result<Self> {
        let tracks = vec![(Track::open(folder, from)?, false)];
        let mut reader = Self { folder: folder.to_owned(), from, tracks, last: None };
        reader.find_dequeuer()?;
        Ok(reader)
    }

    /// The next record; none at the end, after which more may come when it is asked again.
    pub fn next_record(&mut self) -> Result<Option<RawRecord<'_>>> {
        if let Some((_, is_filled)) = self.last.take().and_then(|last| self.tracks.get_mut(last)) {
            *is_filled = false;
        }
        for (track, is_filled) in &mut self.tracks {
            if !*is_filled {
                *is_filled = track.fill()?;
            }
        }
        let filled = self.tracks.iter().enumerate().filter(|(_, (_, is_filled))| *is_filled);
        let first = filled.min_by(|(_, (one, _)), (_, (other, _))| one.time().cmp(other.time()));
        self.last = first.map(|(number, _)| number);
        if self.last.is_none() {
            self.find_dequeuer()?;
        }
        Ok(self.last.and_then(|last| self.tracks.get(last)).and_then(|(track, _)| track.record()))
    }

    /// The dequeuer's records, once there are some.
    fn find_dequeuer(&mut self) -> Result<()> {
        let folder = self.folder.join(DEQUEUER);
        if self.tracks.len() < 2 && folder.is_dir() {
            self.tracks.push((Track::open(&folder, self.from)?, false));
        }
        Ok(())
    }

    /// Lines that are no records.
    pub fn unreadable(&self) -> u64 {
        self.tracks.iter().map(|(track, _)| track.unreadable()).sum()
    }

    /// When the oldest file that is kept was begun.
    pub fn begun(&self) -> Option<&str> {
        self.tracks.iter().filter_map(|(track, _)| track.begun()).min()
    }
}

#[cfg(test)]
mod tests;
