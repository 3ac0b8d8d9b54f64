//! What the writer is asked for, and what comes of it.

use std::sync::Arc;

use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;
use crate::spool::bundle::Slot;
use crate::spool::error::Result;
use crate::spool::file_system::NewFile;
use crate::spool::place::Place;
use crate::spool::room::Entry;

/// One thing to be done.
#[derive(Debug)]
pub(crate) enum Task {
    /// A new message, which may share a file with others that come at the same time.
    Commit { content: Content, message: Box<QueuedMessage>, to: Place, may_share: bool },
    /// Another version of a control file.
    Update { message: Box<QueuedMessage>, from: Entry, to: Place },
    /// A message is finished.
    Remove { id: MessageId, from: Place, is_together: bool, slot: Option<Slot> },
    /// A message is damaged.
    SetAside { id: MessageId, from: Place, slot: Option<Slot> },
    /// New messages in one file; made of several tasks.
    Bundle { first: MessageId, octets: Arc<Vec<u8>> },
    /// Messages that share a file stand there no more; made of several tasks.
    Mark { bundle: MessageId, places: Vec<u64> },
}

impl Task {
    /// Whether nobody waits for it: a message that is finished may be removed a little later.
    pub(crate) const fn can_wait(&self) -> bool {
        matches!(self, Self::Remove { .. })
    }

    /// The slot that a message leaves by it.
    pub(crate) fn leaves(&self) -> Option<Slot> {
        match self {
            Self::Update { from, .. } => from.slot,
            Self::Remove { slot, .. } | Self::SetAside { slot, .. } => *slot,
            Self::Commit { .. } | Self::Bundle { .. } | Self::Mark { .. } => None,
        }
    }
}

/// Whether something is done for good; of a new message that shares a file with others, where it stands.
pub(crate) type Outcome = Result<Option<Slot>>;

/// What there is of a new message.
#[derive(Debug)]
pub(crate) enum Content {
    /// All that its control file is to hold, with its octets.
    Together(Arc<Vec<u8>>),
    /// Its octets are in a file of their own, which is here until it is synced.
    Apart(Option<Box<dyn NewFile>>),
}
