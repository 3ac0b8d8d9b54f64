//! `OpenPGP` messages, RFC 9580, in a text or as octets: what needs no key is taken out, what needs one is recognised.

use std::io::Read;

use crate::content::container::place::Level;
use crate::content::container::{Unpacked, Walk};
use crate::content::finding::{Finding, Limit, Unsupported};
use crate::wire::mime::base64::Base64Decoder;

/// Begin an armor that may hold a message: `GnuPG` knows the second as well, and the first may say which piece it is.
pub(in crate::content) const BEGINS: [&[u8]; 2] = [b"-----BEGIN PGP MESSAGE", b"-----BEGIN PGP ARMORED FILE"];

/// Reads every message of a text, or the one that the octets are.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    if begins_message(octets) {
        packets(walk, level, octets, 0);
        return;
    }
    for at in BEGINS.iter().flat_map(|begin| memchr::memmem::find_iter(octets, begin)) {
        let armored = from_armor(octets.get(at..).unwrap_or_default());
        // Words about such a message have none.
        if armored.first().is_some_and(|first| first & 0x80 != 0) {
            packets(walk, level, &armored, 0);
        }
    }
}

/// The octets between fields and checksum of an armor.
fn from_armor(armor: &[u8]) -> Vec<u8> {
    let lines = armor.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii);
    let content = lines.skip(1).skip_while(|line| line.contains(&b':')).skip_while(|line| line.is_empty());
    let (mut decoder, mut out) = (Base64Decoder::default(), Vec::new());
    for line in content.take_while(|line| !line.starts_with(b"-----") && !line.starts_with(b"=")) {
        decoder.decode(line, &mut out);
    }
    decoder.finish(&mut out);
    out
}

/// Compressed packets within each other that are opened.
const MAX_DEPTH: usize = 8;

const PUBLIC_KEY_SESSION: u8 = 1;
const SIGNATURE: u8 = 2;
const SYMMETRIC_KEY_SESSION: u8 = 3;
const ONE_PASS_SIGNATURE: u8 = 4;
const COMPRESSED: u8 = 8;
const ENCRYPTED: u8 = 9;
const MARKER: u8 = 10;
const LITERAL: u8 = 11;
const ENCRYPTED_WITH_INTEGRITY: u8 = 18;
const AEAD_ENCRYPTED: u8 = 20;
const PADDING: u8 = 21;

fn packets(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8], depth: usize) {
    let mut rest = octets;
    while let Some((tag, body, behind)) = packet(rest) {
        rest = behind;
        match tag {
            PUBLIC_KEY_SESSION
            | SYMMETRIC_KEY_SESSION
            | ENCRYPTED
            | ENCRYPTED_WITH_INTEGRITY
            | AEAD_ENCRYPTED => return walk.note(Finding::Encrypted, &level.part),
            SIGNATURE | ONE_PASS_SIGNATURE | MARKER | PADDING => {}
            COMPRESSED if depth == MAX_DEPTH => {
                return walk.note(Finding::LimitExceeded(Limit::Depth), &level.part);
            }
            COMPRESSED => {
                let Some(unpacked) = inflate(walk, level, &body) else {
                    return walk.note(Finding::Unsupported(Unsupported::Method), &level.part);
                };
                if let Some(cut) = unpacked.cut {
                    walk.note(cut, &level.part);
                }
                packets(walk, level, &unpacked.octets, depth + 1);
            }
            LITERAL => {
                let Some((name, content)) = literal(&body) else { return walk.damaged(level) };
                let unpacked = walk.unpack(&mut &*content, body.len() as u64, &level.part);
                walk.member(level, &name, "pgp", &unpacked);
            }
            _ => return walk.note(Finding::Unsupported(Unsupported::Kind), &level.part),
        }
    }
}

/// Name and content of literal data, §5.9.
fn literal(body: &[u8]) -> Option<(Vec<String>, &[u8])> {
    let length = usize::from(*body.get(1)?);
    let (name, content) = body.get(2..)?.split_at_checked(length)?;
    let name = Some(String::from_utf8_lossy(name).into_owned()).filter(|name| !name.is_empty());
    Some((name.into_iter().collect(), content.get(4..)?))
}

fn inflate(walk: &mut Walk<'_>, level: &Level, body: &[u8]) -> Option<Unpacked> {
    let (method, content) = body.split_first()?;
    let packed = body.len() as u64;
    Some(match method {
        0 => walk.unpack(&mut &*content, packed, &level.part),
        1 => walk.unpack(&mut flate2::bufread::DeflateDecoder::new(content), packed, &level.part),
        2 => walk.unpack(&mut flate2::bufread::ZlibDecoder::new(content), packed, &level.part),
        3 => walk.unpack(&mut bzip2::bufread::BzDecoder::new(content), packed, &level.part),
        _ => return None,
    })
}

/// The first packet: its tag, its body, and what is behind it (§4.2). What is cut is read as far as it goes.
fn packet(octets: &[u8]) -> Option<(u8, Vec<u8>, &[u8])> {
    let (first, rest) = octets.split_first()?;
    if first & 0xc0 == 0xc0 {
        let (mut body, mut rest) = (Vec::new(), rest);
        loop {
            let (length, is_partial, behind) = new_length(rest)?;
            let (piece, behind) = behind.split_at_checked(length.min(behind.len()))?;
            body.extend_from_slice(piece);
            rest = behind;
            if !is_partial || rest.is_empty() {
                return Some((first & 0x3f, body, rest));
            }
        }
    }
    if first & 0x80 == 0 {
        return None;
    }
    let tag = (first >> 2) & 0x0f;
    let octets_of_length = match first & 3 {
        0 => 1,
        1 => 2,
        2 => 4,
        // To the end.
        _ => return Some((tag, rest.to_vec(), &[])),
    };
    let (length, rest) = rest.split_at_checked(octets_of_length)?;
    let length = length.iter().fold(0_usize, |sum, octet| sum << 8 | usize::from(*octet));
    let (body, behind) = rest.split_at_checked(length.min(rest.len()))?;
    Some((tag, body.to_vec(), behind))
}

/// A length of the newer form, whether more of the body follows, and what is behind.
fn new_length(octets: &[u8]) -> Option<(usize, bool, &[u8])> {
    match octets {
        [short @ ..=191, rest @ ..] => Some((usize::from(*short), false, rest)),
        [high @ 192..=223, low, rest @ ..] => {
            Some((((usize::from(*high) - 192) << 8) + usize::from(*low) + 192, false, rest))
        }
        [255, a, b, c, d, rest @ ..] => Some((u32::from_be_bytes([*a, *b, *c, *d]) as usize, false, rest)),
        [power @ 224..=254, rest @ ..] => Some((1 << (power & 0x1f), true, rest)),
        _ => None,
    }
}

/// Whether octets begin such a message: a packet that begins one, and in it and behind it what stands there. Octets of any
/// other kind must not seem to by chance.
pub(crate) fn begins_message(octets: &[u8]) -> bool {
    begins(octets, 0)
}

fn begins(octets: &[u8], depth: usize) -> bool {
    let head = octets.get(..octets.len().min(LOOKED_AT)).unwrap_or_default();
    let Some((tag, body, behind)) = packet(head) else { return false };
    let goes_on = |tags: &[u8]| packet(behind).is_some_and(|(tag, ..)| tags.contains(&tag));
    let encrypted =
        [PUBLIC_KEY_SESSION, SYMMETRIC_KEY_SESSION, ENCRYPTED, ENCRYPTED_WITH_INTEGRITY, AEAD_ENCRYPTED];
    match (tag, body.as_slice()) {
        // Everybody passes over it, RFC 9580 §5.8.
        (MARKER, b"PGP") => depth < MAX_DEPTH && begins(behind, depth + 1),
        (COMPRESSED, [method @ 1..=3, content @ ..]) => begins_compressed(*method, content, depth),
        (LITERAL, [b'b' | b't' | b'u', ..]) => {
            let named = body.get(2..2 + usize::from(body.get(1).copied().unwrap_or(u8::MAX)));
            named.is_some_and(|name| name.iter().all(|octet| !octet.is_ascii_control() && *octet != 0xff))
                && literal(&body).is_some_and(|(name, _)| name.iter().all(|name| !name.contains('\u{fffd}')))
        }
        (ONE_PASS_SIGNATURE, [3, 0 | 1, ..]) => {
            body.len() == 13 && goes_on(&[ONE_PASS_SIGNATURE, COMPRESSED, LITERAL])
        }
        (PUBLIC_KEY_SESSION, [3 | 6, ..]) => (30..1100).contains(&body.len()) && goes_on(&encrypted),
        (SYMMETRIC_KEY_SESSION, [4..=6, ..]) => (4..100).contains(&body.len()) && goes_on(&encrypted),
        _ => false,
    }
}

/// Octets that are enough to tell.
const LOOKED_AT: usize = 1024;

fn begins_compressed(method: u8, content: &[u8], depth: usize) -> bool {
    let mut first = Vec::new();
    let read = match method {
        _ if depth == MAX_DEPTH => return false,
        1 => flate2::bufread::DeflateDecoder::new(content).take(FIRST).read_to_end(&mut first),
        2 => flate2::bufread::ZlibDecoder::new(content).take(FIRST).read_to_end(&mut first),
        // Blocks are longer than what is looked at.
        _ => return content.starts_with(b"BZh"),
    };
    // What is cut here ends in an error, behind what tells.
    let _ = read;
    begins(&first, depth + 1)
}

/// Octets of what is compressed that are looked at.
const FIRST: u64 = 300;
