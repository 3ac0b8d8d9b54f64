//! A message that is being taken in. Dropped before it is committed, it leaves nothing behind.

use std::path::PathBuf;
use std::sync::Arc;

use crate::model::session_id::MessageId;
use crate::spool::error::{Result, SpoolError};
use crate::spool::file_system::{FileSystem, NewFile};
use crate::spool::place::{Places, Side};
use crate::spool::room::Reservation;

/// A message that is being taken in: in memory while it is small, then in a file.
#[derive(Debug)]
pub struct Incoming {
    id: MessageId,
    file_system: Arc<dyn FileSystem>,
    places: Places,
    side: Side,
    /// Octets that are kept in memory at most.
    together: u64,
    /// Nobody can have its name, so that it may share a file with others.
    is_new: bool,
    /// Gone once it was given to the writer, who cleans up from then on.
    held: Option<(Octets, Reservation)>,
    octets: u64,
}

/// Where the octets of a new message are.
#[derive(Debug)]
pub(crate) enum Octets {
    /// Here; they go into one file with what is known of it.
    Together(Vec<u8>),
    /// In a file of their own, which is here until it is synced.
    Apart(Option<Box<dyn NewFile>>),
}

impl Incoming {
    pub(crate) fn begin(
        id: MessageId,
        file_system: &Arc<dyn FileSystem>,
        places: &Places,
        side: Side,
        together: u64,
        reservation: Reservation,
    ) -> Self {
        let (file_system, places) = (Arc::clone(file_system), places.clone());
        let held = Some((Octets::Together(Vec::new()), reservation));
        Self { id, file_system, places, side, together, is_new: false, held, octets: 0 }
    }

    /// It was made a moment ago: no other can have its name.
    pub(crate) fn made_new(mut self) -> Self {
        self.is_new = true;
        self
    }

    /// Whether it may share a file with others.
    pub(crate) const fn may_share(&self) -> bool {
        self.is_new
    }

    /// Its name.
    pub const fn id(&self) -> MessageId {
        self.id
    }

    /// Octets so far.
    pub const fn octets(&self) -> u64 {
        self.octets
    }

    /// Whether adding so many octets blocks on the disk.
    pub const fn blocks_at(&self, octets: usize) -> bool {
        self.octets.saturating_add(octets as u64) > self.together
    }

    /// Adds octets of the message.
    pub fn write(&mut self, octets: &[u8]) -> Result<()> {
        let blocks = self.blocks_at(octets.len());
        let path = self.path();
        let failed = |error| SpoolError::of(&path, error);
        let Some((held, _)) = &mut self.held else { return Err(SpoolError::Closed) };
        if blocks && let Octets::Together(before) = held {
            let mut file = self.file_system.create(&path).map_err(failed)?;
            let written = if before.is_empty() { Ok(()) } else { file.write(before) };
            *held = Octets::Apart(Some(file));
            written.map_err(failed)?;
        }
        match held {
            Octets::Together(before) => before.extend_from_slice(octets),
            Octets::Apart(Some(file)) => file.write(octets).map_err(failed)?,
            Octets::Apart(None) => return Err(SpoolError::Closed),
        }
        self.octets += octets.len() as u64;
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.places.new_body(self.id, self.side)
    }

    pub(crate) fn take(&mut self) -> Option<(Octets, Reservation)> {
        self.held.take()
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if matches!(self.held, Some((Octets::Apart(_), _))) {
            // What cannot be removed now is at the next start.
            let _ = self.file_system.remove(&self.path());
        }
    }
}
