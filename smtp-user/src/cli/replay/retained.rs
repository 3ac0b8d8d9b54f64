//! Messages that are still there: in quarantine and in the spool, each once.

use std::collections::HashSet;

use crate::app::config::Config;
use crate::cli::queue;
use crate::event::session_event::PartRecord;
use crate::model::decision::Decision;
use crate::model::message_octets::MessageOctets;
use crate::model::queued_message::{QueuedMessage, QueuedRecipient, QueuedSender};
use crate::model::session_id::MessageId;
use crate::quarantine;
use crate::quarantine::entry::Entry;
use crate::quarantine::store::Store;
use crate::spool::body;
use crate::spool::file_system::disk::Disk;
use crate::spool::place::{Place as SpoolPlace, Places};

/// A message that is still there as it came.
pub(super) struct Retained {
    pub(super) id: MessageId,
    /// Since when it is kept, microseconds since 1970.
    pub(super) since: u64,
    /// The resource that it came under.
    pub(super) resource: String,
    /// What was decided; `None` if nobody has looked yet.
    pub(super) decision: Option<Decision>,
    /// The rule on parts that decided, if one did.
    pub(super) part_rule: Option<String>,
    /// Whether that is kept: in the spool it is not.
    pub(super) has_rule: bool,
    /// What was found out about each part, if that is kept.
    pub(super) parts: Vec<PartRecord>,
    place: Place,
}

enum Place {
    Quarantine(Store, Box<Entry>),
    Spool(Places, SpoolPlace, Box<QueuedMessage>),
}

/// Messages, and what cannot be read, and why.
pub(super) type Found = (Vec<Retained>, Vec<(MessageId, String)>);

/// All of them that are kept since then, oldest first; and those that cannot be read.
pub(super) fn all(config: &Config, since: u64) -> anyhow::Result<Found> {
    let store = Store::at(&config.gateway.data_dir.join(quarantine::FOLDER));
    let listing = store.list()?;
    // What goes on in their place may be in the spool, and is not what came.
    let kept: HashSet<MessageId> = listing.entries.iter().map(|entry| entry.id).collect();
    let mut messages: Vec<Retained> =
        listing.entries.into_iter().map(|entry| Retained::in_quarantine(&store, entry)).collect();
    let folder = config.spool.rundir.clone().unwrap_or_else(|| config.gateway.data_dir.join("spool"));
    if folder.is_dir() {
        let places = Places::new(&folder);
        let queued = queue::all(&places)?.into_iter();
        // Notifications are our own, and nobody judges them.
        let queued = queued.filter(|(_, message)| message.about.is_none() && !kept.contains(&message.id));
        messages.extend(queued.map(|(place, message)| Retained::in_spool(&places, place, message)));
    }
    messages.retain(|message| message.since >= since);
    messages.sort_by_key(|message| (message.since, message.id));
    Ok((messages, listing.damaged))
}

impl Retained {
    fn in_quarantine(store: &Store, entry: Entry) -> Self {
        Self {
            id: entry.id,
            since: entry.kept,
            resource: entry.peers.resource.clone(),
            decision: Some(entry.decision.clone()),
            part_rule: entry.part_rule.clone(),
            has_rule: true,
            parts: entry.parts.clone(),
            place: Place::Quarantine(store.clone(), Box::new(entry)),
        }
    }

    fn in_spool(places: &Places, place: SpoolPlace, message: QueuedMessage) -> Self {
        Self {
            id: message.id,
            since: message.received,
            resource: message.resource.clone(),
            decision: message.judgement.as_ref().map(|kept| kept.decision.clone()),
            part_rule: None,
            has_rule: false,
            parts: Vec::new(),
            place: Place::Spool(places.clone(), place, Box::new(message)),
        }
    }

    /// Where it is kept.
    pub(super) const fn place(&self) -> &'static str {
        match self.place {
            Place::Quarantine(..) => "quarantine",
            Place::Spool(..) => "spool",
        }
    }

    /// Whom it is from, and for whom it is.
    pub(super) fn envelope(&self) -> (&QueuedSender, &[QueuedRecipient]) {
        match &self.place {
            Place::Quarantine(_, entry) => (&entry.sender, &entry.recipients),
            Place::Spool(_, _, message) => (&message.sender, &message.recipients),
        }
    }

    /// Its octets, compared with their checksum.
    pub(super) fn open(&self) -> anyhow::Result<Box<dyn MessageOctets>> {
        match &self.place {
            Place::Quarantine(store, entry) => Ok(store.body(entry)?),
            Place::Spool(places, place, message) => Ok(body::open_in(&Disk, places, *place, message)?),
        }
    }
}
