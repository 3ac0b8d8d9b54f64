//! A message that is one's own for a while: to release it, or to delete it.

use rustix::fs::{FlockOperation, flock};

use crate::model::message_octets::MessageOctets;
use crate::model::session_id::MessageId;
use crate::quarantine::entry::{Entry, Release};
use crate::quarantine::error::{QuarantineError, Result};
use crate::quarantine::store::Store;
use crate::quarantine::writing::write_entry;

/// A message that nobody else releases or deletes meanwhile, in this process or another. It ends with the process, however
/// that ends. Its methods block on the disk.
pub struct Claim {
    store: Store,
    id: MessageId,
    /// What it is known by; or why that cannot be read, which does not keep it from being deleted.
    entry: Result<Entry>,
    /// The octets' file, open and locked.
    _lock: Option<Box<dyn MessageOctets>>,
}

impl Claim {
    pub(super) fn take(store: &Store, id: MessageId) -> Result<Self> {
        let lock = store.file_system.open(&store.paths.body(id)).ok();
        if let Some(file) = lock.as_ref().and_then(|file| file.as_file())
            && flock(file, FlockOperation::NonBlockingLockExclusive).is_err()
        {
            return Err(QuarantineError::Busy { id });
        }
        // Read behind the lock: somebody may have released or deleted it just before.
        match store.get(id) {
            Err(error @ QuarantineError::NotThere { .. }) => Err(error),
            entry => Ok(Self { store: store.clone(), id, entry, _lock: lock }),
        }
    }

    /// What is known of it.
    pub fn entry(&self) -> Result<&Entry> {
        self.entry.as_ref().map_err(|error| match error {
            QuarantineError::Damaged { id, why } => QuarantineError::Damaged { id: *id, why: why.clone() },
            error => QuarantineError::Damaged { id: self.id, why: error.to_string() },
        })
    }

    /// Its octets, if they are still those that were put there.
    pub fn body(&self) -> Result<Box<dyn MessageOctets>> {
        self.store.body(self.entry()?)
    }

    /// Writes down how far its release is. When this returns `Ok`, no loss of power brings the earlier state back.
    pub fn set(&mut self, release: Release) -> Result<()> {
        self.change(|entry| entry.release = release)
    }

    /// Writes down what has changed about it. When this returns `Ok`, no loss of power brings the earlier state back.
    pub fn change(&mut self, change: impl FnOnce(&mut Entry)) -> Result<()> {
        let mut next = self.entry()?.clone();
        change(&mut next);
        next.version += 1;
        write_entry(&self.store, &next)?;
        self.entry = Ok(next);
        Ok(())
    }

    /// Forgets it. When this returns `Ok`, no loss of power brings it back.
    pub fn delete(self) -> Result<()> {
        let Store { file_system, paths, .. } = &self.store;
        let (entry, folder) = (paths.entry(self.id), paths.entries());
        file_system.remove(&entry).map_err(|error| QuarantineError::of(&entry, error))?;
        file_system.sync_folder(&folder).map_err(|error| QuarantineError::of(&folder, error))?;
        // What cannot be removed now is at the next start: without an entry it is nothing.
        let _ = file_system.remove(&paths.body(self.id));
        Ok(())
    }
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim").field("id", &self.id).finish_non_exhaustive()
    }
}
