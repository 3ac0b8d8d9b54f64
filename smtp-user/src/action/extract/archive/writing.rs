//! A zip with some other members: what stays is copied with its headers, and the directory is written anew.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::ExtractError;
use crate::content::container::zip::layout::{Layout, Placed};

/// A copy, packed.
pub(super) struct Packed {
    method: u16,
    crc: u32,
    unpacked: usize,
    data: Vec<u8>,
}

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// A reader has to know as much of the format: 2.0.
const VERSION: u16 = 20;
/// The flag that names are in UTF-8; nothing else that a flag says is true of a copy.
const UTF_8: u16 = 1 << 11;
/// Sizes of 64 bits, which stand in the headers themselves here.
const LARGE: u16 = 1;
/// Octets of a header in the directory before its name.
const CENTRAL: usize = 46;
/// Octets of a member's own header before its name.
const OWN: usize = 30;

impl Packed {
    /// Packs a copy as its original was, or by what every reader knows.
    pub(super) fn new(octets: &[u8], method: u16) -> Self {
        let mut crc = flate2::Crc::new();
        crc.update(octets);
        let mut packed = Self { method: STORED, crc: crc.sum(), unpacked: octets.len(), data: Vec::new() };
        if method != STORED {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
            // Writing to memory does not fail; if it did, it would be stored.
            if let Ok(data) = encoder.write_all(octets).and_then(|()| encoder.finish()) {
                return Self { method: DEFLATED, data, ..packed };
            }
        }
        packed.data = octets.to_vec();
        packed
    }
}

/// Writes the archive. `copies`: in the order of its members.
pub(super) fn write(layout: &Layout<'_>, copies: &[Option<Packed>]) -> Result<Vec<u8>, ExtractError> {
    let mut places: Vec<(usize, &Placed<'_>, Option<&Packed>)> = Vec::new();
    for (index, (member, copy)) in layout.members.iter().zip(copies).enumerate() {
        places.push((index, member, copy.as_ref()));
    }
    // Members need not stand in the order of the directory.
    places.sort_by_key(|(_, member, _)| member.start);
    let (mut octets, mut offsets) = (Vec::new(), vec![0; places.len()]);
    for (index, member, copy) in places {
        if let Some(offset) = offsets.get_mut(index) {
            *offset = narrow(octets.len())?;
        }
        match copy {
            None => octets.extend_from_slice(member.own),
            Some(copy) => own(&mut octets, member, copy)?,
        }
    }
    let start = octets.len();
    for ((member, copy), offset) in layout.members.iter().zip(copies).zip(offsets) {
        central(&mut octets, member, copy.as_ref(), offset)?;
    }
    let count = u16::try_from(layout.members.len()).map_err(|_| ExtractError::TooLarge)?;
    let (length, start) = (narrow(octets.len() - start)?, narrow(start)?);
    octets.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    octets.extend(count.to_le_bytes());
    octets.extend(count.to_le_bytes());
    octets.extend(length.to_le_bytes());
    octets.extend(start.to_le_bytes());
    octets.extend(u16::try_from(layout.comment.len()).unwrap_or_default().to_le_bytes());
    octets.extend_from_slice(layout.comment);
    octets.extend_from_slice(layout.filler);
    Ok(octets)
}

/// The own header of a copy, and its octets. Its name, its time and most of its extra field are the original's.
fn own(out: &mut Vec<u8>, member: &Placed<'_>, copy: &Packed) -> Result<(), ExtractError> {
    let header = member.header;
    let (front, behind) = header.split_at_checked(OWN).ok_or_else(damaged)?;
    let (name, extra) = behind.split_at_checked(u16_at(front, 26).into()).ok_or_else(damaged)?;
    let extra = without_sizes(extra);
    let mut front = front.to_vec();
    put(&mut front, 4, &VERSION.to_le_bytes());
    put(&mut front, 6, &(u16_at(header, 6) & UTF_8).to_le_bytes());
    put(&mut front, 8, &copy.method.to_le_bytes());
    put_sizes(&mut front, 14, copy)?;
    put(&mut front, 28, &length_of(&extra));
    out.extend(front);
    out.extend_from_slice(name);
    out.extend(extra);
    out.extend_from_slice(&copy.data);
    Ok(())
}

/// The header of a member in the directory: the original's, with the new place, and what is another in a copy.
fn central(
    out: &mut Vec<u8>,
    member: &Placed<'_>,
    copy: Option<&Packed>,
    offset: u32,
) -> Result<(), ExtractError> {
    let (front, behind) = member.central.split_at_checked(CENTRAL).ok_or_else(damaged)?;
    let (name, behind) = behind.split_at_checked(u16_at(front, 28).into()).ok_or_else(damaged)?;
    let (extra, comment) = behind.split_at_checked(u16_at(front, 30).into()).ok_or_else(damaged)?;
    let mut front = front.to_vec();
    let mut extra = extra.to_vec();
    if let Some(copy) = copy {
        put(&mut front, 6, &VERSION.to_le_bytes());
        put(&mut front, 8, &(u16_at(member.central, 8) & UTF_8).to_le_bytes());
        put(&mut front, 10, &copy.method.to_le_bytes());
        put_sizes(&mut front, 16, copy)?;
        extra = without_sizes(&extra);
    } else if has_sizes(&extra) {
        let [packed, unpacked] = member.sizes;
        put(&mut front, 20, &narrow(packed)?.to_le_bytes());
        put(&mut front, 24, &narrow(unpacked)?.to_le_bytes());
        extra = without_sizes(&extra);
    }
    put(&mut front, 30, &length_of(&extra));
    // It is on the first disk, which is the only one.
    put(&mut front, 34, &[0, 0]);
    put(&mut front, 42, &offset.to_le_bytes());
    out.extend(front);
    out.extend_from_slice(name);
    out.extend(extra);
    out.extend_from_slice(comment);
    Ok(())
}

/// Checksum, octets packed, and octets not packed.
fn put_sizes(front: &mut [u8], at: usize, copy: &Packed) -> Result<(), ExtractError> {
    put(front, at, &copy.crc.to_le_bytes());
    put(front, at + 4, &narrow(copy.data.len())?.to_le_bytes());
    put(front, at + 8, &narrow(copy.unpacked)?.to_le_bytes());
    Ok(())
}

fn put(octets: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = octets.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

fn u16_at(octets: &[u8], at: usize) -> u16 {
    octets.get(at..at + 2).and_then(|two| two.try_into().ok()).map_or(0, u16::from_le_bytes)
}

fn length_of(extra: &[u8]) -> [u8; 2] {
    // It is no longer than it was.
    u16::try_from(extra.len()).unwrap_or_default().to_le_bytes()
}

fn narrow(number: impl TryInto<u32>) -> Result<u32, ExtractError> {
    // The largest number means that the true one stands elsewhere.
    number.try_into().ok().filter(|number| *number != u32::MAX).ok_or(ExtractError::TooLarge)
}

/// The fields of an extra field; what is none at its end goes.
fn fields(extra: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = extra;
    std::iter::from_fn(move || {
        let length = 4 + usize::from(u16_at(rest, 2));
        let (field, behind) = rest.split_at_checked(length)?;
        rest = behind;
        Some((u16_at(field, 0), field))
    })
}

fn has_sizes(extra: &[u8]) -> bool {
    fields(extra).any(|(id, _)| id == LARGE)
}

fn without_sizes(extra: &[u8]) -> Vec<u8> {
    fields(extra).filter(|(id, _)| *id != LARGE).flat_map(|(_, field)| field).copied().collect()
}

fn damaged() -> ExtractError {
    ExtractError::Damaged("a header is cut".to_owned())
}
