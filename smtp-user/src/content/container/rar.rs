//! `WinRAR`'s archives.

use crate::content::container::Walk;
use crate::content::container::place::Level;
use crate::content::finding::{Finding, Unsupported};

/// Reads an archive.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, _octets: &[u8]) {
    if level.is_certain {
        walk.note(Finding::Unsupported(Unsupported::Kind), &level.part);
    }
}
