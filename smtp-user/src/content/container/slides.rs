//! Slides of `PowerPoint` 97 to 2003 (MS-PPT): their stream has objects and macros as compound files of their own.
//!
//! Records are found by their offset, so they may stand anywhere, also within others: they are searched for.

use flate2::read::ZlibDecoder;

use crate::content::container::Walk;
use crate::content::container::place::Level;
use crate::content::finding::Trait;

/// Name of the stream.
pub(crate) const STREAM: &str = "PowerPoint Document";

/// An `ExOleObjStg`, MS-PPT 2.10.34 to 2.10.37: an object, a control or a VBA project.
struct Storage<'s> {
    is_compressed: bool,
    content: &'s [u8],
}

/// What the type of such a record, and the instance of a compressed one, look like in its header.
const STORAGES: [(&[u8], bool); 2] = [(b"\0\0\x11\x10", false), (b"\x10\0\x11\x10", true)];
/// A `VbaInfoContainer`, MS-PPT 2.4.10, to where its length is.
const VBA_INFO: &[u8] = b"\x1f\0\xff\x03";
/// What stands in one that says that there are no macros: a `VbaInfoAtom` to where its version is.
const NO_MACROS: &[u8] = b"\x02\0\0\x04\x0c\0\0\0\0\0\0\0\0\0\0\0";
const COMPOUND_FILE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// Whether macros are told of, or it is not certain that they are not.
pub(crate) fn have_macros(stream: &[u8]) -> bool {
    memchr::memmem::find_iter(stream, VBA_INFO)
        .any(|at| !stream.get(at + 8..).is_some_and(|content| content.starts_with(NO_MACROS)))
}

/// Whether there is an object, a control or a VBA project.
pub(crate) fn have_storages(stream: &[u8]) -> bool {
    storages(stream).next().is_some()
}

fn storages(stream: &[u8]) -> impl Iterator<Item = Storage<'_>> {
    STORAGES.into_iter().flat_map(move |(header, is_compressed)| {
        memchr::memmem::find_iter(stream, header).filter_map(move |at| {
            let behind = stream.get(at + header.len()..)?;
            let (length, content) = behind.split_first_chunk()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let content = content.get(..length.min(content.len()))?;
            // The length of what was compressed stands before it.
            let content = if is_compressed { content.get(4..)? } else { content };
            let is_one = if is_compressed { is_zlib(content) } else { content.starts_with(COMPOUND_FILE) };
            is_one.then_some(Storage { is_compressed, content })
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
    if have_macros(stream) {
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
