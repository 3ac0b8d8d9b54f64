//! The spool as whoever takes messages in sees it: it puts them there, tells who works on them, and knows nothing more
//! of them then.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;
use std::time::Instant;

use tracing::{info, warn};

use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;
use crate::spool::config::Config;
use crate::spool::error::{Result, SpoolError};
use crate::spool::file_system::FileSystem;
use crate::spool::file_system::disk::Disk;
use crate::spool::incoming::Incoming;
use crate::spool::news::TakenIn;
use crate::spool::place::{Place, Places, Side};
use crate::spool::shared::Shared;
use crate::spool::{folder, recovery};

/// Where messages are taken in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Intake {
    shared: Arc<Shared>,
}

impl Intake {
    /// Opens the spool in a folder to take messages in; somebody else may work on those that are in it. Blocks on the disk.
    pub fn open(config: &Config) -> Result<Self> {
        let lock = folder::claim(&config.folder, Side::Receiver)?;
        Self::open_with(config, Arc::new(Disk), Some(lock))
    }

    pub(crate) fn open_with(
        config: &Config,
        file_system: Arc<dyn FileSystem>,
        lock: Option<File>,
    ) -> Result<Self> {
        let places = Places::new(&config.folder);
        folder::prepare(file_system.as_ref(), &places)?;
        let count = recovery::recover_intake(file_system.as_ref(), &places)?;
        let shared =
            Shared::start(config, file_system, places, Side::Receiver, HashMap::new(), Vec::new(), lock)?;
        shared.room.hand_over(&[], count);
        Ok(Self { shared: Arc::new(shared) })
    }

    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Says once that the system has too little for messages to be written down, until it was not met with for a while.
    pub(crate) fn met_shortage(&self, error: &SpoolError) {
        if self.shared.shortage.begins(Instant::now()) {
            warn!(
                %error,
                "messages cannot be taken over and are put off (451); `LimitNOFILE=`, `MemoryMax=` and `TasksMax=` in the unit \
                 say how much there may be"
            );
        }
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

    /// Begins to take a message in whose name nobody can have: it was made a moment ago, and is of no other time.
    pub fn begin_new(&self, id: MessageId) -> Result<Incoming> {
        let reservation = self.shared.room.reserve(id)?;
        self.shared.begin(id, reservation).map(Incoming::made_new)
    }

    /// Begins to take a message in that may have been here before. Blocks on the disk.
    pub fn begin(&self, id: MessageId) -> Result<Incoming> {
        let Shared { room, file_system, places, .. } = &*self.shared;
        let reservation = room.reserve(id)?;
        // Names are not given twice; but what is released from quarantine has one already.
        if Place::ALL.iter().any(|place| file_system.look(&places.control(*place, id)).is_ok()) {
            return Err(SpoolError::Exists { id });
        }
        self.shared.begin(id, reservation)
    }

    /// Takes a message in whose octets are written. When this returns `Ok`, no loss of power loses it.
    pub async fn commit(&self, incoming: Incoming, message: QueuedMessage, to: Place) -> Result<()> {
        self.shared.commit(incoming, message, to).await?;
        if let Some(over) = self.shared.shortage.ends(Instant::now()) {
            info!(put_off = over.times, lasted = ?over.lasted, "messages are taken over again");
        }
        Ok(())
    }

    /// Whether a write has failed, so that no mail is taken.
    pub fn is_read_only(&self) -> bool {
        self.shared.room.is_read_only()
    }

    /// Tries whether the disk can be written to again. Blocks on the disk.
    pub fn probe(&self) -> Result<()> {
        self.shared.probe()
    }

    /// Waits until messages have been taken in, and gives them.
    pub async fn taken_in(&self) -> Vec<TakenIn> {
        self.shared.news.hear().await
    }

    /// Messages that nobody has said yet that they are in their care.
    pub fn not_handed_over(&self) -> Vec<TakenIn> {
        let all = self.shared.room.all().into_iter();
        all.map(|(id, entry)| TakenIn::to_be_read(id, entry.slot)).collect()
    }

    /// Somebody works on these now, and has so many messages in all.
    pub fn handed_over(&self, ids: &[MessageId], count: u64) {
        self.shared.room.hand_over(ids, count);
    }
}
