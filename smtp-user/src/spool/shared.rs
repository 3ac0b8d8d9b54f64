//! What both sides of a spool have: the disk, the room, the thread that writes, and news of what was taken in.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};

use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;
use crate::model::shortage::Shortage;
use crate::spool::batch::{Content, Outcome, Task};
use crate::spool::config::Config;
use crate::spool::control;
use crate::spool::error::{Result, SpoolError};
use crate::spool::file_system::FileSystem;
use crate::spool::incoming::{Incoming, Octets};
use crate::spool::news::{News, TakenIn};
use crate::spool::place::{Place, Places, Side};
use crate::spool::recent::Recent;
use crate::spool::room::{Entry, FoundBundle, Reservation, Room};
use crate::spool::writer::{self, Job};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) file_system: Arc<dyn FileSystem>,
    pub(super) places: Places,
    pub(super) side: Side,
    /// Octets of a message that stands in one file with what is known of it.
    together: u64,
    pub(super) room: Arc<Room>,
    pub(super) recent: Recent,
    /// The number of messages has changed, perhaps.
    pub(super) changed: Notify,
    /// The system had too little for a message.
    pub(super) shortage: Shortage,
    jobs: SyncSender<Job>,
    /// Messages that were taken in and that nobody has asked for yet.
    pub(super) news: News,
    /// Keeps other processes away.
    _lock: Option<File>,
}

impl Shared {
    pub(super) fn start(
        config: &Config,
        file_system: Arc<dyn FileSystem>,
        places: Places,
        side: Side,
        entries: HashMap<MessageId, Entry>,
        bundles: Vec<FoundBundle>,
        lock: Option<File>,
    ) -> Result<Self> {
        let room = Arc::new(Room::new(config, entries, bundles));
        let (jobs, _) = writer::start(Arc::clone(&file_system), places.clone(), side, Arc::clone(&room))
            .map_err(|error| SpoolError::of(&config.folder, error))?;
        Ok(Self {
            file_system,
            places,
            side,
            together: config.together,
            room,
            recent: Recent::default(),
            changed: Notify::new(),
            shortage: Shortage::default(),
            jobs,
            news: News::default(),
            _lock: lock,
        })
    }

    /// Begins to take a message in that there is a place for.
    pub(super) fn begin(&self, id: MessageId, reservation: Reservation) -> Result<Incoming> {
        if self.room.is_read_only() {
            return Err(SpoolError::ReadOnly);
        }
        Ok(Incoming::begin(id, &self.file_system, &self.places, self.side, self.together, reservation))
    }

    /// Takes a message in whose octets are written. When this returns `Ok`, no loss of power loses it.
    pub(super) async fn commit(
        &self,
        mut incoming: Incoming,
        message: QueuedMessage,
        to: Place,
    ) -> Result<()> {
        let id = message.id;
        if id != incoming.id() || message.octets != incoming.octets() {
            return Err(SpoolError::Damaged { id, why: "its control data is of other octets".to_owned() });
        }
        let may_share = self.side == Side::Receiver && to == Place::Active && incoming.may_share();
        let Some((octets, reservation)) = incoming.take() else { return Err(SpoolError::Closed) };
        let version = message.version;
        let content = match octets {
            Octets::Together(octets) => Content::Together(Arc::new(
                control::encode_with(&message, &octets)
                    .map_err(|error| SpoolError::Damaged { id, why: error.to_string() })?,
            )),
            Octets::Apart(file) => Content::Apart(file),
        };
        // Whoever works on messages is either here, or is told.
        let is_kept = self.side == Side::Dequeuer && Recent::is_worth_it(&message);
        let kept = is_kept.then(|| message.clone());
        let file = match &content {
            Content::Together(file) if self.side == Side::Receiver => Some(Arc::clone(file)),
            _ => None,
        };
        let is_together = matches!(content, Content::Together(_));
        let slot = self.done(Task::Commit { content, message: Box::new(message), to, may_share }).await?;
        reservation.keep(id, Entry { place: to, version, is_together, slot });
        self.recent.keep(kept, None);
        self.changed.notify_one();
        self.news.tell(TakenIn { id, file, slot });
        Ok(())
    }

    pub(super) async fn done(&self, task: Task) -> Outcome {
        let (done, outcome) = oneshot::channel();
        let jobs = self.jobs.clone();
        let runtime = Handle::try_current().ok();
        match jobs.try_send(Job { task, done, runtime }) {
            Ok(()) => {}
            Err(TrySendError::Full(job)) => {
                let sent = tokio::task::spawn_blocking(move || jobs.send(job));
                sent.await.ok().and_then(std::result::Result::ok).ok_or(SpoolError::Closed)?;
            }
            Err(TrySendError::Disconnected(_)) => return Err(SpoolError::Closed),
        }
        outcome.await.unwrap_or(Err(SpoolError::Closed))
    }

    /// Tries whether the disk can be written to again. Blocks on the disk.
    pub(super) fn probe(&self) -> Result<()> {
        let path = self.places.probe(self.side);
        let attempt = |path: &Path| {
            let _ = self.file_system.remove(path);
            let mut file = self.file_system.create(path)?;
            file.write(b"probe\n")?;
            file.sync()?;
            self.file_system.remove(path)?;
            self.file_system.sync_folder(&self.places.incoming())
        };
        attempt(&path).map_err(|error| SpoolError::of(&path, error))?;
        self.room.set_read_only(false);
        Ok(())
    }
}
