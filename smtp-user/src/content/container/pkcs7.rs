//! Cryptographic Message Syntax, RFC 5652: signed content is taken out, encrypted content is recognised.

use crate::content::container::place::Level;
use crate::content::container::{Unpacked, Walk};
use crate::content::finding::{Finding, Trait, Unsupported};
use crate::wire::mime::base64::Base64Decoder;

/// Reads it.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    let decoded;
    let octets = match octets.trim_ascii_start() {
        text if text.starts_with(b"-----") => {
            decoded = from_text(octets);
            &decoded
        }
        text if text.starts_with(b"M") => {
            decoded = from_base64(text);
            &decoded
        }
        _ => octets,
    };
    let part = level.part.clone();
    let Some((SEQUENCE, content, _)) = element(octets, 0) else { return walk.damaged(level) };
    let kind = match element(content, 0) {
        Some((OBJECT, kind, rest)) => (kind, rest),
        // A store of keys has a number here.
        Some((INTEGER, ..)) => return,
        _ => return walk.damaged(level),
    };
    match kind {
        (SIGNED, rest) => match signed(rest) {
            Some(Inner::Here(content)) => {
                walk.has(Trait::Signed, &part);
                let unpacked = walk.unpack(&mut content.as_slice(), octets.len() as u64, &part);
                if begins_entity(&unpacked.octets) {
                    level.media_type = Some("message/rfc822".to_owned());
                }
                walk.member(level, &[], "signed", &unpacked);
            }
            Some(Inner::Elsewhere) => walk.has(Trait::Signed, &part),
            None => walk.damaged(level),
        },
        (DATA, rest) => match explicit(rest).and_then(|inner| octet_string(inner, 0)) {
            Some(content) => walk.member(level, &[], "data", &Unpacked { octets: content, cut: None }),
            None => walk.damaged(level),
        },
        (ENVELOPED | ENCRYPTED | AUTH_ENVELOPED, _) => walk.note(Finding::Encrypted, &part),
        (COMPRESSED, rest) => match compressed(rest) {
            Some(content) => {
                let mut decoder = flate2::bufread::ZlibDecoder::new(content.as_slice());
                let unpacked = walk.unpack(&mut decoder, content.len() as u64, &part);
                if begins_entity(&unpacked.octets) {
                    level.media_type = Some("message/rfc822".to_owned());
                }
                walk.member(level, &[], "zlib", &unpacked);
            }
            None => walk.damaged(level),
        },
        _ => walk.note(Finding::Unsupported(Unsupported::Kind), &part),
    }
}

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OBJECT: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// The explicit tag 0.
const EXPLICIT: u8 = 0xa0;

const DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
const SIGNED: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
const ENVELOPED: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03";
const ENCRYPTED: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x06";
const COMPRESSED: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09";
const AUTH_ENVELOPED: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17";

/// Elements of no stated length within each other.
const MAX_DEPTH: usize = 16;

/// An element of BER: its tag, its content, and what is behind it.
fn element(octets: &[u8], depth: usize) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = octets.split_first()?;
    // Tags of several octets are none that this syntax has.
    if tag & 0x1f == 0x1f || depth > MAX_DEPTH {
        return None;
    }
    let (first, rest) = rest.split_first()?;
    if *first == 0x80 {
        let mut at = 0;
        loop {
            let inner = rest.get(at..)?;
            if inner.starts_with(&[0, 0]) {
                return Some((*tag, rest.get(..at)?, rest.get(at + 2..)?));
            }
            let (_, _, behind) = element(inner, depth + 1)?;
            at = rest.len() - behind.len();
        }
    }
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let length = length
            .iter()
            .try_fold(0_usize, |sum, octet| sum.checked_mul(256).map(|sum| sum + usize::from(*octet)))?;
        (length, rest)
    };
    // What is cut is read as far as it goes.
    let (content, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
    Some((*tag, content, behind))
}

fn explicit(octets: &[u8]) -> Option<&[u8]> {
    element(octets, 0).filter(|(tag, ..)| *tag == EXPLICIT).map(|(_, content, _)| content)
}

/// An octet string, in one piece or in several.
fn octet_string(octets: &[u8], depth: usize) -> Option<Vec<u8>> {
    let (tag, content, _) = element(octets, depth)?;
    if tag == OCTETS {
        return Some(content.to_vec());
    }
    if tag != OCTETS | 0x20 || depth > MAX_DEPTH {
        return None;
    }
    let (mut all, mut rest) = (Vec::new(), content);
    while !rest.is_empty() {
        all.extend(octet_string(rest, depth + 1)?);
        (_, _, rest) = element(rest, depth + 1)?;
    }
    Some(all)
}

/// Content that is within, or only spoken of.
enum Inner {
    Here(Vec<u8>),
    Elsewhere,
}

/// The content that is signed.
fn signed(rest: &[u8]) -> Option<Inner> {
    let (SEQUENCE, data, _) = element(explicit(rest)?, 0)? else { return None };
    let (INTEGER, _, data) = element(data, 0)? else { return None };
    let (SET, _, data) = element(data, 0)? else { return None };
    encapsulated(data)
}

/// The content that is compressed.
fn compressed(rest: &[u8]) -> Option<Vec<u8>> {
    let (SEQUENCE, data, _) = element(explicit(rest)?, 0)? else { return None };
    let (INTEGER, _, data) = element(data, 0)? else { return None };
    let (SEQUENCE, _, data) = element(data, 0)? else { return None };
    match encapsulated(data)? {
        Inner::Here(content) => Some(content),
        Inner::Elsewhere => None,
    }
}

fn encapsulated(data: &[u8]) -> Option<Inner> {
    let (SEQUENCE, info, _) = element(data, 0)? else { return None };
    let (OBJECT, _, info) = element(info, 0)? else { return None };
    if info.is_empty() {
        return Some(Inner::Elsewhere);
    }
    octet_string(explicit(info)?, 0).map(Inner::Here)
}

/// Octets of a header section that are looked at.
const MAX_HEADER: usize = 64 << 10;

/// Whether content is an entity (RFC 8551 §3.1): whatever fields it begins with, one of them is of MIME.
fn begins_entity(octets: &[u8]) -> bool {
    let head = octets.get(..octets.len().min(MAX_HEADER)).unwrap_or_default();
    let mut lines = head.split(|octet| *octet == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let is_name = |line: &[u8]| {
        let colon = memchr::memchr(b':', line).filter(|colon| *colon > 0);
        let name = colon.and_then(|colon| line.get(..colon));
        name.is_some_and(|name| name.iter().all(u8::is_ascii_graphic))
    };
    let is_mime = |line: &[u8]| {
        line.get(..MIME_FIELD.len()).is_some_and(|start| start.eq_ignore_ascii_case(MIME_FIELD))
    };
    let Some(first) = lines.next().filter(|line| is_name(line)) else { return false };
    is_mime(first) || lines.take_while(|line| !line.is_empty()).any(is_mime)
}

const MIME_FIELD: &[u8] = b"content-";

/// Whether a text is it in base64, without lines that say so, as signing programs write files.
pub(crate) fn is_base64(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    text.starts_with(b"M")
        && text.get(..TELLING).is_some_and(|start| crate::content::detect::begins_cms(&from_base64(start)))
}

/// Digits of base64 that are enough to tell.
const TELLING: usize = 44;

fn from_base64(text: &[u8]) -> Vec<u8> {
    let (mut decoder, mut out) = (Base64Decoder::default(), Vec::new());
    decoder.decode(text, &mut out);
    decoder.finish(&mut out);
    out
}

/// The octets between the lines that begin and end them.
fn from_text(octets: &[u8]) -> Vec<u8> {
    let (mut decoder, mut out) = (Base64Decoder::default(), Vec::new());
    for line in octets.split(|octet| *octet == b'\n').skip(1).take_while(|line| !line.starts_with(b"-----")) {
        decoder.decode(line, &mut out);
    }
    decoder.finish(&mut out);
    out
}
