//! Tape archives: old ones, those of POSIX (ustar, pax) and those of GNU.

use crate::content::container::Walk;
use crate::content::container::place::{Level, is_unsafe};
use crate::content::finding::{Finding, Technique, Unsupported};

const BLOCK: usize = 512;

/// Reads an archive.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    let mut at = 0;
    // Names that an entry gives to the one behind it.
    let mut given: Vec<String> = Vec::new();
    let mut given_size = None;
    // Names that are given to all.
    let mut global: Vec<String> = Vec::new();
    let mut seen = false;
    while let Some(header) = octets.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
        if header.iter().all(|octet| *octet == 0) {
            // Whoever is told to reads on behind the end.
            let rest = octets.get(at..).unwrap_or_default();
            let zeros = rest.iter().take_while(|octet| **octet == 0).count();
            if let Some(rest) =
                rest.get(zeros / BLOCK * BLOCK..).filter(|rest| rest.iter().any(|octet| *octet != 0))
            {
                walk.note(Finding::Ambiguous(Technique::DataAfter), &level.part);
                walk.member_of_octets(level, &[], "stored", rest, None);
            }
            break;
        }
        if !walk.may_go_on(&level.part) {
            return;
        }
        let (Some(size), true) = (number(header, 124, 12), has_checksum(header)) else {
            // Octets that are no entry where one should be.
            if seen {
                walk.note(Finding::Ambiguous(Technique::DataAfter), &level.part);
                let rest = octets.get(at..).unwrap_or_default();
                walk.member_of_octets(level, &[], "stored", rest, None);
            } else {
                walk.damaged(level);
            }
            return;
        };
        seen = true;
        let size = given_size.take().unwrap_or(size);
        let start = at + BLOCK;
        let end = usize::try_from(size).ok().and_then(|size| start.checked_add(size));
        let Some(content) = end.and_then(|end| octets.get(start..end)) else {
            let rest = octets.get(start..).unwrap_or_default();
            let cut = Some(Finding::Unsupported(Unsupported::Damaged));
            walk.member_of_octets(level, &[name(header)], "stored", rest, cut);
            return;
        };
        at = start + content.len().next_multiple_of(BLOCK);
        let mut names = std::mem::take(&mut given);
        match header.get(156).copied().unwrap_or_default() {
            b'L' => {
                given = names;
                given.push(text(content));
            }
            b'x' | b'X' => {
                let (own, size) = pax(content);
                // What was given before this one is given still.
                given = [names, own].concat();
                given_size = size;
                if memchr::memmem::find(content, b" GNU.sparse.").is_some() {
                    // What is read of it is not in the order, or not all, of the file.
                    walk.note(Finding::Unsupported(Unsupported::Method), &level.part);
                }
            }
            b'g' => global = pax(content).0,
            b'K' => {}
            b'5' if content.is_empty() => {}
            kind => {
                if kind == b'S' {
                    walk.note(Finding::Unsupported(Unsupported::Method), &level.part);
                }
                names.extend(global.iter().cloned());
                names.push(name(header));
                let target = text(header.get(157..257).unwrap_or_default());
                let leads_out = matches!(kind, b'1' | b'2') && is_unsafe(&target);
                if leads_out || names.iter().any(|name| is_unsafe(name)) {
                    walk.note(Finding::Ambiguous(Technique::UnsafeName), &level.part);
                }
                if !content.is_empty() || matches!(kind, 0 | b'0' | b'7') {
                    walk.member_of_octets(level, &names, "stored", content, None);
                }
            }
        }
    }
}

fn has_checksum(header: &[u8; BLOCK]) -> bool {
    let sum = |octets: &[u8]| octets.iter().map(|octet| u64::from(*octet)).sum::<u64>();
    let field = sum(header.get(148..156).unwrap_or_default());
    number(header, 148, 8) == Some(sum(header) - field + 8 * u64::from(b' '))
}

/// A number in octal, or in the way of GNU for large ones.
fn number(header: &[u8; BLOCK], at: usize, length: usize) -> Option<u64> {
    let field = header.get(at..at + length)?;
    if field.first()? & 0x80 != 0 {
        let low = field.last_chunk::<8>()?;
        return Some(u64::from_be_bytes(*low));
    }
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches(['\0', ' ']);
    let digits = digits.split(['\0', ' ']).next()?;
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, 8).ok() }
}

fn text(field: &[u8]) -> String {
    let end = memchr::memchr(0, field).unwrap_or(field.len());
    String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned()
}

fn name(header: &[u8; BLOCK]) -> String {
    let name = text(header.get(..100).unwrap_or_default());
    let is_posix = header.get(257..263) == Some(b"ustar\0");
    let prefix = text(header.get(345..500).unwrap_or_default());
    if is_posix && !prefix.is_empty() { format!("{prefix}/{name}") } else { name }
}

/// The name and the length that an extended header gives.
fn pax(content: &[u8]) -> (Vec<String>, Option<u64>) {
    let (mut names, mut size) = (Vec::new(), None);
    for line in content.split(|octet| *octet == b'\n') {
        let line = String::from_utf8_lossy(line);
        let Some((_, pair)) = line.split_once(' ') else { continue };
        match pair.split_once('=') {
            Some(("path" | "GNU.sparse.name", value)) => names.push(value.to_owned()),
            Some(("size", value)) => size = value.parse().ok(),
            _ => {}
        }
    }
    (names, size)
}
