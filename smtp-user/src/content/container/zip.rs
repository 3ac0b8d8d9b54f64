//! Zip archives, APPNOTE.TXT 6.3: read by every directory that some reader may find, and by the members' own
//! headers. Readers differ in which of them they believe.

mod crypto;
mod decode;
mod directory;
mod header;
pub(crate) mod layout;

use crate::content::container::place::{Level, is_unsafe};
use crate::content::container::{Unpacked, Walk, ooxml};
use crate::content::finding::{Finding, Limit, Technique, Unsupported};
use crate::content::kind::Kind;
use directory::{Directory, directories};
use header::{CentralHeader, LOCAL_MAGIC, LocalHeader};

/// Members that are looked at to tell what is built on a zip.
const MAX_LOOKED_AT: usize = 2000;

/// Whether octets have the directory of a zip: at their end, or anywhere.
pub(crate) fn has_directory(octets: &[u8], only_at_end: bool) -> bool {
    // A line end may have been added on the way; what fills a block of an archive around it is more.
    let is_at_end =
        |directory: &Directory| matches!(octets.get(directory.end..), None | Some(b"" | b"\n" | b"\r\n"));
    directories(octets).iter().any(|directory| !only_at_end || is_at_end(directory))
}

/// What a zip is more exactly.
pub(crate) fn finer(octets: &[u8]) -> Vec<Kind> {
    let Some(directory) = directories(octets).pop() else { return Vec::new() };
    let headers: Vec<CentralHeader> = directory.headers(octets).take(MAX_LOOKED_AT).collect();
    let has = |name: &str| headers.iter().any(|header| header.is_named(name));
    let has_in = |folder: &str| headers.iter().any(|header| header.is_within(folder));
    let mut kinds = Vec::new();
    if has("[content_types].xml") {
        for (folder, kind) in [("word/", Kind::Docx), ("xl/", Kind::Xlsx), ("ppt/", Kind::Pptx)] {
            kinds.extend(has_in(folder).then_some(kind));
        }
        kinds.extend(kinds.is_empty().then_some(Kind::Ooxml));
    }
    let odf = |header: &CentralHeader| {
        header.is_named("mimetype")
            && LocalHeader::parse(octets, directory.place_of(header)).is_some_and(|local| {
                octets.get(local.data..).is_some_and(|data| data.starts_with(b"application/vnd.oasis."))
            })
    };
    kinds.extend(headers.iter().any(odf).then_some(Kind::Odf));
    if has("androidmanifest.xml") {
        kinds.push(Kind::Apk);
    } else if has("meta-inf/manifest.mf") && !kinds.contains(&Kind::Odf) {
        kinds.push(Kind::Jar);
    }
    kinds
}

/// Where a member is, with its header.
type Span = (usize, usize);

/// Reads an archive.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, kind: Kind, octets: &[u8]) {
    let part = level.part.clone();
    level.is_document = matches!(kind, Kind::Docx | Kind::Xlsx | Kind::Pptx | Kind::Ooxml | Kind::Odf);
    let mut directories = directories(octets);
    let Some(primary) = directories.pop() else {
        let begins = octets.starts_with(LOCAL_MAGIC) || octets.starts_with(b"PK\x07\x08");
        if begins {
            walk.note(Finding::Ambiguous(Technique::NoDirectory), &part);
            hidden(walk, level, octets, 0, octets.len());
        } else if !octets.starts_with(b"PK\x05\x06") {
            walk.damaged(level);
        }
        return;
    };
    if primary.is_divided || octets.starts_with(b"PK\x07\x08PK\x03\x04") {
        walk.note(Finding::Unsupported(Unsupported::Divided), &part);
    }
    let mut spans = members(walk, level, &primary, octets);
    // A directory within a member is that member's; one beside them is another reader's.
    let beside = |other: &Directory| {
        other.start != primary.start
            && !spans.iter().any(|(start, end)| (*start..*end).contains(&other.start))
    };
    let others: Vec<Directory> = directories.into_iter().filter(beside).collect();
    for other in &others {
        walk.note(Finding::Ambiguous(Technique::TwoDirectories), &part);
        spans.extend(members(walk, level, other, octets));
        spans.push((other.start, other.end));
    }
    spans.push((primary.start, primary.end));
    if !is_filler(octets.get(primary.end..).unwrap_or_default()) {
        walk.note(Finding::Ambiguous(Technique::DataAfter), &part);
    }
    gaps(walk, level, octets, spans);
}

/// Zeros and line ends, as transport adds them.
fn is_filler(octets: &[u8]) -> bool {
    octets.iter().all(|octet| matches!(octet, 0 | b'\r' | b'\n' | 0x1a))
}

/// Reads the members that a directory names; gives where they are.
fn members(walk: &mut Walk<'_>, level: &mut Level, directory: &Directory, octets: &[u8]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut names = std::collections::HashSet::new();
    let mut count = 0;
    for header in directory.headers(octets) {
        if !walk.may_go_on(&level.part) {
            return spans;
        }
        count += 1;
        if !names.insert(header.name.clone()) {
            walk.note(Finding::Ambiguous(Technique::SameName), &level.part);
        }
        let local = LocalHeader::parse(octets, directory.place_of(&header));
        let Some(local) = local else {
            walk.note(Finding::Ambiguous(Technique::HeadersDiffer), &level.part);
            walk.unread(level, &header.names(), "?", Finding::Unsupported(Unsupported::Damaged));
            continue;
        };
        let end = local.data.saturating_add(usize::try_from(header.packed).unwrap_or(usize::MAX));
        spans.push((local.start, end.min(octets.len())));
        member(walk, level, octets, &header, &local);
    }
    if count != directory.stated_count && walk.may_go_on(&level.part) {
        walk.note(Finding::Ambiguous(Technique::HeadersDiffer), &level.part);
    }
    spans.sort_unstable();
    if spans.windows(2).any(|pair| matches!(pair, [(_, end), (start, _)] if start < end)) {
        walk.note(Finding::Ambiguous(Technique::Overlap), &level.part);
    }
    spans
}

/// Looks for members between those that are known, and before them.
fn gaps(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8], mut spans: Vec<Span>) {
    spans.sort_unstable();
    let first = spans.first().map_or(0, |(start, _)| *start);
    if first > 0 && level.is_certain && !octets.starts_with(b"PK") {
        let before = octets.get(..first).unwrap_or_default();
        if !is_filler(before) {
            walk.note(Finding::Ambiguous(Technique::DataBefore), &level.part);
        }
    }
    let mut at = 0;
    for (start, end) in spans {
        if start > at {
            hidden(walk, level, octets, at, start);
        }
        at = at.max(end);
    }
}

/// Reads members that no directory names, by their own headers.
fn hidden(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8], from: usize, to: usize) {
    let mut at = from;
    while let Some(found) = octets.get(at..to).and_then(|gap| memchr::memmem::find(gap, LOCAL_MAGIC)) {
        let start = at + found;
        at = start + LOCAL_MAGIC.len();
        let Some(local) = LocalHeader::parse(octets, start).filter(LocalHeader::is_plausible) else {
            continue;
        };
        if !walk.may_go_on(&level.part) {
            return;
        }
        walk.note(Finding::Ambiguous(Technique::HiddenMember), &level.part);
        let header = local.as_central(octets, to);
        at = local.data.saturating_add(usize::try_from(header.packed).unwrap_or(usize::MAX)).max(at);
        member(walk, level, octets, &header, &local);
    }
}

/// Reads one member under its own header and under the directory's.
fn member(
    walk: &mut Walk<'_>,
    level: &mut Level,
    octets: &[u8],
    header: &CentralHeader,
    local: &LocalHeader,
) {
    let mut names = header.names();
    for name in local.names() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.iter().any(|name| is_unsafe(name)) {
        walk.note(Finding::Ambiguous(Technique::UnsafeName), &level.part);
    }
    let differs = local.differs_from(header);
    if differs {
        walk.note(Finding::Ambiguous(Technique::HeadersDiffer), &level.part);
    }
    let is_folder = names.first().is_some_and(|name| name.ends_with('/')) && header.packed == 0;
    if is_folder && !differs {
        return;
    }
    let data = |packed: u64| {
        let end = local.data.saturating_add(usize::try_from(packed).unwrap_or(usize::MAX));
        octets.get(local.data..end.min(octets.len())).unwrap_or_default()
    };
    reading(walk, level, &names, header, data(header.packed));
    let own = local.as_central(octets, octets.len());
    if differs && (own.method, own.packed, own.flags & 1) != (header.method, header.packed, header.flags & 1)
    {
        reading(walk, level, &names, &own, data(own.packed));
    }
}

/// Reads one member as a header says.
fn reading(walk: &mut Walk<'_>, level: &mut Level, names: &[String], header: &CentralHeader, data: &[u8]) {
    let part = level.part.clone();
    let too_large = header.unpacked > walk.limits.max_member;
    if header.is_encrypted() {
        let Some(decrypted) = crypto::decrypt(walk, &part, header, data) else {
            walk.unread(level, names, decode::name(header.method), Finding::Encrypted);
            return;
        };
        walk.member(level, names, decode::name(header.method), &decrypted);
        return;
    }
    let Some(mut decoder) = decode::decoder(header.method, data) else {
        // A reader that does not know the method either may take the octets as they are.
        let cut = Some(Finding::Unsupported(Unsupported::Method));
        walk.member_of_octets(level, names, decode::name(header.method), data, cut);
        return;
    };
    let mut unpacked = walk.unpack(&mut decoder, data.len() as u64, &part);
    drop(decoder);
    let sound =
        decode::checksum(&unpacked.octets) == header.crc && unpacked.octets.len() as u64 == header.unpacked;
    if too_large && unpacked.cut.is_none() {
        unpacked.cut = Some(Finding::LimitExceeded(Limit::Member));
    }
    if unpacked.cut.is_none() && !sound {
        let inflated = (header.method == 0).then(|| inflate(walk, &part, data)).flatten();
        let technique =
            if inflated.is_some() { Technique::StoredOverCompressed } else { Technique::ChecksumDiffers };
        walk.note(Finding::Ambiguous(technique), &part);
        if let Some(inflated) = inflated {
            walk.member(level, names, "deflate", &inflated);
        }
    }
    if let Some(name) = names.first().filter(|_| level.is_document) {
        ooxml::member(walk, &part, name, &unpacked.octets);
    }
    let is_damaged = unpacked.cut == Some(Finding::Unsupported(Unsupported::Damaged));
    walk.member(level, names, decode::name(header.method), &unpacked);
    if is_damaged {
        walk.member_of_octets(level, names, "stored", data, None);
    }
}

/// Octets that are said to be stored, decompressed; `None` if they are not compressed.
fn inflate(walk: &mut Walk<'_>, part: &str, data: &[u8]) -> Option<Unpacked> {
    let mut decoder = decode::decoder(8, data)?;
    let inflated = walk.unpack(&mut decoder, data.len() as u64, part);
    let is_damaged = inflated.cut == Some(Finding::Unsupported(Unsupported::Damaged));
    (!is_damaged && !inflated.octets.is_empty()).then_some(inflated)
}
