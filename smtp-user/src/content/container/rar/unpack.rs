//! Unpacks what is compressed or encrypted.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use rars::{ArchiveReadOptions, ArchiveReader, Error, ErrorKind};

use crate::content::container::place::Level;
use crate::content::container::{Unpacked, Walk};
use crate::content::finding::{Finding, Limit, Trait, Unsupported};
use crate::content::limits::MAX_WINDOW;

/// Passwords that are tried: each costs many rounds of a digest.
const MAX_PASSWORDS: usize = 8;

/// Files that have come out, with their names.
type Files = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Unpacks an archive and tells of its files; `false` if only a password is missing.
pub(super) fn unpack(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8], is_encrypted: bool) -> bool {
    let part = level.part.clone();
    let count = walk.limits.max_passwords.min(MAX_PASSWORDS);
    let passwords: Vec<Option<String>> = if is_encrypted {
        walk.passwords.iter().take(count).cloned().map(Some).collect()
    } else {
        vec![None]
    };
    for password in passwords {
        if !walk.may_go_on(&part) {
            return true;
        }
        let files = Files::default();
        let result = extract(walk, octets, password.as_deref(), &files);
        let cut = match &result {
            Ok(()) => None,
            Err(error) => match error.kind() {
                ErrorKind::PasswordRequired | ErrorKind::BadPassword => continue,
                // With a wrong password everything is damaged.
                ErrorKind::ChecksumMismatch | ErrorKind::InvalidArchive if password.is_some() => continue,
                ErrorKind::ResourceLimit => Some(Finding::LimitExceeded(Limit::Octets)),
                ErrorKind::UnsupportedFeature | ErrorKind::UnsupportedFormat => {
                    Some(Finding::Unsupported(Unsupported::Method))
                }
                _ => Some(Finding::Unsupported(Unsupported::Damaged)),
            },
        };
        if password.is_some() {
            walk.has(Trait::OpenedByPassword, &part);
        }
        let files = std::mem::take(&mut *files.lock().unwrap_or_else(PoisonError::into_inner));
        let last = files.len().saturating_sub(1);
        for (index, (name, content)) in files.into_iter().enumerate() {
            let unpacked = walk.unpack(&mut content.as_slice(), octets.len() as u64, &part);
            let cut = unpacked.cut.or(cut.filter(|_| index == last));
            walk.member(level, &[name], "rar", &Unpacked { cut, ..unpacked });
        }
        if let Some(cut) = cut {
            walk.note(cut, &part);
        }
        return true;
    }
    false
}

fn extract(walk: &Walk<'_>, octets: &[u8], password: Option<&str>, files: &Files) -> Result<(), Error> {
    let mut options = ArchiveReadOptions::with_optional_password(password.map(str::as_bytes))
        .with_max_header_count(walk.limits.max_members as u64)
        .with_max_header_bytes(octets.len() as u64)
        .with_max_member_output_bytes(walk.limits.max_member)
        .with_max_total_output_bytes(walk.octets_left)
        .with_rar50_dictionary_size_limit(MAX_WINDOW);
    options.max_reader_workspace_bytes = Some(2 * MAX_WINDOW);
    let archive = ArchiveReader::read_with_options(octets, options)?;
    archive.extract_to_with_options(options, |meta| {
        let mut all = files.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((meta.name_lossy(), Vec::new()));
        Ok(Box::new(Last(Arc::clone(files))))
    })
}

/// Writes to the last of the files.
struct Last(Files);

impl Write for Last {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, content) = files.last_mut().ok_or(io::ErrorKind::InvalidInput)?;
        content.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
