//! Microsoft's compound files, MS-CFB: documents before 2007, Outlook messages, installer packages.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use cfb::CompoundFile;

use crate::content::container::place::Level;
use crate::content::container::{Unpacked, Walk, slides, vba};
use crate::content::finding::{Finding, Trait, Unsupported};
use crate::content::kind::Kind;

/// What a compound file is more exactly, by names that stand in its directory.
pub(crate) fn finer(octets: &[u8]) -> Vec<Kind> {
    let has = |name: &str| {
        let wide: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        memchr::memmem::find(octets, &wide).is_some()
    };
    let installer = b"\x84\x10\x0c\0\0\0\0\0\xc0\0\0\0\0\0\0\x46";
    let kinds = [
        (has("WordDocument"), Kind::Doc),
        (has("Workbook") || has("Book\0"), Kind::Xls),
        (has(slides::STREAM), Kind::Ppt),
        (has("__properties_version1.0"), Kind::Msg),
        (memchr::memmem::find(octets, installer).is_some(), Kind::Msi),
    ];
    kinds.into_iter().filter_map(|(is, kind)| is.then_some(kind)).collect()
}

/// Streams of a file at most; those of an installer package are a few hundred.
const MAX_STREAMS: usize = 20_000;

/// Reads a compound file.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, kind: Kind, octets: &[u8]) {
    let Ok(mut file) = CompoundFile::open(Cursor::new(octets)) else { return walk.damaged(level) };
    let part = level.part.clone();
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in file.walk().take(MAX_STREAMS) {
        let name = entry.name();
        if matches!(name, "_VBA_PROJECT" | "_VBA_PROJECT_CUR" | "VBA" | "Macros") {
            walk.has(Trait::Macros, &part);
        }
        if matches!(name, "EncryptedPackage" | "EncryptedSummary") {
            walk.note(Finding::Encrypted, &part);
        }
        if name == "ObjectPool" && entry.is_storage() {
            walk.has(Trait::EmbeddedObject, &part);
        }
        if entry.is_stream() {
            paths.push(entry.path().to_owned());
        }
    }
    for path in paths {
        if !walk.may_go_on(&part) {
            return;
        }
        let Ok(mut stream) = file.open_stream(&path) else {
            walk.unread(level, &[shown(&path)], "ole", Finding::Unsupported(Unsupported::Damaged));
            continue;
        };
        let unpacked = walk.unpack(&mut stream, octets.len() as u64, &part);
        drop(stream);
        if is_encrypted(&path, &unpacked.octets) {
            walk.note(Finding::Encrypted, &part);
        }
        heuristics(walk, &part, &path, &unpacked.octets);
        let mut names = vec![shown(&path)];
        if kind == Kind::Msg {
            names.splice(0..0, attachment_names(&mut file, &path));
        }
        stream_of(walk, level, &path, &names, &unpacked);
    }
}

/// Tells of a stream, or of the file that is packed into it.
fn stream_of(walk: &mut Walk<'_>, level: &mut Level, path: &Path, names: &[String], unpacked: &Unpacked) {
    // Names of streams have no capitals, MS-CFB 2.6.4.
    let is_package = path.file_name().is_some_and(|name| name.eq_ignore_ascii_case("\u{1}Ole10Native"));
    if is_package && let Some(package) = unpacked.octets.get(4..).and_then(package) {
        // The stream is the file and its names, and nothing else.
        walk.has(Trait::EmbeddedObject, &level.part);
        let cut = unpacked.cut.or(package.cut);
        walk.member_of_octets(level, &package.names, "ole", package.content, cut);
        return;
    }
    walk.member(level, names, "ole", unpacked);
    if path.file_name().is_some_and(|name| name == slides::STREAM) {
        slides::read(walk, level, &unpacked.octets);
    }
}

/// A file in a package.
pub(super) struct Package<'o> {
    /// What it is called, and the places that it came from: whoever opens it goes by the end of any.
    pub(super) names: Vec<String>,
    pub(super) content: &'o [u8],
    /// Why that is not all.
    pub(super) cut: Option<Finding>,
}

/// Octets of a name in a package; a place is no longer for any reader.
const MAX_NAME: usize = 32 << 10;

/// A file in a package: names and places before it, its length, its octets.
pub(super) fn package(octets: &[u8]) -> Option<Package<'_>> {
    let text = |octets: &'_ [u8]| -> Option<(String, usize)> {
        let end = memchr::memchr(0, octets.get(..octets.len().min(MAX_NAME))?)?;
        Some((String::from_utf8_lossy(octets.get(..end)?).into_owned(), end + 1))
    };
    let number = |at: usize| -> Option<usize> {
        Some(u32::from_le_bytes(octets.get(at..at.checked_add(4)?)?.try_into().ok()?) as usize)
    };
    let mut at = 2;
    let (label, length) = text(octets.get(at..)?)?;
    at += length;
    let (source, length) = text(octets.get(at..)?)?;
    at += length + 4;
    let length = number(at)?;
    at += 4;
    let (place, _) = text(octets.get(at..)?).unwrap_or_default();
    at = at.checked_add(length)?;
    let length = number(at)?;
    let rest = octets.get(at + 4..)?;
    let whole = rest.get(..length);
    // Other objects have a stream of this name, too, and begin otherwise.
    if whole.is_none() && !octets.starts_with(&[2, 0]) {
        return None;
    }
    let mut names: Vec<String> = Vec::new();
    for name in [label, source, place] {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    let cut = whole.is_none().then_some(Finding::Unsupported(Unsupported::Damaged));
    Some(Package { names, content: whole.unwrap_or(rest), cut })
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().trim_start_matches('/').to_owned()
}

/// Whether a stream says that a document needs a password: MS-DOC 2.5.2, MS-XLS 2.4.117.
fn is_encrypted(path: &Path, octets: &[u8]) -> bool {
    match path.file_name().and_then(|name| name.to_str()) {
        Some("WordDocument") => octets.get(11).is_some_and(|flags| flags & 1 != 0),
        Some("Workbook" | "Book") => {
            // The record stands right behind the one that begins the stream.
            let first =
                octets.get(2..4).and_then(|length| length.try_into().ok()).map_or(0, u16::from_le_bytes);
            octets.get(4 + usize::from(first)..).is_some_and(|rest| rest.starts_with(b"\x2f\0"))
        }
        _ => false,
    }
}

/// Tells what a stream does by itself.
fn heuristics(walk: &mut Walk<'_>, part: &str, path: &Path, octets: &[u8]) {
    let is_within = |name: &str| path.iter().any(|piece| piece.eq_ignore_ascii_case(name));
    if is_within("VBA") || is_within("Macros") || is_within("_VBA_PROJECT_CUR") {
        vba::read(walk, part, octets);
    }
    match path.file_name().and_then(|name| name.to_str()) {
        Some("Workbook" | "Book") if has_macro_sheet(octets) => walk.has(Trait::MacroSheet, part),
        Some("Equation Native") => walk.has(Trait::EquationEditor, part),
        _ => {}
    }
}

/// Whether one of the sheets of a workbook is of type 1: macros of Excel 4, MS-XLS 2.4.28.
fn has_macro_sheet(octets: &[u8]) -> bool {
    const BOUND_SHEET: u16 = 0x85;
    const END: u16 = 0x0a;
    let mut rest = octets;
    while let [a, b, c, d, behind @ ..] = rest {
        let (kind, length) = (u16::from_le_bytes([*a, *b]), usize::from(u16::from_le_bytes([*c, *d])));
        let Some((record, next)) = behind.split_at_checked(length) else { return false };
        match kind {
            BOUND_SHEET if record.get(5) == Some(&1) => return true,
            END => return false,
            _ => rest = next,
        }
    }
    false
}

/// Names of an attachment of an Outlook message, which stand in streams beside its octets.
fn attachment_names(file: &mut CompoundFile<Cursor<&[u8]>>, path: &Path) -> Vec<String> {
    let is_content = path.file_name().is_some_and(|name| name == "__substg1.0_37010102");
    let Some(folder) = path.parent().filter(|_| is_content) else { return Vec::new() };
    let mut names = Vec::new();
    for property in ["3707001F", "3704001F", "3001001F", "3707001E", "3704001E", "3001001E"] {
        let mut octets = Vec::new();
        let stream = file.open_stream(folder.join(format!("__substg1.0_{property}")));
        let read = stream.and_then(|stream| {
            std::io::Read::read_to_end(&mut std::io::Read::take(stream, 2048), &mut octets)
        });
        if read.is_err() {
            continue;
        }
        // The end of the number is the type: of two octets a character, or of one, as before Outlook 2003.
        let name: String = if property.ends_with('F') {
            let units: Vec<u16> =
                octets.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
            String::from_utf16_lossy(&units)
        } else {
            octets.iter().map(|octet| char::from(*octet)).collect()
        };
        let name = name.trim_end_matches('\0').to_owned();
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
