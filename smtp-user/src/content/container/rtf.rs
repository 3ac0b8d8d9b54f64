//! Rich Text Format: objects that are embedded in a text as hexadecimal digits.

use crate::content::container::place::Level;
use crate::content::container::{Walk, ole};
use crate::content::finding::Trait;

const OBJECT: &[u8] = b"\\objdata";

/// Reads all objects.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    if memchr::memmem::find(octets, b"\\objupdate").is_some() {
        walk.has(Trait::ObjectUpdate, &level.part);
    }
    for at in memchr::memmem::find_iter(octets, OBJECT) {
        if !walk.may_go_on(&level.part) {
            return;
        }
        walk.has(Trait::EmbeddedObject, &level.part);
        let rest = octets.get(at + OBJECT.len()..).unwrap_or_default();
        object(walk, level, &digits(rest));
        // Digits right behind a control word are its number, and whoever knows that reads on behind them.
        if let Some(rest) = behind_number(rest) {
            object(walk, level, &digits(rest));
        }
    }
}

/// Tells of an object, or of what a reader opens in it.
fn object(walk: &mut Walk<'_>, level: &mut Level, data: &[u8]) {
    let unpacked = walk.unpack(&mut &*data, data.len() as u64, &level.part);
    if is_equation(&unpacked.octets) {
        walk.has(Trait::EquationEditor, &level.part);
    }
    // A header of OLE 1 stands before what a reader opens.
    if let Some(inner) = memchr::memmem::find(&unpacked.octets, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        let inner = unpacked.octets.get(inner..).unwrap_or_default();
        walk.member_of_octets(level, &[], "hexadecimal", inner, unpacked.cut);
    } else if let Some(package) = package(&unpacked.octets) {
        let cut = unpacked.cut.or(package.cut);
        walk.member_of_octets(level, &package.names, "hexadecimal", package.content, cut);
    } else {
        walk.member(level, &[], "hexadecimal", &unpacked);
    }
}

/// What stands behind the number of a control word; `None` without a number.
fn behind_number(octets: &[u8]) -> Option<&[u8]> {
    let digits = octets.strip_prefix(b"-").unwrap_or(octets);
    let count = digits.iter().take_while(|octet| octet.is_ascii_digit()).count();
    digits.get(count..).filter(|_| count > 0)
}

/// Whether an object is for the equation editor, by its class in a header of OLE 1.
fn is_equation(octets: &[u8]) -> bool {
    let head = octets.get(..octets.len().min(64)).unwrap_or_default().to_ascii_lowercase();
    memchr::memmem::find(&head, b"equation.").is_some()
}

/// A file in a package of OLE 1. Classes have no capitals.
fn package(octets: &[u8]) -> Option<ole::Package<'_>> {
    let head = octets.get(..64.min(octets.len()))?.to_ascii_lowercase();
    let at = memchr::memmem::find(&head, b"package\0")?;
    // Two empty names and a length stand before the package itself.
    ole::package(octets.get(at + 8 + 8 + 4..)?)
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The digits of an object, whatever a writer put between them to hide them.
fn digits(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut high, mut depth) = (None, 0_usize);
    let mut rest = octets;
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        match octet {
            b'{' => depth += 1,
            b'}' if depth == 0 => break,
            b'}' => depth -= 1,
            b'\\' => {
                let length =
                    rest.iter().take_while(|octet| octet.is_ascii_alphanumeric() || **octet == b'-').count();
                let word = rest.get(..length).unwrap_or_default();
                rest = rest.get(length.max(1)..).unwrap_or_default();
                // So many octets as they are.
                if let Some(count) = word.strip_prefix(b"bin").and_then(number) {
                    rest = rest.strip_prefix(b" ").unwrap_or(rest);
                    let (plain, behind) = rest.split_at_checked(count.min(rest.len())).unwrap_or_default();
                    out.extend_from_slice(plain);
                    rest = behind;
                }
            }
            _ => {
                let Some(digit) = char::from(octet).to_digit(16) else { continue };
                match high.take() {
                    None => high = Some(digit),
                    Some(high) => out.push((high << 4 | digit) as u8),
                }
            }
        }
    }
    out
}
