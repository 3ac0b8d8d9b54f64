//! LHA and LZH archives.

use delharc::LhaDecodeReader;

use crate::content::container::Walk;
use crate::content::container::place::{Level, is_unsafe};
use crate::content::finding::{Finding, Technique, Unsupported};

/// Reads an archive.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    let Ok(mut reader) = LhaDecodeReader::new(octets) else { return walk.damaged(level) };
    loop {
        if !walk.may_go_on(&level.part) {
            return;
        }
        let (name, packed) = (reader.header().parse_pathname_to_str(), reader.header().compressed_size);
        if is_unsafe(&name) {
            walk.note(Finding::Ambiguous(Technique::UnsafeName), &level.part);
        }
        if reader.header().is_directory() {
        } else if reader.is_decoder_supported() {
            let unpacked = walk.unpack(&mut reader, packed, &level.part);
            if unpacked.cut.is_none() && reader.crc_check().is_err() {
                walk.note(Finding::Ambiguous(Technique::ChecksumDiffers), &level.part);
            }
            walk.member(level, &[name], "lha", &unpacked);
        } else {
            walk.unread(level, &[name], "lha", Finding::Unsupported(Unsupported::Method));
        }
        match reader.next_file() {
            Ok(true) => {}
            Ok(false) => return,
            Err(_) => return walk.note(Finding::Unsupported(Unsupported::Damaged), &level.part),
        }
    }
}
