//! 7-Zip's archives.

use std::io::Cursor;

use sevenz_rust2::{Archive, BlockDecoder, EncoderMethod, Error, Password};

use crate::content::container::place::{Level, is_unsafe};
use crate::content::container::{Unpacked, Walk};
use crate::content::finding::{Finding, Limit, Technique, Trait, Unsupported};
use crate::content::limits::MAX_WINDOW;

const MAGIC: &[u8] = b"7z\xbc\xaf\x27\x1c";
/// Passwords that are tried: each costs half a million rounds of a digest.
const MAX_PASSWORDS: usize = 8;

/// Reads an archive, wherever it begins.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    let start = memchr::memmem::find(octets, MAGIC).unwrap_or_default();
    let octets = octets.get(start..).unwrap_or_default();
    let mut tried = candidates(walk);
    let mut opened = None;
    while let Some(password) = tried.pop() {
        if !walk.may_go_on(&level.part) {
            return;
        }
        match Archive::read(&mut Cursor::new(octets), &password) {
            Ok(archive) => {
                opened = Some((archive, password));
                break;
            }
            Err(Error::PasswordRequired | Error::MaybeBadPassword(_)) => {}
            // With a wrong password the header is noise, which fails in its own ways.
            Err(_) if !password.is_empty() => {}
            Err(Error::UnsupportedCompressionMethod(_) | Error::Unsupported(_)) => {
                return walk.note(Finding::Unsupported(Unsupported::Method), &level.part);
            }
            Err(_) => return walk.damaged(level),
        }
    }
    let Some((archive, password)) = opened else {
        return walk.note(Finding::Encrypted, &level.part);
    };
    if !password.is_empty() {
        walk.has(Trait::OpenedByPassword, &level.part);
    }
    tried.push(password);
    for index in 0..archive.blocks.len() {
        if !walk.may_go_on(&level.part) {
            return;
        }
        block(walk, level, &archive, index, octets, &mut tried);
    }
    for (index, file) in archive.files.iter().enumerate() {
        let has_block = archive.stream_map.file_block_index.get(index).is_some_and(Option::is_some);
        if !has_block && !file.is_directory {
            walk.member_of_octets(level, std::slice::from_ref(&file.name), "7z", &[], None);
        }
    }
}

/// Passwords, the last one first; none at all is tried before all others.
fn candidates(walk: &Walk<'_>) -> Vec<Password> {
    let count = walk.limits.max_passwords.min(MAX_PASSWORDS);
    let mut passwords: Vec<Password> =
        walk.passwords.iter().take(count).rev().map(|text| Password::new(text)).collect();
    passwords.push(Password::empty());
    passwords
}

/// Reads the files of one block. `passwords`: those that may open it, the one that opened the archive last.
fn block(
    walk: &mut Walk<'_>,
    level: &mut Level,
    archive: &Archive,
    index: usize,
    octets: &[u8],
    passwords: &mut Vec<Password>,
) {
    let Some(block) = archive.blocks.get(index) else { return };
    let is_encrypted =
        block.coders.iter().any(|coder| coder.encoder_method_id() == EncoderMethod::ID_AES256_SHA256);
    if block.coders.iter().any(|coder| window(coder.encoder_method_id(), coder.properties()) > MAX_WINDOW) {
        return walk.note(Finding::LimitExceeded(Limit::Window), &level.part);
    }
    while let Some(password) = passwords.last().cloned() {
        if !walk.may_go_on(&level.part) {
            return;
        }
        let mut files: Vec<(String, Unpacked)> = Vec::new();
        let mut source = Cursor::new(octets);
        let part = level.part.clone();
        let result = if is_encrypted && password.is_empty() {
            Err(Error::PasswordRequired)
        } else {
            BlockDecoder::new(1, index, archive, &password, &mut source).for_each_entries(
                &mut |entry, reader| {
                    let unpacked = walk.unpack(reader, octets.len() as u64, &part);
                    let goes_on = unpacked.cut.is_none();
                    if is_encrypted {
                        // With a wrong password these are noise, which the end of the block tells.
                        files.push((entry.name.clone(), unpacked));
                    } else {
                        tell(walk, level, &entry.name, &unpacked);
                    }
                    Ok(goes_on)
                },
            )
        };
        if !is_encrypted {
            match result {
                Ok(_) => {}
                Err(Error::UnsupportedCompressionMethod(_) | Error::Unsupported(_)) => {
                    walk.note(Finding::Unsupported(Unsupported::Method), &part);
                }
                Err(_) => walk.note(Finding::Unsupported(Unsupported::Damaged), &part),
            }
            return;
        }
        let is_noise = |unpacked: &Unpacked| unpacked.cut == Some(Finding::Unsupported(Unsupported::Damaged));
        if result.is_ok() && !files.iter().any(|(_, unpacked)| is_noise(unpacked)) {
            walk.has(Trait::OpenedByPassword, &part);
            for (name, unpacked) in &files {
                tell(walk, level, name, unpacked);
            }
            return;
        }
        passwords.pop();
    }
    let first = archive.stream_map.file_block_index.iter().zip(&archive.files);
    for (_, file) in first.filter(|(block, _)| **block == Some(index)) {
        walk.unread(level, std::slice::from_ref(&file.name), "7z", Finding::Encrypted);
    }
}

fn tell(walk: &mut Walk<'_>, level: &mut Level, name: &str, unpacked: &Unpacked) {
    if is_unsafe(name) {
        walk.note(Finding::Ambiguous(Technique::UnsafeName), &level.part);
    }
    walk.member(level, &[name.to_owned()], "7z", unpacked);
}

/// Octets that a coder asks for.
fn window(method: &[u8], properties: &[u8]) -> u64 {
    let number = |octets: Option<&[u8]>| {
        octets
            .and_then(|octets| octets.try_into().ok())
            .map_or(0, |octets| u64::from(u32::from_le_bytes(octets)))
    };
    match method {
        EncoderMethod::ID_LZMA | EncoderMethod::ID_PPMD => number(properties.get(1..5)),
        EncoderMethod::ID_LZMA2 => {
            let exponent = properties.first().map_or(0, |bits| u32::from(*bits));
            (2 | u64::from(exponent & 1)).checked_shl(exponent / 2 + 11).unwrap_or(u64::MAX)
        }
        _ => 0,
    }
}
