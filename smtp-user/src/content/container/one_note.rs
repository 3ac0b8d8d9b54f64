//! `OneNote` sections (MS-ONESTORE): files that were put into them.

use crate::content::container::Walk;
use crate::content::container::place::Level;
use crate::content::finding::{Finding, Trait, Unsupported};

/// Begins an embedded file, MS-ONESTORE 2.6.13.
const FILE: [u8; 16] =
    [0xe7, 0x16, 0xe3, 0xbd, 0x65, 0x26, 0x11, 0x45, 0xa4, 0xc4, 0x8d, 0x4d, 0x0b, 0x7a, 0x9e, 0xac];
/// Octets between the start of a file and its content: its length, and what is not used.
const HEADER: usize = 8 + 4 + 8;

/// Takes out the files.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    for at in memchr::memmem::find_iter(octets, &FILE) {
        if !walk.may_go_on(&level.part) {
            return;
        }
        walk.has(Trait::EmbeddedFile, &level.part);
        let behind = octets.get(at + FILE.len()..).unwrap_or_default();
        let length = behind.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
        let content = behind.get(HEADER..).unwrap_or_default();
        let whole = usize::try_from(length).ok().and_then(|length| content.get(..length));
        let cut = whole.is_none().then_some(Finding::Unsupported(Unsupported::Damaged));
        walk.member_of_octets(level, &[], "one_note", whole.unwrap_or(content), cut);
    }
}
