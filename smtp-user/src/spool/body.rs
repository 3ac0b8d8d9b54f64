//! The octets of a message, given out only when they are the ones that were taken in.

use sha2::{Digest as _, Sha256};

use crate::model::message_octets::MessageOctets;
use crate::model::queued_message::QueuedMessage;
use crate::spool::error::{Result, SpoolError};
use crate::spool::file_system::FileSystem;
use crate::spool::place::{Place, Places};
use crate::spool::recovery;
use crate::spool::room::Entry;
use crate::spool::stored::{self, Stored, Wanted};
use crate::wire::hexadecimal::hexadecimal;

/// Opens a message's octets, wherever they stand, and reads them once, so that nothing damaged is ever sent. Blocks on the
/// disk.
pub(crate) fn open_in(
    file_system: &dyn FileSystem,
    places: &Places,
    place: Place,
    message: &QueuedMessage,
) -> Result<Box<dyn MessageOctets>> {
    compare(file_system, places, message, recovery::find(file_system, places, place, message.id)?)
}

/// The same of a message of which it is known where it stands.
pub(crate) fn open_at(
    file_system: &dyn FileSystem,
    places: &Places,
    entry: &Entry,
    message: &QueuedMessage,
) -> Result<Box<dyn MessageOctets>> {
    let stored = stored::read_entry(file_system, places, message.id, entry, Wanted::All)?;
    compare(file_system, places, message, stored)
}

fn compare(
    file_system: &dyn FileSystem,
    places: &Places,
    message: &QueuedMessage,
    stored: Stored,
) -> Result<Box<dyn MessageOctets>> {
    if !stored.is_together {
        return open(file_system, places, message);
    }
    if !are_its(message, &stored.octets) {
        let why = "its octets do not match their checksum".to_owned();
        return Err(SpoolError::Damaged { id: message.id, why });
    }
    Ok(Box::new(stored.octets))
}

/// Opens a file of a message's octets alone and reads them once, so that nothing damaged is ever sent. Blocks on the disk.
pub(crate) fn open(
    file_system: &dyn FileSystem,
    places: &Places,
    message: &QueuedMessage,
) -> Result<Box<dyn MessageOctets>> {
    let id = message.id;
    let path = places.body(id);
    let damaged = |why: String| SpoolError::Damaged { id, why };
    let body = file_system.open(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => damaged("its octets are missing".to_owned()),
        // A symbolic link is not followed.
        std::io::ErrorKind::InvalidInput => damaged("its octets are no ordinary file".to_owned()),
        _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            damaged("its octets are a symbolic link".to_owned())
        }
        _ => SpoolError::of(&path, error),
    })?;
    if body.len() != message.octets {
        return Err(damaged(format!("{} octets where there were {}", body.len(), message.octets)));
    }
    let mut digest = Sha256::new();
    let is_small = body.len() <= BLOCK as u64;
    let mut room = vec![0; if is_small { usize::try_from(body.len()).unwrap_or(BLOCK) } else { BLOCK }];
    let mut offset = 0;
    while offset < body.len() {
        let start = if is_small { usize::try_from(offset).unwrap_or(BLOCK) } else { 0 };
        let free = room.get_mut(start..).unwrap_or_default();
        let count = body.read_at(offset, free).map_err(|error| SpoolError::of(&path, error))?;
        if count == 0 {
            return Err(damaged("it became shorter while it was read".to_owned()));
        }
        digest.update(free.get(..count).unwrap_or_default());
        offset += count as u64;
    }
    if hexadecimal(&digest.finalize()) != message.sha256 {
        return Err(damaged("its octets do not match their checksum".to_owned()));
    }
    // What was compared is what is given out; it need not be read again.
    Ok(if is_small { Box::new(room) } else { body })
}

/// Octets that are read at a time, and kept in memory if there are no more.
const BLOCK: usize = 256 << 10;

/// Whether octets are those of a message.
pub(crate) fn are_its(message: &QueuedMessage, octets: &[u8]) -> bool {
    octets.len() as u64 == message.octets && hexadecimal(&Sha256::digest(octets)) == message.sha256
}
