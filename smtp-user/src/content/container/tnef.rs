//! Microsoft's `winmail.dat`, MS-OXTNEF: attachments and bodies.

use crate::content::container::Walk;
use crate::content::container::place::Level;
use crate::content::finding::{Finding, Unsupported};

/// Attributes that matter here.
const ATTACH_TITLE: u32 = 0x0001_8010;
const ATTACH_DATA: u32 = 0x0006_800f;
const ATTACH_BEGIN: u32 = 0x0006_9002;
const ATTACH_PROPERTIES: u32 = 0x0006_9005;
const MESSAGE_PROPERTIES: u32 = 0x0006_9003;
const BODY: u32 = 0x0002_800c;

/// An attachment under way.
#[derive(Default)]
struct Attachment<'o> {
    names: Vec<String>,
    data: Vec<&'o [u8]>,
}

/// Reads all of it.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    let mut rest = octets.get(6..).unwrap_or_default();
    let mut open = Attachment::default();
    while !rest.is_empty() {
        let Some((id, data, behind)) = attribute(rest) else {
            close(walk, level, std::mem::take(&mut open));
            // Line ends that transport added are none.
            if rest.iter().any(|octet| !octet.is_ascii_whitespace() && *octet != 0) {
                walk.note(Finding::Unsupported(Unsupported::Damaged), &level.part);
            }
            return;
        };
        rest = behind;
        match id {
            ATTACH_BEGIN => close(walk, level, std::mem::take(&mut open)),
            ATTACH_TITLE => open.names.push(text(data)),
            ATTACH_DATA => open.data.push(data),
            ATTACH_PROPERTIES => properties(data, &mut open),
            MESSAGE_PROPERTIES | BODY => {
                walk.member_of_octets(level, &[], "stored", data, None);
            }
            _ => {}
        }
    }
    close(walk, level, open);
}

fn close(walk: &mut Walk<'_>, level: &mut Level, attachment: Attachment<'_>) {
    for data in attachment.data {
        walk.member_of_octets(level, &attachment.names, "stored", data, None);
    }
}

/// Number, content, and what is behind.
fn attribute(octets: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let (header, rest) = octets.split_at_checked(9)?;
    let [_, id @ .., a, b, c, d] = header else { return None };
    let id = u32::from_le_bytes(id.try_into().ok()?);
    let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
    let data = rest.get(..length)?;
    Some((id, data, rest.get(length.checked_add(2)?..)?))
}

fn text(data: &[u8]) -> String {
    let end = memchr::memchr(0, data).unwrap_or(data.len());
    String::from_utf8_lossy(data.get(..end).unwrap_or_default()).into_owned()
}

/// Names and content among the properties of an attachment. They are looked for and not parsed: content is
/// told by how it begins, and a name by the number of its property.
fn properties<'o>(data: &'o [u8], open: &mut Attachment<'o>) {
    // The long name, in Unicode or not: type 0x1f or 0x1e, property 0x3707, one value, its length, its octets.
    if let Some(name) = value(data, *b"\x1f\x00\x07\x37") {
        let units: Vec<u16> = name.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
        let name = String::from_utf16_lossy(&units);
        open.names.insert(0, name.trim_end_matches('\0').to_owned());
    }
    if let Some(name) = value(data, *b"\x1e\x00\x07\x37") {
        open.names.insert(0, text(name));
    }
    // The octets of the file: some readers take these, and not the attribute.
    open.data.extend(value(data, *b"\x02\x01\x01\x37"));
    // An embedded message, or an object.
    for magic in [b"\x78\x9f\x3e\x22".as_slice(), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"] {
        if let Some(inner) = memchr::memmem::find(data, magic).and_then(|at| data.get(at..)) {
            open.data.push(inner);
        }
    }
    open.data.push(data);
}

/// The first value of a property that begins with these octets, where it has just one.
fn value(data: &[u8], property: [u8; 4]) -> Option<&[u8]> {
    let at = memchr::memmem::find(data, &property)?;
    let (count, rest) = data.get(at + property.len()..)?.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    (*count == [1, 0, 0, 0]).then_some(rest)?.get(..u32::from_le_bytes(*length) as usize)
}
