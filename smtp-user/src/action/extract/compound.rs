//! Documents in Microsoft's compound files (MS-DOC, MS-XLS, MS-PPT): macros and embedded objects go.
//!
//! The copy is a new file with what stays, so that nothing of the rest is left in sectors that nobody uses.

use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;

use cfb::CompoundFile;

use super::{ExtractError, Removed, slides};
use crate::content::container::slides::STREAM;

/// Entries of a document at most.
const MAX_ENTRIES: usize = 20_000;

/// Makes the copy of a document.
pub(super) fn document(octets: &[u8], removed: &mut Removed) -> Result<Vec<u8>, ExtractError> {
    let mut original = CompoundFile::open(Cursor::new(octets)).map_err(failed)?;
    let mut copy =
        CompoundFile::create_with_version(original.version(), Cursor::new(Vec::new())).map_err(failed)?;
    let entries: Vec<_> = original.walk().take(MAX_ENTRIES + 1).collect();
    if entries.len() > MAX_ENTRIES {
        return Err(ExtractError::TooLarge);
    }
    for entry in entries {
        let path = entry.path();
        if let Some((what, is_top)) = active(path) {
            if is_top {
                removed.note(what);
            }
            continue;
        }
        if entry.is_root() || path.as_os_str() == "/" {
            copy.set_storage_clsid("/", *entry.clsid()).map_err(failed)?;
        } else if entry.is_storage() {
            copy.create_storage(path).map_err(failed)?;
            copy.set_storage_clsid(path, *entry.clsid()).map_err(failed)?;
        } else {
            let mut content = Vec::new();
            original
                .open_stream(path)
                .and_then(|mut stream| stream.read_to_end(&mut content))
                .map_err(failed)?;
            may_stay(path, &content)?;
            if path.file_name().is_some_and(|name| name.eq_ignore_ascii_case(STREAM)) {
                slides::weed(&mut content, removed)?;
            }
            copy.create_stream(path).and_then(|mut stream| stream.write_all(&content)).map_err(failed)?;
        }
    }
    copy.flush().map_err(failed)?;
    Ok(copy.into_inner().into_inner())
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn failed(error: std::io::Error) -> ExtractError {
    ExtractError::Damaged(error.to_string())
}

/// What a path belongs to that goes, and whether it is the start of it.
fn active(path: &Path) -> Option<(&'static str, bool)> {
    let names: Vec<String> =
        path.components().map(|part| part.as_os_str().to_string_lossy().to_ascii_lowercase()).collect();
    for (place, name) in names.iter().enumerate() {
        let what = match name.as_str() {
            "macros" | "_vba_project" | "_vba_project_cur" | "vba" => "macros",
            "objectpool" | "\u{1}ole10native" => "embedded object",
            name if name.starts_with("mbd") && names.len() > place + 1 => "embedded object",
            _ => continue,
        };
        return Some((what, place + 1 == names.len()));
    }
    None
}

/// Refuses what runs from within a stream that has to stay.
fn may_stay(path: &Path, content: &[u8]) -> Result<(), ExtractError> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    match name.as_str() {
        "encryptedpackage" | "encryptedsummary" => Err(ExtractError::Encrypted),
        "worddocument" if content.get(11).is_some_and(|flags| flags & 1 != 0) => Err(ExtractError::Encrypted),
        "workbook" | "book" => workbook(content),
        _ => Ok(()),
    }
}

/// The first records of a workbook (MS-XLS 2.4): one that says it is encrypted, one for each sheet.
fn workbook(content: &[u8]) -> Result<(), ExtractError> {
    const FILE_PASS: u16 = 0x2f;
    const BOUND_SHEET: u16 = 0x85;
    const END: u16 = 0x0a;
    let mut rest = content;
    while let [a, b, c, d, behind @ ..] = rest {
        let (kind, length) = (u16::from_le_bytes([*a, *b]), usize::from(u16::from_le_bytes([*c, *d])));
        let Some((record, next)) = behind.split_at_checked(length) else {
            return Err(ExtractError::Damaged("a record of the workbook is cut".to_owned()));
        };
        match kind {
            FILE_PASS => return Err(ExtractError::Encrypted),
            // Sheets of type 1 are macros of Excel 4.
            BOUND_SHEET if record.get(5) == Some(&1) => {
                return Err(ExtractError::Inseparable("macro sheets"));
            }
            END => break,
            _ => {}
        }
        rest = next;
    }
    Ok(())
}
