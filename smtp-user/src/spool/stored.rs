//! A message's file as it is read: what is known of it, and the octets behind that, if they stand there.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::model::message_octets::MessageOctets;
use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;
use crate::spool::bundle::{self, Slot};
use crate::spool::control::{self, ControlError, Layout};
use crate::spool::error::{Result, SpoolError};
use crate::spool::file_system::FileSystem;
use crate::spool::place::{Place, Places};
use crate::spool::room::Entry;

/// What is in a message's file.
#[derive(Debug)]
pub(crate) struct Stored {
    /// What is known of it.
    pub(crate) message: QueuedMessage,
    /// Whether its octets stand there, too.
    pub(crate) is_together: bool,
    /// Where it stands if it shares the file with others.
    pub(crate) slot: Option<Slot>,
    /// These, if they were asked for; nobody has compared them with their checksum.
    pub(crate) octets: Vec<u8>,
}

/// How much of it is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// What is known of the message.
    Known,
    /// Its octets as well.
    All,
}

/// Reads a message's file. Blocks on the disk.
pub(crate) fn read(
    file_system: &dyn FileSystem,
    places: &Places,
    place: Place,
    id: MessageId,
    wanted: Wanted,
) -> Result<Stored> {
    let path = places.control(place, id);
    let file = open(file_system, &path, id)?;
    understand(file.as_ref(), &path, id, wanted)
}

/// Reads a message wherever it stands. Blocks on the disk.
pub(crate) fn read_entry(
    file_system: &dyn FileSystem,
    places: &Places,
    id: MessageId,
    entry: &Entry,
    wanted: Wanted,
) -> Result<Stored> {
    match entry.slot {
        Some(slot) => read_slot(file_system, places, id, slot, wanted),
        None => read(file_system, places, entry.place, id, wanted),
    }
}

/// Reads a message that shares a file with others. Blocks on the disk.
pub(crate) fn read_slot(
    file_system: &dyn FileSystem,
    places: &Places,
    id: MessageId,
    slot: Slot,
    wanted: Wanted,
) -> Result<Stored> {
    let path = places.bundle(slot.bundle);
    let file = open(file_system, &path, id)?;
    let failed = |error| SpoolError::of(&path, error);
    let mark = bundle::read(file.as_ref(), slot.mark, 1).map_err(failed)?;
    if mark == [bundle::GONE] {
        return Err(SpoolError::NotFound { id });
    }
    of_slot(file.as_ref(), &path, id, slot, wanted)
}

/// The same from a file that was opened.
pub(crate) fn of_slot(
    file: &dyn MessageOctets,
    path: &Path,
    id: MessageId,
    slot: Slot,
    wanted: Wanted,
) -> Result<Stored> {
    let octets = bundle::read(file, slot.offset, slot.octets).map_err(|error| SpoolError::of(path, error))?;
    let stored = understand(&octets, path, id, wanted)?;
    Ok(Stored { slot: Some(slot), ..stored })
}

fn open(file_system: &dyn FileSystem, path: &Path, id: MessageId) -> Result<Box<dyn MessageOctets>> {
    file_system.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => SpoolError::NotFound { id },
        _ => SpoolError::of(path, error),
    })
}

fn understand(file: &dyn MessageOctets, path: &Path, id: MessageId, wanted: Wanted) -> Result<Stored> {
    let failed = |error| SpoolError::of(path, error);
    let damaged = |why: String| SpoolError::Damaged { id, why };
    if file.len() > control::MAX_OCTETS {
        return Err(damaged(format!("a control file of {} octets", file.len())));
    }
    let first = if wanted == Wanted::All { file.len() } else { file.len().min(BLOCK) };
    let mut octets = Vec::new();
    fill(file, &mut octets, first).map_err(failed)?;
    // One without a heading is found out below.
    let layout = control::layout(&octets).unwrap_or(Layout { known: first, is_together: false });
    let known = if layout.is_together { layout.known } else { file.len() };
    fill(file, &mut octets, known).map_err(failed)?;
    let known = usize::try_from(known).unwrap_or(usize::MAX).min(octets.len());
    let behind = if wanted == Wanted::All { octets.split_off(known) } else { Vec::new() };
    octets.truncate(known);
    let message = control::decode(&octets).map_err(|error| match error {
        // It is whole and sound for another version of this program: nothing to be set aside.
        ControlError::Version { found } => {
            SpoolError::OtherVersion { path: path.to_owned(), found, known: "2" }
        }
        error => damaged(error.to_string()),
    })?;
    if message.id != id {
        return Err(damaged(format!("the control file is that of message {}", message.id)));
    }
    let there = file.len().saturating_sub(known as u64);
    if layout.is_together && there != message.octets {
        return Err(damaged(format!("{there} octets where there were {}", message.octets)));
    }
    Ok(Stored { message, is_together: layout.is_together, slot: None, octets: behind })
}

/// What is in the file of a message with its octets, where that was never out of memory.
pub(crate) fn of_file(id: MessageId, file: Arc<Vec<u8>>) -> Result<(QueuedMessage, OctetsInControlFile)> {
    let damaged = |why: String| SpoolError::Damaged { id, why };
    let wrong = |error: ControlError| damaged(error.to_string());
    let Layout { known, is_together } = control::layout(&file).map_err(wrong)?;
    let from = usize::try_from(known).unwrap_or(usize::MAX).min(file.len());
    let message = control::decode_written(file.get(..from).unwrap_or_default()).map_err(wrong)?;
    let octets = OctetsInControlFile { file, from };
    if message.id != id || !is_together || octets.len() != message.octets {
        return Err(damaged("it is not what it is said to be".to_owned()));
    }
    Ok((message, octets))
}

/// The octets of a message that stand in its control file, which is in memory.
#[derive(Debug)]
pub(crate) struct OctetsInControlFile {
    file: Arc<Vec<u8>>,
    from: usize,
}

impl OctetsInControlFile {
    fn octets(&self) -> &[u8] {
        self.file.get(self.from..).unwrap_or_default()
    }
}

impl MessageOctets for OctetsInControlFile {
    fn len(&self) -> u64 {
        self.octets().len() as u64
    }

    fn read_at(&self, offset: u64, room: &mut [u8]) -> io::Result<usize> {
        self.octets().read_at(offset, room)
    }
}

/// Reads on until so many octets of a file are there, or it ends.
fn fill(file: &dyn MessageOctets, octets: &mut Vec<u8>, until: u64) -> io::Result<()> {
    let until = usize::try_from(until.min(file.len())).unwrap_or(usize::MAX);
    let there = octets.len();
    if there >= until {
        return Ok(());
    }
    octets.resize(until, 0);
    let filled = file.fill_at(there as u64, octets.get_mut(there..).unwrap_or_default())?;
    octets.truncate(there + filled);
    Ok(())
}

/// What is read at first: mostly all that is known of a message.
const BLOCK: u64 = 4096;
