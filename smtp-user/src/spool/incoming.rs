//! A message that is being taken in. Dropped before it is committed, it leaves nothing behind.

use std::path::PathBuf;
use std::sync::Arc;

use crate::model::session_id::MessageId;
use crate::spool::error::{Result, SpoolError};
use crate::spool::file_system::{FileSystem, NewFile};
use crate::spool::place::{Places, Side};
use crate::spool::room::Slot;

/// A message that is being taken in. Its methods block on the disk.
#[derive(Debug)]
pub struct Incoming {
    id: MessageId,
    file_system: Arc<dyn FileSystem>,
    places: Places,
    side: Side,
    /// Gone once it was given to the writer, who cleans up from then on.
    file: Option<(Box<dyn NewFile>, Slot)>,
    octets: u64,
}

impl Incoming {
    pub(crate) fn begin(
        id: MessageId,
        file_system: &Arc<dyn FileSystem>,
        places: &Places,
        side: Side,
        slot: Slot,
    ) -> Result<Self> {
        let path = places.new_body(id, side);
        let file = file_system.create(&path).map_err(|error| SpoolError::of(&path, error))?;
        Ok(Self {
            id,
            file_system: Arc::clone(file_system),
            places: places.clone(),
            side,
            file: Some((file, slot)),
            octets: 0,
        })
    }

    /// Its name.
    pub const fn id(&self) -> MessageId {
        self.id
    }

    /// Octets so far.
    pub const fn octets(&self) -> u64 {
        self.octets
    }

    /// Adds octets of the message.
    pub fn write(&mut self, octets: &[u8]) -> Result<()> {
        let path = self.path();
        let Some((file, _)) = &mut self.file else { return Err(SpoolError::Closed) };
        file.write(octets).map_err(|error| SpoolError::of(&path, error))?;
        self.octets += octets.len() as u64;
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.places.new_body(self.id, self.side)
    }

    pub(crate) fn take(&mut self) -> Option<(Box<dyn NewFile>, Slot)> {
        self.file.take()
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.file.is_some() {
            // What cannot be removed now is at the next start.
            let _ = self.file_system.remove(&self.path());
        }
    }
}
