//! Directories of a zip: everything that some reader may take for the end of one. APPNOTE.TXT 4.3.14 to 4.3.16.

use crate::content::container::zip::header::{CENTRAL_MAGIC, CentralHeader, Fields};

/// A directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Directory {
    /// Where its first header is.
    pub(super) start: usize,
    /// Where its headers end.
    pub(super) stop: usize,
    /// Where its end begins.
    pub(super) end_mark: usize,
    /// Behind the comment of its end.
    pub(super) end: usize,
    /// Octets before the archive, which offsets do not count.
    pub(super) base: usize,
    /// Headers that it says it has.
    pub(super) stated_count: usize,
    /// It says that it is one of several disks.
    pub(super) is_divided: bool,
}

/// Begins the end of a directory.
const END_MAGIC: &[u8] = b"PK\x05\x06";
/// Octets of it without its comment.
pub(super) const END_LENGTH: usize = 22;
/// Octets of the locator of the end of a large directory.
const LOCATOR_LENGTH: usize = 20;
/// Directories that are looked at.
const MAX_DIRECTORIES: usize = 16;

/// Every directory with an end and a first header, in their order.
pub(super) fn directories(octets: &[u8]) -> Vec<Directory> {
    let mut found = Vec::new();
    for at in memchr::memmem::find_iter(octets, END_MAGIC) {
        for directory in directory(octets, at).into_iter().flatten().flatten() {
            let is_new = found.iter().all(|known: &Directory| known.start != directory.start);
            if is_new || found.last().is_some_and(|last| last.end < directory.end) {
                found.retain(|known| known.start != directory.start);
                found.push(directory);
            }
        }
        // The last ones matter most: readers come from the end.
        let excess = found.len().saturating_sub(MAX_DIRECTORIES);
        found.drain(..excess);
    }
    found
}

/// The directory of an end, where its length says and where its offset says.
fn directory(octets: &[u8], at: usize) -> Option<[Option<Directory>; 2]> {
    let mut fields = Fields::new(octets, at + 4);
    let (disk, first_disk) = (fields.u16()?, fields.u16()?);
    let (_, count) = (fields.u16()?, fields.u16()?);
    let (length, offset) = (fields.u32()?, fields.u32()?);
    let comment = usize::from(fields.u16()?);
    let end = (at + END_LENGTH + comment).min(octets.len());
    let mut headers_end = at;
    let (mut count, mut length, mut offset) = (u64::from(count), u64::from(length), u64::from(offset));
    if let Some(large) = large_end(octets, at) {
        (headers_end, count, length, offset) = large;
    }
    let is_divided = (disk != 0 || first_disk != 0) && disk != u16::MAX;
    let make = |start: usize, base: usize, stop: usize| Directory {
        start,
        stop,
        end_mark: at,
        end,
        base,
        stated_count: usize::try_from(count).unwrap_or(usize::MAX),
        is_divided,
    };
    let has_header = |start: usize| octets.get(start..).is_some_and(|rest| rest.starts_with(CENTRAL_MAGIC));
    let offset = usize::try_from(offset).ok();
    let by_length = usize::try_from(length)
        .ok()
        .and_then(|length| headers_end.checked_sub(length))
        .filter(|start| has_header(*start))
        .map(|start| make(start, start.saturating_sub(offset.unwrap_or(start)), headers_end));
    let by_offset = offset
        .filter(|start| {
            has_header(*start) && *start < at && by_length.is_none_or(|other| other.start != *start)
        })
        .map(|start| make(start, 0, headers_end));
    Some([by_offset, by_length])
}

/// What the end of a large directory says: where headers end, how many, their length, their offset.
fn large_end(octets: &[u8], at: usize) -> Option<(usize, u64, u64, u64)> {
    let mut locator = Fields::new(octets, at.checked_sub(LOCATOR_LENGTH)?);
    if locator.take(4)? != b"PK\x06\x07" {
        return None;
    }
    locator.take(4)?;
    let stated = usize::try_from(locator.u64()?).ok()?;
    // With octets before the archive it is not where it says, but right before its locator.
    let before = at.checked_sub(LOCATOR_LENGTH + 56)?;
    [stated, before].into_iter().find_map(|start| {
        let mut fields = Fields::new(octets, start);
        if fields.take(4)? != b"PK\x06\x06" {
            return None;
        }
        fields.take(8 + 2 + 2 + 4 + 4 + 8)?;
        Some((start, fields.u64()?, fields.u64()?, fields.u64()?))
    })
}

impl Directory {
    /// The headers, as far as they can be read.
    pub(super) fn headers<'o>(&self, octets: &'o [u8]) -> impl Iterator<Item = CentralHeader> + use<'o> {
        let (mut at, stop) = (self.start, self.stop);
        std::iter::from_fn(move || {
            if at >= stop {
                return None;
            }
            let (header, next) = CentralHeader::parse(octets, at)?;
            at = next;
            Some(header)
        })
    }

    /// Where the own header of a member is.
    pub(super) fn place_of(&self, header: &CentralHeader) -> usize {
        usize::try_from(header.offset).unwrap_or(usize::MAX).saturating_add(self.base)
    }
}
