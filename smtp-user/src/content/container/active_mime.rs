//! Objects of Office in pages of several parts and in documents that are one text (`editdata.mso`): a header, and a
//! compound file behind it, compressed (RFC 1950).

use crate::content::container::Walk;
use crate::content::container::place::Level;

/// Octets of the header at most; most have 50.
const MAX_HEADER: usize = 256;

/// Reads the object.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    let head = octets.get(..octets.len().min(MAX_HEADER)).unwrap_or_default();
    let Some(at) = head.windows(2).position(is_zlib) else { return walk.damaged(level) };
    let content = octets.get(at..).unwrap_or_default();
    let mut decoder = flate2::bufread::ZlibDecoder::new(content);
    let unpacked = walk.unpack(&mut decoder, content.len() as u64, &level.part);
    walk.member(level, &[], "zlib", &unpacked);
}

/// Whether two octets begin what is compressed, with the window that is the largest.
fn is_zlib(octets: &[u8]) -> bool {
    matches!(octets, [0x78, flags] if (0x7800 | u16::from(*flags)).is_multiple_of(31))
}
