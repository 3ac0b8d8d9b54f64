//! Messages that were taken in at the same time stand in one file: it is made, synced and named once for all of them.
//!
//! The control files of the messages stand one behind the other, as each would stand alone. Behind them an octet for each
//! says whether it is still there, then comes a table of names and lengths, and a last line with the table's length and
//! checksum. A message that is finished, or that has got a control file of its own, is marked in place; when none is left,
//! the file is removed. Nothing else in it ever changes.

use std::fmt::Write as _;
use std::io;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::model::message_octets::MessageOctets;
use crate::model::session_id::MessageId;
use crate::spool::control;
use crate::wire::hexadecimal::hexadecimal;

/// Where a message stands in a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The bundle: it has the name of its first message.
    pub bundle: MessageId,
    /// Octets before the message's control file.
    pub offset: u64,
    /// Octets of that.
    pub octets: u64,
    /// Where the octet is that says whether the message is there.
    pub mark: u64,
    /// Messages of this bundle that were there when this was made.
    pub of: u32,
}

/// A message is there. Two bits lie between this and [`GONE`]: one that is damaged is rather delivered twice than lost.
pub(crate) const THERE: u8 = b'+';
/// A message is finished, or stands elsewhere.
pub(crate) const GONE: u8 = b'-';

/// The octets of a bundle of control files, and where each of them stands in it.
pub(crate) fn encode(files: &[(MessageId, &[u8])]) -> (Vec<u8>, Vec<Slot>) {
    let length: usize = files.iter().map(|(_, file)| file.len()).sum();
    let mut octets = Vec::with_capacity(length + files.len() * (LINE + 1) + LINE * 2);
    let of = u32::try_from(files.len()).unwrap_or(u32::MAX);
    let mut slots = Vec::with_capacity(files.len());
    let mut table = String::new();
    for (number, (id, file)) in files.iter().enumerate() {
        let bundle = files.first().map_or(*id, |(first, _)| *first);
        let (offset, mark) = (octets.len() as u64, (length + number) as u64);
        slots.push(Slot { bundle, offset, octets: file.len() as u64, mark, of });
        octets.extend_from_slice(file);
        // Writing to a string does not fail.
        let _ = writeln!(table, "{id} {}", file.len());
    }
    octets.resize(length + files.len(), THERE);
    octets.push(b'\n');
    octets.extend_from_slice(table.as_bytes());
    let checksum = hexadecimal(&Sha256::digest(&table));
    octets.extend_from_slice(format!("{MAGIC} {VERSION} {:08} {checksum}\n", table.len()).as_bytes());
    (octets, slots)
}

/// A message by a bundle's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) id: MessageId,
    pub(crate) slot: Slot,
    pub(crate) is_there: bool,
}

/// The table of a bundle; `None` if it is damaged.
pub(crate) fn list(bundle: MessageId, file: &dyn MessageOctets) -> io::Result<Option<Vec<Listed>>> {
    let last = read(file, file.len().saturating_sub(LAST as u64), LAST as u64)?;
    let Some((length, checksum)) = last_line(&last) else { return Ok(None) };
    let Some(begin) = file.len().checked_sub(LAST as u64 + length) else { return Ok(None) };
    let table = read(file, begin, length)?;
    if hexadecimal(&Sha256::digest(&table)) != checksum {
        return Ok(None);
    }
    let Some(lines) = lines(&table) else { return Ok(None) };
    let all: u64 = lines.iter().map(|(_, octets)| *octets).sum();
    let count = lines.len() as u64;
    if all + count + 1 != begin {
        return Ok(None);
    }
    let marks = read(file, all, count)?;
    let of = u32::try_from(marks.iter().filter(|mark| **mark != GONE).count()).unwrap_or(u32::MAX);
    let mut offset = 0;
    let listed = lines.into_iter().zip(&marks).zip(all..).map(|(((id, octets), is_there), mark)| {
        let slot = Slot { bundle, offset, octets, mark, of };
        offset += octets;
        Listed { id, slot, is_there: *is_there != GONE }
    });
    Ok(Some(listed.collect()))
}

/// Whether a bundle has been written to its end: its last line stands there, whatever else is wrong.
pub(crate) fn is_ended(file: &dyn MessageOctets) -> io::Result<bool> {
    let last = read(file, file.len().saturating_sub(LAST as u64), LAST as u64)?;
    Ok(last_line(&last).is_some())
}

/// Messages that can be found in a bundle without its table: offset and octets of each.
pub(crate) fn search(octets: &[u8]) -> Vec<(MessageId, std::ops::Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = octets.get(at..).filter(|rest| !rest.is_empty()) {
        let Ok(layout) = control::layout(rest) else { break };
        let known = usize::try_from(layout.known).unwrap_or(usize::MAX);
        let Some(Ok(message)) = rest.get(..known).map(control::decode) else { break };
        let end =
            at.saturating_add(known).saturating_add(usize::try_from(message.octets).unwrap_or(usize::MAX));
        if end > octets.len() {
            break;
        }
        found.push((message.id, at..end));
        at = end;
    }
    found
}

/// Reads octets of a file; fewer are its end.
pub(crate) fn read(file: &dyn MessageOctets, offset: u64, octets: u64) -> io::Result<Vec<u8>> {
    let there = file.len().saturating_sub(offset).min(octets);
    let mut room = vec![0; usize::try_from(there).unwrap_or(0)];
    let filled = file.fill_at(offset, &mut room)?;
    room.truncate(filled);
    Ok(room)
}

/// The table's length and checksum.
fn last_line(octets: &[u8]) -> Option<(u64, String)> {
    let mut words = str::from_utf8(octets).ok()?.strip_suffix('\n')?.split(' ');
    let is_ours = words.next() == Some(MAGIC) && words.next() == Some(VERSION);
    let (length, checksum) = (words.next()?.parse().ok()?, words.next()?.to_owned());
    (is_ours && words.next().is_none()).then_some((length, checksum))
}

fn lines(table: &[u8]) -> Option<Vec<(MessageId, u64)>> {
    let line = |line: &str| {
        let (id, octets) = line.split_once(' ')?;
        Some((id.parse().ok()?, octets.parse().ok()?))
    };
    str::from_utf8(table).ok()?.lines().map(line).collect()
}

const MAGIC: &str = "postern-bundle";
const VERSION: &str = "1";
/// Octets of the last line.
const LAST: usize = MAGIC.len() + VERSION.len() + 8 + 64 + 4;
/// More than a line of the table has.
const LINE: usize = 64;

#[cfg(test)]
mod tests;
