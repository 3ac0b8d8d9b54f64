//! Compression methods of zip, APPNOTE.TXT 4.4.5.

use std::io::Read;

use crate::content::container::compressed::{xz_reader, zstd_reader};
use crate::content::limits::MAX_WINDOW;

/// A word for records.
pub(super) const fn name(method: u16) -> &'static str {
    match method {
        0 => "stored",
        8 => "deflate",
        9 => "deflate64",
        12 => "bzip2",
        14 => "lzma",
        93 => "zstd",
        95 => "xz",
        98 => "ppmd",
        99 => "aes",
        _ => "unknown",
    }
}

/// What decodes a method; `None` if nothing here does.
pub(super) fn decoder<'d>(method: u16, data: &'d [u8]) -> Option<Box<dyn Read + 'd>> {
    Some(match method {
        0 => Box::new(data),
        8 => Box::new(flate2::bufread::DeflateDecoder::new(data)),
        9 => Box::new(deflate64::Deflate64Decoder::new(data)),
        12 => Box::new(bzip2::bufread::BzDecoder::new(data)),
        14 => lzma(data)?,
        93 => zstd_reader(data)?,
        95 => Box::new(xz_reader(data)),
        _ => return None,
    })
}

/// LZMA with the header that APPNOTE.TXT 5.8.8 gives it.
fn lzma(data: &[u8]) -> Option<Box<dyn Read + '_>> {
    let (header, data) = data.split_at_checked(9)?;
    let [_, _, 5, 0, properties, window @ ..] = header else { return None };
    let window = u32::from_le_bytes(window.try_into().ok()?);
    if u64::from(window) > MAX_WINDOW {
        return None;
    }
    let reader = lzma_rust2::LzmaReader::new_with_props(data, u64::MAX, *properties, window, None).ok()?;
    Some(Box::new(reader))
}

/// The checksum of a member.
pub(super) fn checksum(octets: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(octets);
    crc.sum()
}
