//! Microsoft's cabinets, MS-CAB: every file that a header names, and every header.
//!
//! Folders are decompressed once, from their start; files are ranges of them.

mod folder;

use crate::content::container::Walk;
use crate::content::container::place::{Level, is_unsafe};
use crate::content::finding::{Finding, Technique, Unsupported};
use folder::{Folder, FolderReader};

const MAGIC: &[u8] = b"MSCF";

/// Reads the first cabinet in the octets.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    let cabinets = memchr::memmem::find_iter(octets, MAGIC).filter_map(|at| octets.get(at..));
    let Some((octets, cabinet)) =
        cabinets.take(MAX_TRIED).find_map(|octets| Some((octets, Cabinet::parse(octets)?)))
    else {
        return walk.damaged(level);
    };
    if cabinet.is_cut {
        walk.note(Finding::Unsupported(Unsupported::Damaged), &level.part);
    }
    for (index, folder) in cabinet.folders.iter().enumerate() {
        if !walk.may_go_on(&level.part) {
            return;
        }
        let files = || cabinet.files.iter().filter(|file| usize::from(file.folder) == index);
        let Some(mut reader) = FolderReader::new(octets, folder) else {
            for file in files() {
                walk.unread(
                    level,
                    std::slice::from_ref(&file.name),
                    "cab",
                    Finding::Unsupported(Unsupported::Method),
                );
            }
            continue;
        };
        let part = level.part.clone();
        let unpacked = walk.unpack(&mut reader, octets.len() as u64, &part);
        for file in files() {
            if !walk.may_go_on(&level.part) {
                return;
            }
            let start = file.start as usize;
            let end = start.saturating_add(file.length as usize);
            let mut content = unpacked.octets.get(start..end.min(unpacked.octets.len())).unwrap_or_default();
            let missing = content.len() < file.length as usize;
            let cut = missing.then_some(unpacked.cut.unwrap_or(Finding::Unsupported(Unsupported::Damaged)));
            // Files may share octets, so each counts.
            let mut unpacked = walk.unpack(&mut content, octets.len() as u64, &part);
            unpacked.cut = unpacked.cut.or(cut);
            if is_unsafe(&file.name) {
                walk.note(Finding::Ambiguous(Technique::UnsafeName), &level.part);
            }
            walk.member(level, std::slice::from_ref(&file.name), "cab", &unpacked);
        }
    }
    // Files that begin or end in another cabinet.
    for file in cabinet.files.iter().filter(|file| usize::from(file.folder) >= cabinet.folders.len()) {
        walk.unread(
            level,
            std::slice::from_ref(&file.name),
            "cab",
            Finding::Unsupported(Unsupported::Divided),
        );
    }
}

/// Places that look like a cabinet and are tried.
const MAX_TRIED: usize = 16;

/// A cabinet's headers.
struct Cabinet {
    folders: Vec<Folder>,
    files: Vec<File>,
    /// There are fewer than it says.
    is_cut: bool,
}

/// A file: a range of a folder.
struct File {
    name: String,
    folder: u16,
    start: u32,
    length: u32,
}

impl Cabinet {
    fn parse(octets: &[u8]) -> Option<Self> {
        let number16 =
            |at: usize| Some(u16::from_le_bytes(octets.get(at..at.checked_add(2)?)?.try_into().ok()?));
        let number32 =
            |at: usize| Some(u32::from_le_bytes(octets.get(at..at.checked_add(4)?)?.try_into().ok()?));
        let text = |at: usize| memchr::memchr(0, octets.get(at..at.checked_add(256)?.min(octets.len()))?);
        // Version 1.3 is the only one there is.
        if number16(24)? >> 8 != 1 {
            return None;
        }
        let (first_file, folder_count, file_count, flags) =
            (number32(16)? as usize, number16(26)?, number16(28)?, number16(30)?);
        let (mut at, mut folder_reserve, mut block_reserve) = (36, 0, 0);
        if flags & 4 != 0 {
            let reserves = [*octets.get(38)?, *octets.get(39)?].map(usize::from);
            [folder_reserve, block_reserve] = reserves;
            at = 40 + usize::from(number16(36)?);
        }
        for flag in [1, 2] {
            if flags & flag != 0 {
                at += text(at)? + 1;
                at += text(at)? + 1;
            }
        }
        let mut folders = Vec::new();
        for _ in 0..folder_count {
            let (Some(start), Some(blocks), Some(method)) =
                (number32(at), number16(at + 4), number16(at + 6))
            else {
                break;
            };
            folders.push(Folder { start: start as usize, blocks, method, block_reserve });
            at += 8 + folder_reserve;
        }
        let (mut files, mut at) = (Vec::new(), first_file);
        for _ in 0..file_count {
            let (Some(length), Some(start), Some(folder)) =
                (number32(at), number32(at + 4), number16(at + 8))
            else {
                break;
            };
            let Some(name) = octets.get(at + 16..).and_then(|rest| memchr::memchr(0, rest)) else { break };
            let name = octets.get(at + 16..at + 16 + name).unwrap_or_default();
            at += 17 + name.len();
            files.push(File { name: String::from_utf8_lossy(name).into_owned(), folder, start, length });
        }
        let is_cut = folders.len() < usize::from(folder_count) || files.len() < usize::from(file_count);
        Some(Self { folders, files, is_cut })
    }
}
