//! Slides of `PowerPoint` 97 to 2003 (MS-PPT): their stream has objects and macros as compound files of their own.
//!
//! Records are found by their offset, so they may stand anywhere, also within others: they are searched for.

use std::io::Read;
use std::ops::Range;

use flate2::read::ZlibDecoder;

use crate::content::container::Walk;
use crate::content::container::place::Level;
use crate::content::finding::Trait;

/// Name of the stream.
pub(crate) const STREAM: &str = "PowerPoint Document";

/// An `ExOleObjStg`, MS-PPT 2.10.34 to 2.10.37: an object, a control or a VBA project.
pub(crate) struct Storage<'s> {
    /// Where its content is in the stream, with the length of what was compressed.
    pub(crate) place: Range<usize>,
    is_compressed: bool,
    content: &'s [u8],
}

impl<'s> Storage<'s> {
    /// Its compound file.
    pub(crate) fn octets(&self) -> Box<dyn Read + 's> {
        if self.is_compressed { Box::new(ZlibDecoder::new(self.content)) } else { Box::new(self.content) }
    }
}

/// What the type of such a record, and the instance of a compressed one, look like in its header.
const STORAGES: [(&[u8], bool); 2] = [(b"\0\0\x11\x10", false), (b"\x10\0\x11\x10", true)];
/// A `VbaInfoContainer`, MS-PPT 2.4.10, to where its length is.
const VBA_INFO: &[u8] = b"\x1f\0\xff\x03";
/// What stands in one: the header of a `VbaInfoAtom`, MS-PPT 2.4.11.
const VBA_INFO_ATOM: &[u8; 8] = b"\x02\0\0\x04\x0c\0\0\0";
/// What stands in that if there are no macros: they are nowhere, and there are none.
const NO_MACROS: &[u8; 8] = &[0; 8];
const COMPOUND_FILE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// A place that tells of macros: where it says which and whether, or nothing if what stands there is not understood.
pub(crate) fn told_macros(stream: &[u8]) -> impl Iterator<Item = Option<Range<usize>>> {
    memchr::memmem::find_iter(stream, VBA_INFO).filter_map(|at| {
        let atom = at + 8;
        let Some((header, told)) = stream.get(atom..atom + 16).and_then(<[u8]>::split_first_chunk) else {
            return Some(None);
        };
        match (header == VBA_INFO_ATOM, told == NO_MACROS) {
            (true, true) => None,
            (true, false) => Some(Some(atom + 8..atom + 16)),
            (false, _) => Some(None),
        }
    })
}

/// Objects, controls and VBA projects.
pub(crate) fn storages(stream: &[u8]) -> impl Iterator<Item = Storage<'_>> {
    STORAGES.into_iter().flat_map(move |(header, is_compressed)| {
        memchr::memmem::find_iter(stream, header).filter_map(move |at| {
            let begin = at + header.len() + 4;
            let length = stream.get(begin - 4..begin)?.first_chunk()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let place = begin..begin.saturating_add(length).min(stream.len());
            let content = stream.get(place.clone())?;
            // The length of what was compressed stands before it.
            let content = if is_compressed { content.get(4..)? } else { content };
            let is_one = if is_compressed { is_zlib(content) } else { content.starts_with(COMPOUND_FILE) };
            is_one.then_some(Storage { place, is_compressed, content })
        })
    })
}

/// Whether this is the header of a zlib stream, RFC 1950 2.2.
fn is_zlib(content: &[u8]) -> bool {
    let Some(&[method, flags]) = content.first_chunk() else { return false };
    method & 0x0f == 8 && u16::from_be_bytes([method, flags]).is_multiple_of(31)
}

/// Takes out what stands in the stream.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, stream: &[u8]) {
    let part = level.part.clone();
    if told_macros(stream).next().is_some() {
        walk.has(Trait::Macros, &part);
    }
    for storage in storages(stream) {
        if !walk.may_go_on(&part) {
            return;
        }
        walk.has(Trait::EmbeddedObject, &part);
        if storage.is_compressed {
            let mut content = ZlibDecoder::new(storage.content);
            let unpacked = walk.unpack(&mut content, storage.content.len() as u64, &part);
            walk.member(level, &[], "ppt", &unpacked);
        } else {
            walk.member_of_octets(level, &[], "ppt", storage.content, None);
        }
    }
}
