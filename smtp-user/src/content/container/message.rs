//! Messages within other content, RFC 5322 and MIME, by the walk that reads mail.

use crate::content::container::Walk;
use crate::content::container::place::Level;
use crate::content::detect::detect;
use crate::content::finding::{Finding, Limit, Technique, Unsupported};
use crate::wire::mime::defect::{Defect, DefectKind};
use crate::wire::mime::part_header::{PartHeader, PartKind};
use crate::wire::mime::walk::{PartSink, WalkLimits, Walker};

/// Reads a message, or all of a folder of them (RFC 4155), as far as they can be told from each other.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    let octets = octets.get(start(octets)..).unwrap_or_default();
    if !octets.starts_with(SEPARATOR) {
        // What does not begin with a field may still have some that somebody finds.
        let rest = fields_at(octets).filter(|_| !begins_with_field(octets)).and_then(|at| octets.get(at..));
        let is_document = detect(octets).first().is_some_and(|first| first.is_container());
        // A document is no message from its start on: that would be the document once more.
        if rest.is_none() || !is_document {
            read_one(walk, level, octets);
        }
        if let Some(rest) = rest {
            read_one(walk, level, rest);
        }
        return;
    }
    let mut from = 0;
    for at in memchr::memmem::find_iter(octets, b"\nFrom ") {
        if octets.get(from..at).is_some_and(|before| before.ends_with(b"\n") || before.ends_with(b"\n\r")) {
            read_one(walk, level, octets.get(from..=at).unwrap_or_default());
            from = at + 1;
        }
    }
    read_one(walk, level, octets.get(from..).unwrap_or_default());
}

/// Begins a message of a folder.
const SEPARATOR: &[u8] = b"From ";

/// Where a message begins: behind empty lines, or behind its length, which Apple's Mail writes before it.
fn start(octets: &[u8]) -> usize {
    let begins = |octets: &[u8]| octets.len() - octets.trim_ascii_start().len();
    let blanks = begins(octets);
    let rest = octets.get(blanks..).unwrap_or_default();
    let digits = rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let behind = begins(rest.get(digits..).unwrap_or_default());
    if digits > 0 && behind > 0 { blanks + digits + behind } else { blanks }
}

fn begins_with_field(octets: &[u8]) -> bool {
    let first = octets.split(|octet| *octet == b'\n').next().unwrap_or_default();
    memchr::memchr(b':', first).is_some()
}

/// Whether a page in several parts begins somewhere within. Word looks for it there.
pub(super) fn starts_within(octets: &[u8]) -> bool {
    fields_at(octets).and_then(|at| octets.get(at..)).is_some_and(|rest| {
        let head = rest.get(..rest.len().min(MAX_FIELDS)).unwrap_or_default().to_ascii_lowercase();
        memchr::memmem::find(&head, b"content-type:").is_some()
            && memchr::memmem::find(&head, b"multipart/").is_some()
    })
}

/// Octets of fields in which a page says that it has several parts.
const MAX_FIELDS: usize = 4096;

/// Where fields begin of which one says that they are of MIME.
fn fields_at(octets: &[u8]) -> Option<usize> {
    const FIELD: &[u8] = b"mime-version:";
    let is_at_line = |at: &usize| {
        matches!(at.checked_sub(1).and_then(|before| octets.get(before)), None | Some(b'\r' | b'\n'))
    };
    let at = memchr::memchr2_iter(b'M', b'm', octets).filter(is_at_line).find(|at| {
        octets.get(*at..at + FIELD.len()).is_some_and(|field| field.eq_ignore_ascii_case(FIELD))
    })?;
    // Others may stand before it.
    let mut start = at;
    while let Some(before) = octets.get(..start).and_then(without_end).filter(|_| at - start < MAX_FIELDS) {
        let begin = memchr::memrchr2(b'\r', b'\n', before).map_or(0, |end| end + 1);
        let line = before.get(begin..).unwrap_or_default();
        let name = memchr::memchr(b':', line).and_then(|colon| line.get(..colon)).unwrap_or_default();
        let is_field = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
        if !is_field && !matches!(line, [b' ' | b'\t', ..]) {
            break;
        }
        start = begin;
    }
    Some(start)
}

/// Without the end of the last line; `None` if there is none.
fn without_end(lines: &[u8]) -> Option<&[u8]> {
    lines.strip_suffix(b"\r\n").or(lines.strip_suffix(b"\n")).or(lines.strip_suffix(b"\r"))
}

fn read_one(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    let mut walker = Walker::new(WalkLimits::default()).of_any_octets();
    let mut sink = Parts { walk, level, open: None };
    for piece in octets.chunks(PIECE) {
        if !sink.walk.may_go_on(&sink.level.part) {
            return;
        }
        walker.push(piece, &mut sink);
    }
    walker.finish(&mut sink);
    let part = sink.level.part.clone();
    for (defect, _) in walker.defects() {
        let finding = match (defect.kind(), defect) {
            (DefectKind::Ambiguous, _) => Finding::Ambiguous(Technique::MessageStructure),
            (_, Defect::PartialMessage) => Finding::Unsupported(Unsupported::Divided),
            (DefectKind::Unsupported, _) => Finding::Unsupported(Unsupported::Method),
            (_, Defect::TooManyParts) => Finding::LimitExceeded(Limit::Members),
            (DefectKind::LimitExceeded, _) => Finding::LimitExceeded(Limit::Depth),
        };
        walk.note(finding, &part);
    }
}

/// Octets between two looks at the time.
const PIECE: usize = 256 << 10;

/// Takes the parts, one after the other.
struct Parts<'p, 'w> {
    walk: &'p mut Walk<'w>,
    level: &'p mut Level,
    open: Option<(PartHeader, Vec<Vec<u8>>, bool)>,
}

impl PartSink for Parts<'_, '_> {
    fn begin(&mut self, part: PartHeader) {
        let readings = part.encodings.iter().map(|_| Vec::new()).collect();
        self.open = Some((part, readings, false));
    }

    fn data(&mut self, reading: usize, octets: &[u8]) {
        let Some((_, readings, is_cut)) = &mut self.open else { return };
        let Some(content) = readings.get_mut(reading) else { return };
        let room = self.walk.limits.max_member.min(self.walk.octets_left);
        if (content.len() + octets.len()) as u64 > room {
            *is_cut = true;
        } else {
            content.extend_from_slice(octets);
        }
    }

    fn end(&mut self) {
        let Some((header, readings, is_cut)) = self.open.take() else { return };
        if header.kind == PartKind::Message {
            return;
        }
        let cut = is_cut.then_some(Finding::LimitExceeded(Limit::Member));
        for (content, encoding) in readings.iter().zip(&header.encodings) {
            self.walk.octets_left = self.walk.octets_left.saturating_sub(content.len() as u64);
            self.level.media_type = Some(header.media_type.clone());
            self.walk.member_of_octets(self.level, &header.names, encoding.name(), content, cut);
        }
    }
}
