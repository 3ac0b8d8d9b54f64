//! A message that is being put into quarantine. Dropped before its entry has its name for good, it leaves nothing behind.

use std::io;

use crate::model::session_id::MessageId;
use crate::quarantine::entry::Entry;
use crate::quarantine::error::{QuarantineError, Result};
use crate::quarantine::form;
use crate::quarantine::store::Store;
use crate::spool::config::{DEFAULT_MIN_FREE_FILES, DEFAULT_MIN_FREE_OCTETS};
use crate::spool::file_system::NewFile;

/// A message that is being put into quarantine. Its methods block on the disk.
#[derive(Debug)]
pub(super) struct Writing {
    store: Store,
    id: MessageId,
    body: Box<dyn NewFile>,
    is_done: bool,
}

impl Writing {
    /// `None` if it is there already, whole.
    pub(super) fn begin(store: Store, id: MessageId, octets: u64) -> Result<Option<Self>> {
        let (file_system, paths) = (&store.file_system, &store.paths);
        if file_system.look(&paths.entry(id)).is_ok() {
            return Ok(None);
        }
        let space =
            file_system.space(&paths.root).map_err(|error| QuarantineError::of(&paths.root, error))?;
        let wanted = octets.saturating_add(DEFAULT_MIN_FREE_OCTETS);
        if space.octets < wanted || space.files < DEFAULT_MIN_FREE_FILES {
            return Err(QuarantineError::NoSpace);
        }
        let path = paths.body(id);
        let body = match file_system.create(&path) {
            // Of an attempt that was cut off: without an entry nobody was promised anything.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                file_system.remove(&path).and_then(|()| file_system.create(&path))
            }
            created => created,
        };
        let body = body.map_err(|error| QuarantineError::of(&path, error))?;
        Ok(Some(Self { store, id, body, is_done: false }))
    }

    pub(super) fn write(mut self, octets: &[u8]) -> Result<Self> {
        let path = self.store.paths.body(self.id);
        self.body.write(octets).map_err(|error| QuarantineError::of(&path, error))?;
        Ok(self)
    }

    /// Makes it last.
    pub(super) fn finish(mut self, entry: &Entry) -> Result<()> {
        let Store { file_system, paths, .. } = &self.store;
        let (path, folder) = (paths.body(self.id), paths.bodies());
        self.body.sync().map_err(|error| QuarantineError::of(&path, error))?;
        file_system.sync_folder(&folder).map_err(|error| QuarantineError::of(&folder, error))?;
        write_entry(&self.store, entry)?;
        self.is_done = true;
        Ok(())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        // What cannot be removed now is at the next start; the entry first, since octets alone are nothing.
        let Store { file_system, paths, .. } = &self.store;
        let _ = file_system.remove(&paths.entry(self.id));
        let _ = file_system.remove(&paths.body(self.id));
    }
}

/// Writes an entry, in place of the one that is there.
pub(super) fn write_entry(store: &Store, entry: &Entry) -> Result<()> {
    let Store { file_system, paths, .. } = store;
    let id = entry.id;
    let octets = form::encode(entry).map_err(|why| QuarantineError::Damaged { id, why })?;
    let (temporary, folder) = (paths.new_entry(id, entry.version), paths.entries());
    let write = || {
        // Of an attempt that was cut off.
        if file_system.look(&temporary).is_ok() {
            file_system.remove(&temporary)?;
        }
        let mut file = file_system.create(&temporary)?;
        file.write(&octets)?;
        file.sync()?;
        file_system.rename(&temporary, &paths.entry(id))
    };
    write().map_err(|error| {
        let _ = file_system.remove(&temporary);
        QuarantineError::of(&temporary, error)
    })?;
    file_system.sync_folder(&folder).map_err(|error| QuarantineError::of(&folder, error))
}
