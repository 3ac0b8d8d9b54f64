//! Files within pages, scripts, pictures and calendars: addresses that hold a file (RFC 2397), attachments of calendars and
//! cards (RFC 5545, RFC 2426), and strings of a script that are base64.

use crate::content::container::place::Level;
use crate::content::container::{Unpacked, Walk, character_references};
use crate::content::detect::detect;
use crate::content::kind::Kind;
use crate::wire::hex_escape;
use crate::wire::mime::base64::Base64Decoder;

/// Whether such texts are looked into.
pub(super) const fn is_read_in(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Text
            | Kind::Html
            | Kind::Svg
            | Kind::Xml
            | Kind::Hta
            | Kind::Wsf
            | Kind::Script
            | Kind::Batch
            | Kind::Url
    )
}

/// Whether there may be anything.
pub(super) fn may_be_in(octets: &[u8]) -> bool {
    let lower = octets.to_ascii_lowercase();
    let is_wide = octets.starts_with(b"\xff\xfe") || octets.starts_with(b"\xfe\xff");
    is_wide || has_calendar(octets) || MARKS.iter().any(|mark| memchr::memmem::find(&lower, mark).is_some())
}

/// Words without which nothing is in a text, in lower case.
const MARKS: [&[u8]; 9] = [
    b"data:",
    b"atob(",
    b"<script",
    b";base64,",
    b"&colon;",
    b"&#",
    b"binarydata",
    b"bindata",
    b"binary-data",
];

/// Octets of a string of a script that may be a file.
const MIN_STRING: usize = 40;

/// Reads all of them.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    if octets.starts_with(b"\xff\xfe") || octets.starts_with(b"\xfe\xff") {
        let narrow: Vec<u8> = octets.iter().copied().skip(2).filter(|octet| *octet != 0).collect();
        return read(walk, level, &narrow);
    }
    if has_calendar(octets) {
        calendar(walk, level, octets);
    }
    addresses(walk, level, octets);
    if let Some(shown) = character_references::shown(octets) {
        addresses(walk, level, &shown);
    }
    strings(walk, level, octets);
    elements(walk, level, octets);
}

/// Octets in which a calendar or a card begins at the latest.
const MAX_LEAD: usize = 2048;

/// Whether a calendar or a card begins in it.
fn has_calendar(octets: &[u8]) -> bool {
    let text = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
    let lines = unfolded(text.get(..text.len().min(MAX_LEAD)).unwrap_or_default());
    lines.iter().any(|line| line.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"BEGIN:VC")))
}

/// Lines, whatever they end in. One that begins with a blank goes on with the one before.
fn unfolded(octets: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in octets.split(|octet| matches!(octet, b'\r' | b'\n')).filter(|line| !line.is_empty()) {
        match (line, lines.last_mut()) {
            ([b' ' | b'\t', rest @ ..], Some(last)) => last.extend_from_slice(rest),
            _ => lines.push(line.trim_ascii_start().to_vec()),
        }
    }
    lines
}

/// Properties whose value is base64.
fn calendar(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    for line in unfolded(octets) {
        let Some(colon) = value_at(&line) else { continue };
        let (head, value) = line.split_at_checked(colon).unwrap_or_default();
        let mut parameters = head.to_ascii_lowercase();
        parameters.retain(|octet| *octet != b'"');
        let is_base64 = [b"encoding=b".as_slice(), b";base64", b"value=binary"]
            .iter()
            .any(|mark| memchr::memmem::find(&parameters, mark).is_some());
        if !walk.may_go_on(&level.part) {
            return;
        }
        if is_base64 {
            tell(walk, level, &named(head), "base64", &decoded(value));
        } else if line.len() > MIN_STRING {
            // A value that goes on in the next line is no address to whoever does not know that.
            addresses(walk, level, &line);
        }
    }
}

/// Where the value of a property begins: behind the first colon that is in no quotes.
fn value_at(line: &[u8]) -> Option<usize> {
    let mut is_quoted = false;
    line.iter().position(|octet| {
        is_quoted ^= *octet == b'"';
        *octet == b':' && !is_quoted
    })
}

/// The name that a parameter gives.
fn named(head: &[u8]) -> Vec<String> {
    let parameters = String::from_utf8_lossy(head);
    let value = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    value
        .filter(|(name, _)| name.to_ascii_lowercase().ends_with("name"))
        .map(|(_, value)| value.trim_matches('"').to_owned())
        .collect()
}

/// Addresses that hold a file, to the end of the quotes or brackets in which they stand.
fn addresses(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    let lower = octets.to_ascii_lowercase();
    let mut past = 0;
    for at in memchr::memmem::find_iter(&lower, b"data:") {
        if at < past {
            continue;
        }
        if !walk.may_go_on(&level.part) {
            return;
        }
        let rest = octets.get(at + b"data:".len()..).unwrap_or_default();
        let end = rest.iter().position(|octet| matches!(octet, b'"' | b'\'' | b'<' | b'>' | b')' | b'`'));
        let address = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let Some(comma) =
            memchr::memchr(b',', address.get(..address.len().min(MAX_TYPE)).unwrap_or_default())
        else {
            continue;
        };
        past = at + b"data:".len() + address.len();
        let (declared, content) = address.split_at_checked(comma).unwrap_or_default();
        let content = hex_escape::decode(b'%', content.get(1..).unwrap_or_default());
        let is_base64 = declared.trim_ascii().to_ascii_lowercase().ends_with(b"base64");
        let (encoding, content) =
            if is_base64 { ("base64", decoded(&content)) } else { ("address", content) };
        level.media_type =
            Some(String::from_utf8_lossy(declared).split(';').next().unwrap_or_default().to_lowercase());
        tell(walk, level, &[], encoding, &content);
    }
}

/// Octets of type and parameters of an address at most.
const MAX_TYPE: usize = 4096;

/// Strings in quotes that are nothing but base64.
fn strings(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    let mut rest = octets;
    while let Some(at) = rest.iter().position(|octet| matches!(octet, b'"' | b'\'' | b'`')) {
        let (quote, behind) = (rest.get(at).copied(), rest.get(at + 1..).unwrap_or_default());
        let length = behind.iter().take_while(|octet| is_base64(**octet)).count();
        rest = behind.get(length..).unwrap_or_default();
        let is_string = length >= MIN_STRING && rest.first().copied() == quote;
        if !is_string {
            continue;
        }
        rest = rest.get(1..).unwrap_or_default();
        if !walk.may_go_on(&level.part) {
            return;
        }
        let content = decoded(behind.get(..length).unwrap_or_default());
        if is_telling(&content) {
            tell(walk, level, &[], "base64", &content);
        }
    }
}

/// What is in the names of such elements: `pkg:binaryData`, `w:binData`, `office:binary-data`.
const HOLDERS: [&[u8]; 3] = [b"binarydata", b"bindata", b"binary-data"];

/// Elements that hold nothing but base64, as documents have them that are one text: Word, Excel and `OpenDocument`.
fn elements(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    let lower = octets.to_ascii_lowercase();
    if !HOLDERS.iter().any(|name| memchr::memmem::find(&lower, name).is_some()) {
        return;
    }
    let mut rest = octets;
    while let Some(at) = memchr::memchr(b'>', rest) {
        let behind = rest.get(at + 1..).unwrap_or_default();
        let is_digit = |octet: &&u8| is_base64(**octet) || matches!(octet, b' ' | b'\t');
        let length = behind.iter().take_while(is_digit).count();
        rest = behind.get(length..).unwrap_or_default();
        let text = behind.get(..length).unwrap_or_default();
        if rest.first() != Some(&b'<') || text.trim_ascii().len() < MIN_STRING {
            continue;
        }
        if !walk.may_go_on(&level.part) {
            return;
        }
        let content = decoded(text);
        if is_telling(&content) {
            tell(walk, level, &[], "base64", &content);
        }
    }
}

const fn is_base64(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=' | b'\r' | b'\n')
}

/// Most strings are no files: only those of which something is known are. What two octets would tell is chance.
fn is_telling(content: &[u8]) -> bool {
    detect(content).first().is_some_and(|kind| !matches!(kind, Kind::Data | Kind::Empty | Kind::Compress))
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let (mut decoder, mut out) = (Base64Decoder::default(), Vec::new());
    decoder.decode(text, &mut out);
    decoder.finish(&mut out);
    out
}

fn tell(walk: &mut Walk<'_>, level: &mut Level, names: &[String], encoding: &str, content: &[u8]) {
    if content.is_empty() {
        level.media_type = None;
        return;
    }
    let packed = content.len() as u64;
    let unpacked = walk.unpack(&mut &*content, packed, &level.part);
    let Unpacked { octets, cut } = unpacked;
    walk.member_of_octets(level, names, encoding, &octets, cut);
}
