//! The spool as whoever works on messages sees it: judges, delivers, changes, removes.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::model::message_octets::MessageOctets;
use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;
use crate::spool::batch::Task;
use crate::spool::config::Config;
use crate::spool::error::{Result, SpoolError};
use crate::spool::file_system::FileSystem;
use crate::spool::file_system::disk::Disk;
use crate::spool::incoming::Incoming;
use crate::spool::intake::Intake;
use crate::spool::news::TakenIn;
use crate::spool::place::{Place, Places, Side, id_of};
use crate::spool::recent::Recent;
use crate::spool::recovery::{self, Recovered};
use crate::spool::room::{Entry, Met};
use crate::spool::shared::Shared;
use crate::spool::stored::{self, Stored, Wanted};
use crate::spool::{body, folder};

/// The spool. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Spool {
    shared: Arc<Shared>,
}

/// How often a message is looked for that is in the spool and not where it was.
const LOOKS: u32 = 200;
/// And how long after each other.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

impl Spool {
    /// Opens the spool in a folder, with whatever an earlier daemon left there. Blocks on the disk.
    pub fn open(config: &Config) -> Result<(Self, Recovered)> {
        let lock = folder::claim(&config.folder, Side::Dequeuer)?;
        Self::open_with(config, Arc::new(Disk), Some(lock))
    }

    pub(crate) fn open_with(
        config: &Config,
        file_system: Arc<dyn FileSystem>,
        lock: Option<File>,
    ) -> Result<(Self, Recovered)> {
        let places = Places::new(&config.folder);
        folder::prepare(file_system.as_ref(), &places)?;
        let mut recovered = recovery::recover(file_system.as_ref(), &places)?;
        let bundles = std::mem::take(&mut recovered.bundles);
        let entry = |place: Place, message: &QueuedMessage| {
            let slot = recovered.together.get(&message.id).copied();
            let (version, is_together) = (message.version, slot.is_some());
            Entry { place, version, is_together, slot: slot.flatten() }
        };
        let entries: HashMap<MessageId, Entry> =
            recovered.messages.iter().map(|(place, message)| (message.id, entry(*place, message))).collect();
        let shared = Shared::start(config, file_system, places, Side::Dequeuer, entries, bundles, lock)?;
        Ok((Self { shared: Arc::new(shared) }, recovered))
    }

    /// Its folder.
    pub fn places(&self) -> &Places {
        &self.shared.places
    }

    /// Messages that count against the limit.
    pub fn count(&self) -> u64 {
        self.shared.room.count()
    }

    /// The other side of the same spool, in this process.
    pub fn intake(&self) -> Intake {
        Intake::new(Arc::clone(&self.shared))
    }

    /// Waits until the number of messages may have changed.
    pub async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    /// Wakes whoever waits for that.
    pub fn say_changed(&self) {
        self.shared.changed.notify_one();
    }

    /// Messages that somebody else has put there and that are not known here.
    pub fn unknown(&self) -> Result<Vec<TakenIn>> {
        let Shared { room, file_system, places, .. } = &*self.shared;
        let folder = places.folder(Place::Active);
        let names = file_system.list(&folder).map_err(|error| SpoolError::of(&folder, error))?;
        let alone = names.iter().filter_map(|name| id_of(name)).map(|id| TakenIn::to_be_read(id, None));
        let bundled = recovery::bundled(file_system.as_ref(), places)?;
        let bundled = bundled.into_iter().map(|(id, slot)| TakenIn::to_be_read(id, Some(slot)));
        Ok(alone.chain(bundled).filter(|taken_in| room.get(taken_in.id).is_none()).collect())
    }

    /// Takes note of a message that somebody else has put there, unless it is known, or gone by now. Blocks on the disk.
    pub fn take_note(&self, taken_in: TakenIn) -> Result<()> {
        let Shared { room, file_system, places, recent, changed, .. } = &*self.shared;
        let TakenIn { id, file, slot } = taken_in;
        if room.get(id).is_some() {
            return Ok(());
        }
        // It may have been found at the start, and be finished by now.
        let is_there = match slot.map(|slot| (room.met(slot), places.bundle(slot.bundle))) {
            Some((Met::Before, _)) => return Ok(()),
            Some((Met::Others, _)) => None,
            Some((Met::None, path)) => Some(path),
            None => Some(places.control(Place::Active, id)),
        };
        // Only what came from the disk may be other than it was.
        let told = file.and_then(|file| stored::of_file(id, file).ok());
        let place = Place::Active;
        let entry = Entry { place, version: 0, is_together: false, slot };
        let found = match (told, is_there.map(|path| file_system.look(&path))) {
            (_, Some(Err(error))) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            (Some((message, octets)), _) => Ok((message, true, Some(Arc::new(octets) as _))),
            (None, _) => stored::read_entry(file_system.as_ref(), places, id, &entry, Wanted::All).map(
                |Stored { message, is_together, octets, .. }| {
                    // Others are found out when they are to be sent.
                    let are_its = body::are_its(&message, &octets);
                    (message, is_together, are_its.then(|| Arc::new(octets) as _))
                },
            ),
        };
        match found {
            Ok((message, is_together, octets)) => {
                room.add(id, Entry { version: message.version, is_together, ..entry });
                recent.keep(Recent::is_worth_it(&message).then_some(message), octets);
            }
            Err(SpoolError::NotFound { .. }) => return Ok(()),
            // Known nevertheless, so that it can be set aside.
            Err(error @ SpoolError::Damaged { .. }) => {
                room.add(id, entry);
                return Err(error);
            }
            Err(error) => return Err(error),
        }
        changed.notify_one();
        self.shared.news.tell(TakenIn::to_be_read(id, slot));
        Ok(())
    }

    /// Begins to take in a message of the gateway's own, which the limit is not for: a report makes room for what it tells
    /// of. Blocks on the disk.
    pub fn begin_own(&self, id: MessageId) -> Result<Incoming> {
        self.shared.begin(id, self.shared.room.reserve_own(id)?)
    }

    /// Takes a message in whose octets are written. When this returns `Ok`, no loss of power loses it.
    pub async fn commit(&self, incoming: Incoming, message: QueuedMessage, to: Place) -> Result<()> {
        self.shared.commit(incoming, message, to).await
    }

    /// Writes another version of a message's control file. When this returns `Ok`, no loss of power brings the older one
    /// back; if not, either may be there.
    pub async fn update(&self, message: &mut QueuedMessage, to: Place) -> Result<()> {
        let id = message.id;
        let entry = self.shared.room.get(id).ok_or(SpoolError::NotFound { id })?;
        if entry.version != message.version {
            return Err(SpoolError::Stale { id });
        }
        let mut next = message.clone();
        next.version += 1;
        let version = next.version;
        let is_together = entry.is_together;
        self.shared.done(Task::Update { message: Box::new(next), from: entry, to }).await?;
        message.version = version;
        self.shared.recent.forget(id);
        self.shared.room.set(id, Entry { place: to, version, is_together, slot: None });
        if to != entry.place {
            self.shared.changed.notify_one();
        }
        Ok(())
    }

    /// Removes a message whose every recipient's case is closed. When this returns `Ok`, no loss of power brings it back.
    pub async fn remove(&self, id: MessageId) -> Result<()> {
        let entry = self.shared.room.get(id).ok_or(SpoolError::NotFound { id })?;
        let Entry { place: from, is_together, slot, .. } = entry;
        self.shared.done(Task::Remove { id, from, is_together, slot }).await?;
        self.shared.recent.forget(id);
        self.shared.room.forget(id);
        self.shared.changed.notify_one();
        Ok(())
    }

    /// Puts a damaged message out of the way.
    pub async fn set_aside(&self, id: MessageId) -> Result<()> {
        let entry = self.shared.room.get(id).ok_or(SpoolError::NotFound { id })?;
        self.shared.done(Task::SetAside { id, from: entry.place, slot: entry.slot }).await?;
        self.shared.recent.forget(id);
        self.shared.room.forget(id);
        self.shared.changed.notify_one();
        Ok(())
    }

    /// What the control file of a message says that was taken in a moment ago and not changed since; the file need not
    /// be read for it.
    pub fn recent(&self, id: MessageId) -> Option<(Place, QueuedMessage)> {
        let entry = self.shared.room.get(id)?;
        let message = self.shared.recent.get(id).filter(|message| message.version == entry.version)?;
        Some((entry.place, message))
    }

    /// Reads a message's control file. Blocks on the disk.
    pub fn load(&self, id: MessageId) -> Result<(Place, QueuedMessage)> {
        let Shared { file_system, places, .. } = &*self.shared;
        let read = |entry: &Entry| stored::read_entry(file_system.as_ref(), places, id, entry, Wanted::Known);
        self.look(id, read).map(|(place, stored)| (place, stored.message))
    }

    /// Reads something of a message where it stands.
    fn look<T>(&self, id: MessageId, read: impl Fn(&Entry) -> Result<T>) -> Result<(Place, T)> {
        let mut looks = 0;
        loop {
            let entry = self.shared.room.get(id).ok_or(SpoolError::NotFound { id })?;
            match read(&entry) {
                // On its way to another place: it is there when the folders are synced.
                Err(SpoolError::NotFound { .. }) if looks < LOOKS => {
                    looks += 1;
                    std::thread::sleep(BETWEEN_LOOKS);
                }
                read => return Ok((entry.place, read?)),
            }
        }
    }

    /// A message's octets, after having read them once and compared. Blocks on the disk.
    pub fn body(&self, message: &QueuedMessage) -> Result<Arc<dyn MessageOctets>> {
        let Shared { room, file_system, places, .. } = &*self.shared;
        let id = message.id;
        if let Some(octets) = self.body_at_hand(message) {
            return Ok(octets);
        }
        if !room.get(id).is_some_and(|entry| entry.is_together) {
            return body::open(file_system.as_ref(), places, message).map(Arc::from);
        }
        self.look(id, |entry| body::open_at(file_system.as_ref(), places, entry, message))
            .map(|(_, octets)| Arc::from(octets))
    }

    /// The octets of a message that was taken in a moment ago and compared then; nothing is read for it.
    pub fn body_at_hand(&self, message: &QueuedMessage) -> Option<Arc<dyn MessageOctets>> {
        self.shared.recent.octets(message.id).filter(|octets| octets.len() == message.octets)
    }

    /// Every message and where it stands, in no order.
    pub fn all(&self) -> Vec<(MessageId, Place)> {
        self.shared.room.all().into_iter().map(|(id, entry)| (id, entry.place)).collect()
    }

    /// Where a message stands.
    pub fn place(&self, id: MessageId) -> Option<Place> {
        self.shared.room.get(id).map(|entry| entry.place)
    }

    /// Waits until messages have been taken in, and gives their names.
    pub async fn taken_in(&self) -> Vec<MessageId> {
        self.shared.news.hear().await.into_iter().map(|message| message.id).collect()
    }
}
