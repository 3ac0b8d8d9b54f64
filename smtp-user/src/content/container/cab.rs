//! Microsoft's cabinets, MS-CAB.

use std::io::Cursor;

use crate::content::container::Walk;
use crate::content::container::place::{Level, is_unsafe};
use crate::content::finding::{Finding, Technique, Unsupported};

/// Reads a cabinet, or every cabinet that is somewhere in the octets.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    let mut found = false;
    for at in memchr::memmem::find_iter(octets, b"MSCF") {
        let Some(octets) = octets.get(at..) else { continue };
        // A cabinet within a member of another one is that member's.
        if let Ok(cabinet) = cab::Cabinet::new(Cursor::new(octets)) {
            members(walk, level, cabinet, octets.len());
            found = true;
            break;
        }
    }
    if !found {
        walk.damaged(level);
    }
}

fn members(walk: &mut Walk<'_>, level: &mut Level, mut cabinet: cab::Cabinet<Cursor<&[u8]>>, packed: usize) {
    let folders = cabinet.folder_entries();
    let files = folders
        .flat_map(|folder| folder.file_entries().map(|file| file.name().to_owned()).collect::<Vec<_>>());
    let names: Vec<String> = files.collect();
    for name in names {
        if !walk.may_go_on(&level.part) {
            return;
        }
        if is_unsafe(&name) {
            walk.note(Finding::Ambiguous(Technique::UnsafeName), &level.part);
        }
        match cabinet.read_file(&name) {
            Ok(mut reader) => {
                let unpacked = walk.unpack(&mut reader, packed as u64, &level.part);
                walk.member(level, &[name], "cab", &unpacked);
            }
            Err(_) => walk.unread(level, &[name], "cab", Finding::Unsupported(Unsupported::Method)),
        }
    }
}
