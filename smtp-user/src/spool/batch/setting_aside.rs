//! Puts what is damaged out of the way, for somebody to look at.

use super::at;
use crate::model::session_id::MessageId;
use crate::spool::bundle::{self, GONE, Slot};
use crate::spool::error::{Result, SpoolError};
use crate::spool::file_system::FileSystem;
use crate::spool::place::{Place, Places};

/// Moves what there is of a message out of the way, for somebody to look at.
pub(crate) fn set_aside(
    file_system: &dyn FileSystem,
    places: &Places,
    id: MessageId,
    from: Place,
) -> Result<()> {
    let corrupt = places.corrupt();
    let control = places.control(from, id);
    // First the octets: without a control file they would be taken for those of a message that is gone.
    let moved = file_system.rename(&places.body(id), &corrupt.join(format!("{id}.body")));
    if let Err(error) = moved
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(SpoolError::of(&places.body(id), error));
    }
    file_system
        .rename(&control, &corrupt.join(format!("{id}.{}", from.name())))
        .and_then(|()| file_system.sync_folder(&corrupt))
        .map_err(|error| SpoolError::of(&control, error))
}

/// Copies a damaged message out of a file that it shares with others, for somebody to look at.
pub(crate) fn set_slot_aside(
    file_system: &dyn FileSystem,
    places: &Places,
    id: MessageId,
    slot: Slot,
) -> Result<()> {
    let (from, to) = (places.bundle(slot.bundle), places.corrupt().join(format!("{id}.active")));
    let copy = || {
        let octets = bundle::read(file_system.open(&from)?.as_ref(), slot.offset, slot.octets)?;
        let _ = file_system.remove(&to);
        let mut file = file_system.create(&to)?;
        file.write(&octets)?;
        file.sync()?;
        file_system.sync_folder(&places.corrupt())?;
        file_system.mark(&from, &[slot.mark], GONE)?.sync()
    };
    at(&from, copy())
}
