//! `OpenPGP` messages in a text, RFC 9580 §6: whether they are encrypted.

use crate::content::container::Walk;
use crate::content::container::place::Level;
use crate::content::finding::{Finding, Unsupported};
use crate::wire::mime::base64::Base64Decoder;

const BEGIN: &[u8] = b"-----BEGIN PGP MESSAGE-----";

/// Looks at every message of a text.
pub(super) fn read(walk: &mut Walk<'_>, level: &Level, octets: &[u8]) {
    for at in memchr::memmem::find_iter(octets, BEGIN) {
        let armor = octets.get(at + BEGIN.len()..).unwrap_or_default();
        match first_packet(armor) {
            // Session keys, and encrypted data with and without integrity.
            Some(1 | 3 | 9 | 18 | 20) => walk.note(Finding::Encrypted, &level.part),
            // Signed, compressed or literal: readable to whoever has the program for it.
            Some(2 | 4 | 8 | 11) => walk.note(Finding::Unsupported(Unsupported::Kind), &level.part),
            // Words about such a message.
            _ => {}
        }
    }
}

/// Octets of armor that are decoded.
const LOOKED_AT: usize = 2048;

/// The tag of the first packet.
fn first_packet(armor: &[u8]) -> Option<u8> {
    let armor = armor.get(..armor.len().min(LOOKED_AT))?;
    let lines = armor.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii);
    // Fields, an empty line, the octets.
    let mut content =
        lines.skip(1).skip_while(|line| line.contains(&b':')).skip_while(|line| line.is_empty());
    let (mut decoder, mut out) = (Base64Decoder::default(), Vec::new());
    decoder.decode(content.next()?, &mut out);
    let first = *out.first()?;
    match first & 0xc0 {
        0xc0 => Some(first & 0x3f),
        0x80 => Some((first >> 2) & 0x0f),
        _ => None,
    }
}
