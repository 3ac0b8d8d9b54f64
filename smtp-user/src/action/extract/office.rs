//! Office Open XML (ECMA-376): macros, controls, embedded objects and what is fetched from elsewhere go.
//!
//! Members that stay are copied as they are packed; only lists that name what went are written anew.

mod list;
mod part;

use std::io::{Cursor, Read as _, Write as _};

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use self::list::weed_list;
use self::part::weed_part;
use super::{ExtractError, Removed};

/// Members of a document at most.
const MAX_MEMBERS: usize = 10_000;

/// Documents within each other that are looked into.
const MAX_DEPTH: usize = 4;

/// Makes the copy of a document.
pub(super) fn document(
    octets: &[u8],
    left: &mut u64,
    removed: &mut Removed,
) -> Result<Vec<u8>, ExtractError> {
    within(octets, left, 0, removed)
}

fn within(
    octets: &[u8],
    left: &mut u64,
    depth: usize,
    removed: &mut Removed,
) -> Result<Vec<u8>, ExtractError> {
    let mut archive = ZipArchive::new(Cursor::new(octets)).map_err(failed)?;
    if archive.len() > MAX_MEMBERS || depth == MAX_DEPTH {
        return Err(ExtractError::TooLarge);
    }
    let names: Vec<String> = archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
    let has_controls = names.iter().any(|name| is_control(&path_of(name)));
    let mut copy = ZipWriter::new(Cursor::new(Vec::with_capacity(octets.len())));
    for index in 0..archive.len() {
        let mut name = {
            let member = archive.by_index_raw(index).map_err(failed)?;
            if member.encrypted() {
                return Err(ExtractError::Encrypted);
            }
            member.name().map_err(failed)?.into_owned()
        };
        let changed = match fate(&name) {
            Fate::Goes(what) => {
                removed.note(what);
                continue;
            }
            Fate::Inseparable(what) => return Err(ExtractError::Inseparable(what)),
            Fate::Within => {
                let inner = unpack(&mut archive, index, left)?;
                Some(embedded(&inner, left, depth, removed)?)
            }
            Fate::List => {
                let list = unpack(&mut archive, index, left)?;
                Some(weed_list(&name, &list, removed)?)
            }
            Fate::Text => weed_part(&unpack(&mut archive, index, left)?, has_controls, removed)?,
            Fate::Sheet if has_controls => weed_part(&unpack(&mut archive, index, left)?, true, removed)?,
            Fate::Stays | Fate::Sheet => None,
            Fate::MacroSheet => {
                removed.note("macro sheet");
                name = sheet_in_place(&name);
                if names.contains(&name) {
                    return Err(ExtractError::Uncertain("two sheets would have one name"));
                }
                Some(EMPTY_SHEET.to_vec())
            }
        };
        match changed {
            None => {
                let member = archive.by_index_raw(index).map_err(failed)?;
                copy.raw_copy_file(member).map_err(failed)?;
            }
            Some(octets) => {
                let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
                copy.start_file(name, options).map_err(failed)?;
                copy.write_all(&octets).map_err(|error| ExtractError::Damaged(error.to_string()))?;
            }
        }
    }
    Ok(copy.finish().map_err(failed)?.into_inner())
}

/// The octets of a member, which count.
fn unpack(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
    left: &mut u64,
) -> Result<Vec<u8>, ExtractError> {
    let member = archive.by_index(index).map_err(failed)?;
    let size = member.size();
    *left = left.checked_sub(size).ok_or(ExtractError::TooLarge)?;
    let mut octets = Vec::new();
    let read = member.take(size.saturating_add(1)).read_to_end(&mut octets);
    read.map_err(|error| ExtractError::Damaged(error.to_string()))?;
    if octets.len() as u64 != size {
        return Err(ExtractError::Damaged("a member is not as long as it says".to_owned()));
    }
    Ok(octets)
}

/// What stands for an embedded object: a document, without what goes in it; of anything else nothing. The member stays,
/// since readers take a document for damaged that names one it does not have.
fn embedded(
    octets: &[u8],
    left: &mut u64,
    depth: usize,
    removed: &mut Removed,
) -> Result<Vec<u8>, ExtractError> {
    if octets.starts_with(b"PK\x03\x04") {
        return within(octets, left, depth + 1, removed);
    }
    // What stands for one already.
    if !octets.is_empty() {
        removed.note("embedded object");
    }
    Ok(Vec::new())
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn failed(error: ZipError) -> ExtractError {
    ExtractError::Damaged(error.to_string())
}

/// What becomes of a member.
enum Fate {
    /// It is copied.
    Stays,
    /// It goes, and what names it.
    Goes(&'static str),
    /// The document names it in its midst.
    Inseparable(&'static str),
    /// It is a document or object of its own.
    Within,
    /// It names other members.
    List,
    /// A field or a link in it may start a program, and it may name controls.
    Text,
    /// It may name controls.
    Sheet,
    /// A sheet of macros, in whose place an empty one stands: sheets are counted.
    MacroSheet,
}

/// What stands for a sheet of macros.
const EMPTY_SHEET: &[u8] = b"<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n\
    <worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData/></worksheet>";

/// The folder of sheets of macros, and what the path of the sheet in place of one has instead.
const SHEETS: [&str; 2] = ["macrosheets/", "worksheets/macro"];

/// The path of the sheet that stands for a sheet of macros.
fn sheet_in_place(path: &str) -> String {
    let [from, to] = SHEETS;
    let path = path.replace('\\', "/");
    let at = path.to_ascii_lowercase().find(from).unwrap_or_default();
    let (before, file) = path.split_at_checked(at).unwrap_or_default();
    format!("{before}{to}{}", file.get(from.len()..).unwrap_or_default())
}

/// A path as it is compared.
fn path_of(name: &str) -> String {
    format!("/{}", name.replace('\\', "/").to_ascii_lowercase())
}

/// Whether it belongs to a control.
fn is_control(path: &str) -> bool {
    path.contains("/activex/") || path.contains("/ctrlprops/")
}

fn fate(name: &str) -> Fate {
    let name = path_of(name);
    let file = name.rsplit('/').next().unwrap_or_default();
    let extension = file.rsplit('.').next().unwrap_or_default();
    match () {
        () if is_control(&name) => Fate::Goes("controls"),
        () if name.contains("/macrosheets/_rels/") => Fate::Goes("macro sheet"),
        () if extension == "rels" || name == "/[content_types].xml" => Fate::List,
        () if file.starts_with("vbaproject") || file.starts_with("vbadata") => Fate::Goes("macros"),
        () if name.contains("/customui") => Fate::Goes("commands"),
        () if name.contains("/macrosheets/") && extension == "xml" => Fate::MacroSheet,
        // The workbook that names them is no text.
        () if name.contains("/macrosheets/") || name.contains("/dialogsheets/") => {
            Fate::Inseparable("macro sheets")
        }
        () if name.contains("/embeddings/") => Fate::Within,
        () if extension == "xml" && (name.starts_with("/word/") || name.contains("/externallinks/")) => {
            Fate::Text
        }
        () if extension == "xml" && (name.starts_with("/xl/") || name.starts_with("/ppt/")) => Fate::Sheet,
        () => Fate::Stays,
    }
}

/// Refuses what is not in ASCII and its kin.
fn narrow(text: &[u8]) -> Result<(), ExtractError> {
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") || memchr::memchr(0, text).is_some() {
        return Err(ExtractError::Uncertain("its characters are wider than an octet"));
    }
    Ok(())
}
