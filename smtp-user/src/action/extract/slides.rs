//! Slides of `PowerPoint` 97 to 2003 (MS-PPT): what runs in them, and the objects and controls on them, become zeros.
//!
//! Records are found by their offsets, so nothing changes its place. The picture that stands for an object stays.

use std::io::{Cursor, Read as _};
use std::ops::Range;

use cfb::CompoundFile;

use super::{ExtractError, Removed};
use crate::content::container::slides::{Storage, storages, told_macros};

/// Octets of a VBA project at most. What is larger goes as an object does; only its name is another one.
const MAX_PROJECT: u64 = 16 << 20;

/// Takes macros, objects and controls out of the stream of slides.
pub(super) fn weed(stream: &mut [u8], removed: &mut Removed) -> Result<(), ExtractError> {
    let told: Option<Vec<Range<usize>>> = told_macros(stream).collect();
    let Some(told) = told else { return Err(ExtractError::Inseparable("macros within its slides")) };
    let found: Vec<(Range<usize>, bool)> =
        storages(stream).map(|storage| (storage.place.clone(), is_project(&storage))).collect();
    let has_macros = !told.is_empty() || found.iter().any(|(_, is_project)| *is_project);
    if has_macros {
        removed.note("macros");
    }
    for _object in found.iter().filter(|(_, is_project)| !is_project) {
        removed.note("embedded object");
    }
    for place in told.into_iter().chain(found.into_iter().map(|(place, _)| place)) {
        if let Some(octets) = stream.get_mut(place) {
            octets.fill(0);
        }
    }
    // Zeros may have joined two ends to something that was not there before.
    let is_left = told_macros(stream).next().is_some() || storages(stream).next().is_some();
    if is_left { Err(ExtractError::Uncertain("records within records of its slides")) } else { Ok(()) }
}

/// Whether it is a VBA project (MS-OVBA 2.2.1), and no object.
fn is_project(storage: &Storage<'_>) -> bool {
    let mut octets = Vec::new();
    let read = storage.octets().take(MAX_PROJECT).read_to_end(&mut octets);
    read.is_ok() && CompoundFile::open(Cursor::new(octets)).is_ok_and(|file| file.is_storage("/VBA"))
}
