//! How many messages there are, how many there may be, and whether the disk has room for them.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::session_id::MessageId;
use crate::spool::bundle::Slot;
use crate::spool::config::Config;
use crate::spool::error::{Result, SpoolError};
use crate::spool::file_system::FileSystem;
use crate::spool::place::Place;

/// What is known of a message without reading its control file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where it stands.
    pub(crate) place: Place,
    /// Version of its control file.
    pub(crate) version: u64,
    /// Whether its octets stand there, too, and not in a file of their own.
    pub(crate) is_together: bool,
    /// Where it stands if it shares a file with others.
    pub(crate) slot: Option<Slot>,
}

/// The messages there are, and the room for more.
#[derive(Debug)]
pub(crate) struct Room {
    /// [`NO_LIMIT`] is none.
    limit: AtomicU64,
    min_free_octets: u64,
    min_free_files: u64,
    read_only: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<MessageId, Entry>,
    /// Messages that count against the limit: those not in quarantine, and those that are being taken in.
    count: u64,
    /// Messages that count and that another process knows: the dequeuer says how many it has.
    elsewhere: u64,
    /// Files that several messages share.
    bundles: HashMap<MessageId, Bundle>,
}

/// A file that several messages share.
#[derive(Debug, Default)]
struct Bundle {
    /// Marks of those that were taken note of, finished or not.
    known: HashSet<u64>,
    /// How many are yet to be finished.
    left: u32,
}

/// A file that several messages share, as it was found at the start.
#[derive(Debug)]
pub(crate) struct FoundBundle {
    pub(crate) bundle: MessageId,
    /// Marks of all messages that ever stood in it.
    pub(crate) known: HashSet<u64>,
    /// Messages that still do.
    pub(crate) left: u32,
}

/// What is known of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    /// Its message, which may be finished by now.
    Before,
    /// Others of its file.
    Others,
    /// Nothing of its file.
    None,
}

impl Inner {
    fn meet(&mut self, slot: Slot) {
        let bundle = || Bundle { left: slot.of, ..Bundle::default() };
        self.bundles.entry(slot.bundle).or_insert_with(bundle).known.insert(slot.mark);
    }
}

/// A place for one message that is being taken in; given back when dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    room: Arc<Room>,
    kept: bool,
}

const NO_LIMIT: u64 = u64::MAX;

impl Room {
    pub(crate) fn new(config: &Config, entries: HashMap<MessageId, Entry>, found: Vec<FoundBundle>) -> Self {
        let bundles = found.into_iter().map(|found| {
            let FoundBundle { bundle, known, left } = found;
            (bundle, Bundle { known, left })
        });
        let count = entries.values().filter(|entry| entry.place != Place::Quarantine).count() as u64;
        Self {
            limit: AtomicU64::new(config.limit.unwrap_or(NO_LIMIT)),
            min_free_octets: config.min_free_octets,
            min_free_files: config.min_free_files,
            read_only: AtomicBool::new(false),
            inner: Mutex::new(Inner { entries, count, elsewhere: 0, bundles: bundles.collect() }),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Messages at most.
    pub(crate) fn limit(&self) -> Option<u64> {
        Some(self.limit.load(Ordering::Acquire)).filter(|limit| *limit != NO_LIMIT)
    }

    /// Another limit from now on; messages that are there stay.
    pub(crate) fn set_limit(&self, limit: Option<u64>) {
        self.limit.store(limit.unwrap_or(NO_LIMIT), Ordering::Release);
    }

    /// Whether a message of so many octets can be taken in now.
    pub(crate) fn look(
        &self,
        file_system: &dyn FileSystem,
        folder: &std::path::Path,
        octets: u64,
    ) -> Result<()> {
        if self.is_read_only() {
            return Err(SpoolError::ReadOnly);
        }
        if let Some(limit) = self.limit()
            && self.count() >= limit
        {
            return Err(SpoolError::Full { limit });
        }
        let space = file_system.space(folder).map_err(|error| SpoolError::of(folder, error))?;
        let needed = self.min_free_octets.saturating_add(octets);
        if space.octets < needed || space.files < self.min_free_files {
            return Err(SpoolError::NoSpace);
        }
        Ok(())
    }

    /// A place for one more message: however many ask at the same time, there are never more than the limit.
    pub(crate) fn reserve(self: &Arc<Self>, id: MessageId) -> Result<Reservation> {
        self.reserve_within(id, self.limit())
    }

    /// The same whatever the limit, for messages of the gateway's own.
    pub(crate) fn reserve_own(self: &Arc<Self>, id: MessageId) -> Result<Reservation> {
        self.reserve_within(id, None)
    }

    fn reserve_within(self: &Arc<Self>, id: MessageId, limit: Option<u64>) -> Result<Reservation> {
        let mut inner = self.inner();
        if let Some(limit) = limit
            && inner.count + inner.elsewhere >= limit
        {
            return Err(SpoolError::Full { limit });
        }
        if inner.entries.contains_key(&id) {
            return Err(SpoolError::Exists { id });
        }
        inner.count += 1;
        Ok(Reservation { room: Arc::clone(self), kept: false })
    }

    /// Takes note of a message that is in the spool now, or stands elsewhere or in another version.
    pub(crate) fn set(&self, id: MessageId, entry: Entry) {
        let mut inner = self.inner();
        let counts = |place: Place| u64::from(place != Place::Quarantine);
        let before = inner.entries.insert(id, entry);
        inner.count = inner.count + counts(entry.place) - before.map_or(0, |before| counts(before.place));
    }

    /// Takes note of a message that another process put into the spool, unless it is known.
    pub(crate) fn add(&self, id: MessageId, entry: Entry) {
        let mut inner = self.inner();
        if let std::collections::hash_map::Entry::Vacant(place) = inner.entries.entry(id) {
            place.insert(entry);
            inner.count += u64::from(entry.place != Place::Quarantine);
            if let Some(slot) = entry.slot {
                inner.meet(slot);
            }
        }
    }

    /// What is known of a slot of a file that several messages share.
    pub(crate) fn met(&self, slot: Slot) -> Met {
        match self.inner().bundles.get(&slot.bundle) {
            Some(bundle) if bundle.known.contains(&slot.mark) => Met::Before,
            Some(_) => Met::Others,
            None => Met::None,
        }
    }

    /// The file is gone.
    pub(crate) fn forget_bundle(&self, slot: Slot) {
        self.inner().bundles.remove(&slot.bundle);
    }

    /// A message stands in the file no longer; gives whether it was the last.
    pub(crate) fn leave(&self, slot: Slot) -> bool {
        let mut inner = self.inner();
        let Some(bundle) = inner.bundles.get_mut(&slot.bundle) else { return false };
        bundle.left = bundle.left.saturating_sub(1);
        bundle.left == 0
    }

    /// Another process knows of these from now on, and says how many it has in all.
    pub(crate) fn hand_over(&self, ids: &[MessageId], elsewhere: u64) {
        let mut inner = self.inner();
        for id in ids {
            if inner.entries.remove(id).is_some_and(|entry| entry.place != Place::Quarantine) {
                inner.count = inner.count.saturating_sub(1);
            }
        }
        inner.elsewhere = elsewhere;
    }

    /// Takes note of a message that is gone.
    pub(crate) fn forget(&self, id: MessageId) {
        let mut inner = self.inner();
        if let Some(entry) = inner.entries.remove(&id)
            && entry.place != Place::Quarantine
        {
            inner.count = inner.count.saturating_sub(1);
        }
    }

    pub(crate) fn get(&self, id: MessageId) -> Option<Entry> {
        self.inner().entries.get(&id).copied()
    }

    pub(crate) fn all(&self) -> Vec<(MessageId, Entry)> {
        self.inner().entries.iter().map(|(id, entry)| (*id, *entry)).collect()
    }

    pub(crate) fn count(&self) -> u64 {
        let inner = self.inner();
        inner.count + inner.elsewhere
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Acquire)
    }

    /// Says whether the disk can be relied on; gives what was known before.
    pub(crate) fn set_read_only(&self, read_only: bool) -> bool {
        self.read_only.swap(read_only, Ordering::AcqRel)
    }
}

impl Reservation {
    /// The message is in the spool; its entry counts for it from now on.
    pub(crate) fn keep(mut self, id: MessageId, entry: Entry) {
        self.kept = true;
        let mut inner = self.room.inner();
        inner.entries.insert(id, entry);
        if entry.place == Place::Quarantine {
            inner.count = inner.count.saturating_sub(1);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.kept {
            let mut inner = self.room.inner();
            inner.count = inner.count.saturating_sub(1);
        }
    }
}
