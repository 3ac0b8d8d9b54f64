//! One file, compressed: gzip (RFC 1952), bzip2, xz, lzip, LZMA, zstd (RFC 8878). Each may be several streams in a row.

use std::io::Read;

use ruzstd::decoding::StreamingDecoder;

use crate::content::container::place::Level;
use crate::content::container::{Unpacked, Walk};
use crate::content::finding::{Finding, Limit, Technique, Unsupported};
use crate::content::kind::Kind;
use crate::content::limits::MAX_WINDOW;

/// Reads a file that is compressed as a whole.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, kind: Kind, octets: &[u8]) {
    let part = level.part.clone();
    let mut names = if kind == Kind::Gzip { gzip_names(octets) } else { Vec::new() };
    // Some readers give it the name of the container, less its end, whatever it is called within.
    for name in level.names.iter().filter_map(|name| Some(name.rsplit_once('.')?.0.to_owned())) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut all = Unpacked { octets: Vec::new(), cut: None };
    let mut rest = octets;
    while begins(kind, rest) {
        let (unpacked, behind) = stream(walk, kind, rest, octets.len() as u64, &part);
        all.octets.extend_from_slice(&unpacked.octets);
        all.cut = unpacked.cut;
        if all.octets.len() as u64 > walk.limits.max_member {
            all.cut = all.cut.or(Some(Finding::LimitExceeded(Limit::Member)));
        }
        if all.cut.is_some() || behind.len() >= rest.len() {
            break;
        }
        rest = behind;
    }
    walk.member(level, &names, kind.name(), &all);
    if all.cut.is_none() && rest.iter().any(|octet| *octet != 0) {
        walk.note(Finding::Ambiguous(Technique::DataAfter), &part);
        walk.member_of_octets(level, &[], "stored", rest, None);
    }
}

/// Whether another stream begins here.
fn begins(kind: Kind, octets: &[u8]) -> bool {
    match kind {
        Kind::Gzip => octets.starts_with(b"\x1f\x8b"),
        Kind::Bzip2 => octets.starts_with(b"BZh"),
        Kind::Zstd => octets.starts_with(b"\x28\xb5\x2f\xfd") || is_skippable(octets),
        _ => !octets.is_empty(),
    }
}

/// One stream, and what is behind it.
fn stream<'o>(
    walk: &mut Walk<'_>,
    kind: Kind,
    octets: &'o [u8],
    packed: u64,
    part: &str,
) -> (Unpacked, &'o [u8]) {
    match kind {
        Kind::Gzip => {
            let mut decoder = flate2::bufread::GzDecoder::new(octets);
            (walk.unpack(&mut decoder, packed, part), decoder.into_inner())
        }
        Kind::Bzip2 => {
            let mut decoder = bzip2::bufread::BzDecoder::new(octets);
            (walk.unpack(&mut decoder, packed, part), decoder.into_inner())
        }
        Kind::Zstd if is_skippable(octets) => {
            let length =
                octets.get(4..8).and_then(|length| length.try_into().ok()).map_or(0, u32::from_le_bytes);
            let behind = octets.get(length as usize + 8..).unwrap_or_default();
            (Unpacked { octets: Vec::new(), cut: None }, behind)
        }
        Kind::Zstd => {
            let mut rest = octets;
            let Ok(mut decoder) = StreamingDecoder::new_with_max_window_size(&mut rest, MAX_WINDOW) else {
                let cut = Some(Finding::Unsupported(Unsupported::Damaged));
                return (Unpacked { octets: Vec::new(), cut }, &[]);
            };
            let unpacked = walk.unpack(&mut decoder, packed, part);
            drop(decoder);
            (unpacked, rest)
        }
        Kind::Lzma => {
            let limit = (MAX_WINDOW >> 10) as u32;
            let Ok(mut decoder) = lzma_rust2::LzmaReader::new_mem_limit(octets, limit, None) else {
                let cut = Some(Finding::Unsupported(Unsupported::Damaged));
                return (Unpacked { octets: Vec::new(), cut }, &[]);
            };
            (walk.unpack(&mut decoder, packed, part), &[])
        }
        Kind::Lzip => (walk.unpack(&mut lzma_rust2::LzipReader::new(octets), packed, part), &[]),
        _ => (walk.unpack(&mut xz_reader(octets), packed, part), &[]),
    }
}

/// Frames of zstd that hold nothing to decode.
pub(in crate::content) fn is_skippable(octets: &[u8]) -> bool {
    matches!(octets, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// The name in the header of a gzip.
fn gzip_names(octets: &[u8]) -> Vec<String> {
    let decoder = flate2::bufread::GzDecoder::new(octets);
    let name = decoder.header().and_then(|header| header.filename());
    name.map(|name| String::from_utf8_lossy(name).into_owned()).into_iter().collect()
}

/// An xz, whatever it asks for in memory up to a bound.
pub(super) fn xz_reader(octets: &[u8]) -> impl Read + '_ {
    lzma_rust2::XzReader::new_mem_limit(octets, true, (MAX_WINDOW >> 9) as u32)
}

/// A zstd.
pub(super) fn zstd_reader<'o>(octets: &'o [u8]) -> Option<Box<dyn Read + 'o>> {
    let decoder = StreamingDecoder::new_with_max_window_size(octets, MAX_WINDOW).ok()?;
    Some(Box::new(decoder))
}
