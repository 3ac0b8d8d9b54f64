//! A message with some of its parts replaced: ranges of the octets that it had, and octets between them.
//!
//! Nothing else is touched: what is copied is copied octet for octet, line ends and all. Of the header section of a
//! replaced part only the fields of MIME (`Content-…`) go, so that a message keeps its subject.

use std::ops::Range;

use crate::action::notice::{Facts, Template};
use crate::wire::mime::parameter::ParameterField;
use crate::wire::mime::part_header::PartSpan;

/// A part that is replaced.
#[derive(Clone, Debug)]
pub struct Edit {
    /// Where it stands.
    pub span: PartSpan,
    /// The octets of its header section.
    pub header: Vec<u8>,
    /// What comes in its place.
    pub with: Entity,
}

/// Fields of MIME and a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// With CRLF each.
    fields: String,
    /// Ends with CRLF.
    body: Vec<u8>,
}

/// A piece of the new message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Octets of the old one.
    Copy(Range<u64>),
    /// Others.
    Insert(Vec<u8>),
}

/// Why a message cannot be rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// Places that do not follow each other, or lie beyond the end.
    #[error("the places of its parts make no sense")]
    Places,
    /// The header section that was given is not the one in the message.
    #[error("the header section of a part is not as long as it was")]
    Header,
}

/// The pieces of a message of so many octets once the edits are made.
pub fn plan(octets: u64, mut edits: Vec<Edit>) -> Result<Vec<Piece>, RewriteError> {
    edits.sort_by_key(|edit| edit.span.header.start);
    let mut pieces = Vec::new();
    let mut at = 0;
    for edit in edits {
        let PartSpan { header, body, .. } = &edit.span;
        if header.start < at || header.end != body.start || body.end < body.start || body.end > octets {
            return Err(RewriteError::Places);
        }
        if edit.header.len() as u64 != header.end - header.start {
            return Err(RewriteError::Header);
        }
        copy(&mut pieces, at..header.start);
        let mut has_version = false;
        let mut ends_line = true;
        for (field, name) in fields(&edit.header) {
            let is_mime = name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"content-"));
            has_version |= name.eq_ignore_ascii_case(b"mime-version");
            if !is_mime {
                ends_line = edit.header.get(..field.end).is_some_and(|octets| octets.ends_with(b"\n"));
                copy(&mut pieces, header.start + field.start as u64..header.start + field.end as u64);
            }
        }
        let mut inserted = Vec::new();
        if !ends_line {
            inserted.extend_from_slice(b"\r\n");
        }
        if edit.span.is_message && !has_version {
            inserted.extend_from_slice(b"MIME-Version: 1.0\r\n");
        }
        inserted.extend_from_slice(edit.with.fields.as_bytes());
        inserted.extend_from_slice(b"\r\n");
        inserted.extend_from_slice(&edit.with.body);
        pieces.push(Piece::Insert(inserted));
        at = body.end;
    }
    copy(&mut pieces, at..octets);
    Ok(pieces)
}

/// The pieces of a message of so many octets once ranges of it, in their order, are replaced.
pub fn splice(octets: u64, splices: Vec<(Range<u64>, Vec<u8>)>) -> Result<Vec<Piece>, RewriteError> {
    let mut pieces = Vec::new();
    let mut at = 0;
    for (range, with) in splices {
        if range.start < at || range.end < range.start || range.end > octets {
            return Err(RewriteError::Places);
        }
        copy(&mut pieces, at..range.start);
        at = range.end;
        if !with.is_empty() {
            pieces.push(Piece::Insert(with));
        }
    }
    copy(&mut pieces, at..octets);
    Ok(pieces)
}

/// Adds a range, to the one before if they touch.
fn copy(pieces: &mut Vec<Piece>, range: Range<u64>) {
    if range.is_empty() {
        return;
    }
    match pieces.last_mut() {
        Some(Piece::Copy(before)) if before.end == range.start => before.end = range.end,
        _ => pieces.push(Piece::Copy(range)),
    }
}

/// The fields of a header section, without the empty line at its end: where each stands, and its name.
pub(super) fn fields(header: &[u8]) -> Vec<(Range<usize>, &[u8])> {
    let mut fields: Vec<(Range<usize>, &[u8])> = Vec::new();
    let mut at = 0;
    for line in header.split_inclusive(|octet| *octet == b'\n') {
        let range = at..at + line.len();
        at = range.end;
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
        match fields.last_mut() {
            Some((field, _)) if matches!(line.first(), Some(b' ' | b'\t')) => field.end = range.end,
            _ => {
                let name = line.split(|octet| *octet == b':').next().unwrap_or_default();
                fields.push((range, name.trim_ascii_end()));
            }
        }
    }
    fields
}

impl Entity {
    /// Other content for a part, under the fields that it has: its type, its names, its place in a page. `None` if these
    /// are not in ASCII or UTF-8.
    pub fn copy(header: &[u8], content: &[u8]) -> Option<Self> {
        let mut kept = String::new();
        for (range, name) in fields(header) {
            let is_mime = name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"content-"));
            let is_of_octets =
                REWRITTEN_FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field.as_bytes()));
            if is_mime && !is_of_octets {
                let field = std::str::from_utf8(header.get(range)?).ok()?;
                kept.push_str(field.trim_end_matches(['\r', '\n']));
                kept.push_str("\r\n");
            }
        }
        kept.push_str("Content-Transfer-Encoding: base64\r\n");
        Some(Self { fields: kept, body: base64_lines(content) })
    }

    /// The text of a page in its place, under the same name with an ending of its own.
    pub fn text(header: &[u8], name: &str, text: &str) -> Self {
        let is_attached = field(header, b"content-disposition").is_some_and(|value| {
            value.get(..10).is_some_and(|word| word.eq_ignore_ascii_case(b"attachment"))
        });
        let disposition = if is_attached { "attachment" } else { "inline" };
        let name =
            if name.is_empty() { String::new() } else { format!("; filename=\"{}\"", renamed(name, "txt")) };
        let fields = format!(
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\
             Content-Disposition: {disposition}{name}\r\n"
        );
        Self { fields, body: base64_lines(text.as_bytes()) }
    }

    /// A text in place of a part.
    pub fn notice(template: &Template, facts: &Facts<'_>) -> Self {
        let text = template.render(facts);
        if text.is_ascii() && text.lines().all(|line| line.len() <= MAX_LINE) {
            let fields = "Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\
                          Content-Disposition: inline\r\n";
            return Self { fields: fields.to_owned(), body: text.into_bytes() };
        }
        let fields = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\
                      Content-Disposition: inline\r\n";
        Self { fields: fields.to_owned(), body: base64_lines(text.as_bytes()) }
    }

    /// A text and a locked file in place of a part of this name. The boundary is to be of chance.
    pub fn locked(template: &Template, facts: &Facts<'_>, name: &str, file: &[u8], boundary: &str) -> Self {
        let notice = Self::notice(template, facts);
        let name = locked_name(name);
        let mut body = format!("--{boundary}\r\n{}\r\n", notice.fields).into_bytes();
        body.extend_from_slice(&notice.body);
        body.extend_from_slice(
            format!(
                "--{boundary}\r\nContent-Type: application/octet-stream; name=\"{name}\"\r\n\
                 Content-Transfer-Encoding: base64\r\n\
                 Content-Disposition: attachment; filename=\"{name}\"\r\n\r\n"
            )
            .as_bytes(),
        );
        body.append(&mut base64_lines(file));
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        let fields = format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n");
        Self { fields, body }
    }
}

/// The value of a field of a header section, the first of its name.
fn field<'h>(header: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    let (range, _) = fields(header).into_iter().find(|(_, own)| own.eq_ignore_ascii_case(name))?;
    let octets = header.get(range)?;
    let colon = octets.iter().position(|octet| *octet == b':')?;
    Some(octets.get(colon + 1..)?.trim_ascii())
}

/// The code that a part says its text is of.
pub fn charset(header: &[u8]) -> Option<String> {
    let fields = ParameterField::parse(field(header, b"content-type")?);
    let value = fields.values(b"charset").next()?;
    std::str::from_utf8(value).ok().map(str::to_owned)
}

/// The name of a locked file, harmless in a quoted string; the true one is within.
fn locked_name(name: &str) -> String {
    renamed(name, "clk")
}

/// A name, harmless in a quoted string, with another ending behind it.
fn renamed(name: &str, ending: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let harmless = |c: char| if c.is_ascii_alphanumeric() || "._- ()+@".contains(c) { c } else { '_' };
    let name: String = last.chars().map(harmless).take(MAX_LOCKED_NAME).collect();
    let name = name.trim_matches([' ', '.']);
    format!("{}.{ending}", if name.is_empty() { "attachment" } else { name })
}

/// Fields that say something of the octets of a part.
const REWRITTEN_FIELDS: [&str; 4] =
    ["content-transfer-encoding", "content-md5", "content-length", "content-digest"];
/// Characters of a name that a locked file keeps.
const MAX_LOCKED_NAME: usize = 120;
/// Octets of a line, RFC 5322 §2.1.1.
const MAX_LINE: usize = 998;
/// Octets of a line in base64, RFC 2045 §6.8, before they are encoded.
const BASE64_LINE: usize = 57;

/// RFC 2045 §6.8.
fn base64_lines(octets: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |bits: u32| ALPHABET.get((bits & 63) as usize).copied().unwrap_or(b'=');
    let mut out = Vec::with_capacity(octets.len() / BASE64_LINE * 78 + 80);
    for line in octets.chunks(BASE64_LINE) {
        for group in line.chunks(3) {
            let mut bits = 0;
            for place in 0..3 {
                bits = bits << 8 | u32::from(group.get(place).copied().unwrap_or(0));
            }
            out.extend_from_slice(&[letter(bits >> 18), letter(bits >> 12)]);
            out.push(if group.len() > 1 { letter(bits >> 6) } else { b'=' });
            out.push(if group.len() > 2 { letter(bits) } else { b'=' });
        }
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[cfg(test)]
mod tests;
