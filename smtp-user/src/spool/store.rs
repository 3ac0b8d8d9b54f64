//! The spool as the rest of the gateway sees it.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::model::message_octets::MessageOctets;
use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;
use crate::spool::batch::Task;
use crate::spool::config::Config;
use crate::spool::error::{Result, SpoolError};
use crate::spool::file_system::FileSystem;
use crate::spool::file_system::disk::Disk;
use crate::spool::incoming::Incoming;
use crate::spool::place::{Place, Places};
use crate::spool::recent::Recent;
use crate::spool::recovery::{self, Recovered};
use crate::spool::room::{Entry, Room};
use crate::spool::writer::{self, Job};
use crate::spool::{body, folder};

/// The spool. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Spool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file_system: Arc<dyn FileSystem>,
    places: Places,
    room: Arc<Room>,
    recent: Recent,
    jobs: SyncSender<Job>,
    /// Messages that were taken in and that nobody has asked for yet.
    news: Mutex<Vec<MessageId>>,
    has_news: Notify,
    /// Keeps other processes away.
    _lock: Option<File>,
}

/// How often a message is looked for that is in the spool and not where it was.
const LOOKS: u32 = 200;
/// And how long after each other.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

impl Spool {
    /// Opens the spool in a folder, with whatever an earlier daemon left there. Blocks on the disk.
    pub fn open(config: &Config) -> Result<(Self, Recovered)> {
        let lock = folder::claim(&config.folder)?;
        Self::open_with(config, Arc::new(Disk), Some(lock))
    }

    pub(crate) fn open_with(
        config: &Config,
        file_system: Arc<dyn FileSystem>,
        lock: Option<File>,
    ) -> Result<(Self, Recovered)> {
        let places = Places::new(&config.folder);
        folder::prepare(file_system.as_ref(), &places)?;
        let recovered = recovery::recover(file_system.as_ref(), &places)?;
        let entry = |place: Place, version: u64| Entry { place, version };
        let entries: HashMap<MessageId, Entry> = recovered
            .messages
            .iter()
            .map(|(place, message)| (message.id, entry(*place, message.version)))
            .collect();
        let room = Arc::new(Room::new(config, entries));
        let (jobs, _) = writer::start(Arc::clone(&file_system), places.clone(), Arc::clone(&room))
            .map_err(|error| SpoolError::of(&config.folder, error))?;
        let shared = Shared {
            file_system,
            places,
            room,
            recent: Recent::default(),
            jobs,
            news: Mutex::new(Vec::new()),
            has_news: Notify::new(),
            _lock: lock,
        };
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

    /// Messages at most, if there is a limit.
    pub fn limit(&self) -> Option<u64> {
        self.shared.room.limit()
    }

    /// Another limit from now on; messages that are there stay.
    pub fn set_limit(&self, limit: Option<u64>) {
        self.shared.room.set_limit(limit);
    }

    /// Whether a message can be taken in now, of so many octets if that is known. For MAIL.
    pub fn has_room(&self, octets: Option<u64>) -> Result<()> {
        let Shared { room, file_system, places, .. } = &*self.shared;
        room.look(file_system.as_ref(), places.root(), octets.unwrap_or(0))
    }

    /// Begins to take a message in. Blocks on the disk.
    pub fn begin(&self, id: MessageId) -> Result<Incoming> {
        let Shared { room, file_system, places, .. } = &*self.shared;
        if room.is_read_only() {
            return Err(SpoolError::ReadOnly);
        }
        Incoming::begin(id, file_system, places, room.reserve(id)?)
    }

    /// The same for a message of the gateway's own, which the limit is not for: a report makes room for what it tells of.
    pub fn begin_own(&self, id: MessageId) -> Result<Incoming> {
        let Shared { room, file_system, places, .. } = &*self.shared;
        if room.is_read_only() {
            return Err(SpoolError::ReadOnly);
        }
        Incoming::begin(id, file_system, places, room.reserve_own(id)?)
    }

    /// Takes a message in whose octets are written. When this returns `Ok`, no loss of power loses it.
    pub async fn commit(&self, mut incoming: Incoming, message: QueuedMessage, to: Place) -> Result<()> {
        let id = message.id;
        if id != incoming.id() || message.octets != incoming.octets() {
            return Err(SpoolError::Damaged { id, why: "its control data is of other octets".to_owned() });
        }
        let Some((body, slot)) = incoming.take() else { return Err(SpoolError::Closed) };
        let version = message.version;
        let kept = Recent::is_worth_it(&message).then(|| message.clone());
        let task = Task::Commit { body, message: Box::new(message), to };
        self.done(task).await?;
        slot.keep(id, Entry { place: to, version });
        self.shared.recent.keep(kept);
        self.news(id);
        Ok(())
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
        self.done(Task::Update { message: Box::new(next), from: entry.place, to }).await?;
        message.version = version;
        self.shared.recent.forget(id);
        self.shared.room.set(id, Entry { place: to, version });
        Ok(())
    }

    /// Removes a message whose every recipient's case is closed. When this returns `Ok`, no loss of power brings it back.
    pub async fn remove(&self, id: MessageId) -> Result<()> {
        let entry = self.shared.room.get(id).ok_or(SpoolError::NotFound { id })?;
        self.done(Task::Remove { id, from: entry.place }).await?;
        self.shared.recent.forget(id);
        self.shared.room.forget(id);
        Ok(())
    }

    /// Puts a damaged message out of the way.
    pub async fn set_aside(&self, id: MessageId) -> Result<()> {
        let entry = self.shared.room.get(id).ok_or(SpoolError::NotFound { id })?;
        self.done(Task::SetAside { id, from: entry.place }).await?;
        self.shared.recent.forget(id);
        self.shared.room.forget(id);
        Ok(())
    }

    async fn done(&self, task: Task) -> Result<()> {
        let (done, outcome) = oneshot::channel();
        let jobs = self.shared.jobs.clone();
        let job = Job { task, done };
        match jobs.try_send(job) {
            Ok(()) => {}
            Err(std::sync::mpsc::TrySendError::Full(job)) => {
                let sent = tokio::task::spawn_blocking(move || jobs.send(job));
                sent.await.ok().and_then(std::result::Result::ok).ok_or(SpoolError::Closed)?;
            }
            Err(std::sync::mpsc::TrySendError::Disconnected(_)) => return Err(SpoolError::Closed),
        }
        outcome.await.unwrap_or(Err(SpoolError::Closed))
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
        let Shared { room, file_system, places, .. } = &*self.shared;
        let mut looks = 0;
        loop {
            let entry = room.get(id).ok_or(SpoolError::NotFound { id })?;
            match recovery::read_control(file_system.as_ref(), places, entry.place, id) {
                // On its way to another place: it is there when the folders are synced.
                Err(SpoolError::NotFound { .. }) if looks < LOOKS => {
                    looks += 1;
                    std::thread::sleep(BETWEEN_LOOKS);
                }
                read => return Ok((entry.place, read?)),
            }
        }
    }

    /// Opens a message's octets, after having read them once and compared. Blocks on the disk.
    pub fn body(&self, message: &QueuedMessage) -> Result<Box<dyn MessageOctets>> {
        body::open(self.shared.file_system.as_ref(), &self.shared.places, message)
    }

    /// Every message and where it stands, in no order.
    pub fn all(&self) -> Vec<(MessageId, Place)> {
        self.shared.room.all().into_iter().map(|(id, entry)| (id, entry.place)).collect()
    }

    /// Where a message stands.
    pub fn place(&self, id: MessageId) -> Option<Place> {
        self.shared.room.get(id).map(|entry| entry.place)
    }

    /// Whether a write has failed, so that no mail is taken.
    pub fn is_read_only(&self) -> bool {
        self.shared.room.is_read_only()
    }

    /// Tries whether the disk can be written to again. Blocks on the disk.
    pub fn probe(&self) -> Result<()> {
        let Shared { file_system, places, room, .. } = &*self.shared;
        let path = places.incoming().join("probe");
        let attempt = |path: &Path| {
            let _ = file_system.remove(path);
            let mut file = file_system.create(path)?;
            file.write(b"probe\n")?;
            file.sync()?;
            file_system.remove(path)?;
            file_system.sync_folder(&places.incoming())
        };
        attempt(&path).map_err(|error| SpoolError::of(&path, error))?;
        room.set_read_only(false);
        Ok(())
    }

    fn news(&self, id: MessageId) {
        self.shared.news.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        self.shared.has_news.notify_one();
    }

    /// Waits until messages have been taken in, and gives their names.
    pub async fn taken_in(&self) -> Vec<MessageId> {
        loop {
            let news = std::mem::take(&mut *self.shared.news.lock().unwrap_or_else(PoisonError::into_inner));
            if !news.is_empty() {
                return news;
            }
            self.shared.has_news.notified().await;
        }
    }
}
