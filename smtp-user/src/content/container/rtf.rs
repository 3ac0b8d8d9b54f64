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
        let data = digits(octets.get(at + OBJECT.len()..).unwrap_or_default());
        walk.has(Trait::EmbeddedObject, &level.part);
        let unpacked = walk.unpack(&mut data.as_slice(), data.len() as u64, &level.part);
        if is_equation(&unpacked.octets) {
            walk.has(Trait::EquationEditor, &level.part);
        }
        // A header of OLE 1 stands before what a reader opens.
        if let Some(inner) = memchr::memmem::find(&unpacked.octets, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
            let inner = unpacked.octets.get(inner..).unwrap_or_default();
            walk.member_of_octets(level, &[], "hexadecimal", inner, unpacked.cut);
        } else if let Some((name, content)) = package(&unpacked.octets) {
            walk.member_of_octets(level, &[name], "hexadecimal", content, unpacked.cut);
        } else {
            walk.member(level, &[], "hexadecimal", &unpacked);
        }
    }
}

/// Whether an object is for the equation editor, by its class in a header of OLE 1.
fn is_equation(octets: &[u8]) -> bool {
    let head = octets.get(..octets.len().min(64)).unwrap_or_default().to_ascii_lowercase();
    memchr::memmem::find(&head, b"equation.").is_some()
}

/// A file in a package of OLE 1.
fn package(octets: &[u8]) -> Option<(String, &[u8])> {
    let at = memchr::memmem::find(octets.get(..64.min(octets.len()))?, b"Package\0")?;
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
