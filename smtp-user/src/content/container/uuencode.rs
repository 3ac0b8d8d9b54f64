//! Files within a text, by uuencode (POSIX.1), wherever a line begins one.

use crate::content::container::Walk;
use crate::content::container::place::Level;
use crate::wire::mime::base64::Base64Decoder;

/// Places where a file begins: a line that says so, and behind it one that can be decoded.
pub(crate) fn starts(octets: &[u8]) -> impl Iterator<Item = usize> + '_ {
    memchr::memmem::find_iter(octets, b"begin").filter(move |at| {
        let is_at_line = *at == 0 || octets.get(at - 1) == Some(&b'\n');
        is_at_line && octets.get(*at..).and_then(header).is_some()
    })
}

/// Name, form, and the lines behind.
fn header(octets: &[u8]) -> Option<(String, Form, &[u8])> {
    let (line, rest) = line(octets)?;
    let after = line.strip_prefix(b"begin")?;
    let (is_base64, after) = match after.strip_prefix(b"-base64") {
        Some(after) => (true, after),
        None => (false, after),
    };
    let after = after.strip_prefix(b" ")?.trim_ascii_start();
    let digits = after.iter().take_while(|octet| matches!(octet, b'0'..=b'7')).count();
    let name = after.get(digits..)?;
    if !(2..=11).contains(&digits) || !name.starts_with(b" ") {
        return None;
    }
    // Readers skip empty lines, and blanks at the ends of lines are lost on the way.
    let mut behind = rest;
    let first = loop {
        let (first, next) = self::line(behind)?;
        behind = next;
        if !first.trim_ascii().is_empty() {
            break first;
        }
    };
    let form = if is_base64 {
        Form::Base64
    } else {
        let has_end = || memchr::memmem::find(rest, b"\nend").is_some();
        [Form::Uu, Form::Xx].into_iter().find(|form| form.is_full_line(first) || first == b"end").or_else(
            || [Form::Uu, Form::Xx].into_iter().find(|form| form.is_line(first)).filter(|_| has_end()),
        )?
    };
    Some((String::from_utf8_lossy(name.trim_ascii()).into_owned(), form, rest))
}

/// A line without its end, and what is behind it.
fn line(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    if octets.is_empty() {
        return None;
    }
    let end = memchr::memchr(b'\n', octets).unwrap_or(octets.len());
    let (line, rest) = octets.split_at_checked(end)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..).unwrap_or_default()))
}

/// Reads all files of a text.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    let mut past = 0;
    for start in starts(octets) {
        // A line within a file begins no other.
        if start < past {
            continue;
        }
        let Some((name, form, mut rest)) = octets.get(start..).and_then(header) else { continue };
        if !walk.may_go_on(&level.part) {
            return;
        }
        let mut content = Vec::new();
        let mut base64 = Base64Decoder::default();
        while let Some((line, behind)) = line(rest) {
            if header(rest).is_some() {
                break;
            }
            rest = behind;
            if line.trim_ascii() == form.end() {
                break;
            }
            if form == Form::Base64 {
                base64.decode(line, &mut content);
            } else {
                // At a line that is none of it some readers stop and others go on.
                form.decode_line(line, &mut content);
            }
        }
        base64.finish(&mut content);
        past = octets.len() - rest.len();
        let unpacked = walk.unpack(&mut content.as_slice(), (past - start) as u64, &level.part);
        walk.member(level, &[name], form.name(), &unpacked);
    }
}

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Uu,
    Xx,
    Base64,
}

impl Form {
    const fn name(self) -> &'static str {
        match self {
            Self::Uu => "uuencode",
            Self::Xx => "xxencode",
            Self::Base64 => "uuencode_base64",
        }
    }

    const fn end(self) -> &'static [u8] {
        match self {
            Self::Base64 => b"====",
            _ => b"end",
        }
    }

    fn value(self, octet: u8) -> Option<u8> {
        match (self, octet) {
            (Self::Uu, b' '..=b'`') => Some((octet - b' ') & 63),
            (Self::Xx, b'+') => Some(0),
            (Self::Xx, b'-') => Some(1),
            (Self::Xx, b'0'..=b'9') => Some(octet - b'0' + 2),
            (Self::Xx, b'A'..=b'Z') => Some(octet - b'A' + 12),
            (Self::Xx, b'a'..=b'z') => Some(octet - b'a' + 38),
            _ => None,
        }
    }

    /// Octets that a line has, and digits that they need.
    fn lengths(self, line: &[u8]) -> Option<(usize, usize)> {
        let count = usize::from(self.value(*line.first()?)?);
        Some((count, (count * 8).div_ceil(6)))
    }

    /// Whether a line has every digit that it should have.
    fn is_full_line(self, line: &[u8]) -> bool {
        let lengths = self.lengths(line);
        lengths.is_some_and(|(_, needed)| line.len() > needed) && self.decode_line(line, &mut Vec::new())
    }

    /// Whether it may be a line whose blanks at the end are lost.
    fn is_line(self, line: &[u8]) -> bool {
        line.len() > 1 && self.decode_line(line, &mut Vec::new())
    }

    /// Adds the octets of a line; `false` if it is none.
    fn decode_line(self, line: &[u8], content: &mut Vec<u8>) -> bool {
        let (Some((count, needed)), Some(digits)) = (self.lengths(line), line.get(1..)) else { return false };
        let digits = digits.trim_ascii_end();
        // A digit or two may follow as a check.
        if digits.len() > needed.next_multiple_of(4) + 2 {
            return false;
        }
        let start = content.len();
        // Blanks at the end of a line are lost on the way.
        for index in (0..needed).step_by(4) {
            let mut bits = 0_u32;
            for place in index..index + 4 {
                let value = digits.get(place).map_or(Some(0), |digit| self.value(*digit));
                let Some(value) = value else {
                    content.truncate(start);
                    return false;
                };
                bits = bits << 6 | u32::from(value);
            }
            let [_, octets @ ..] = bits.to_be_bytes();
            content.extend_from_slice(&octets);
        }
        content.truncate(start + count);
        true
    }
}
