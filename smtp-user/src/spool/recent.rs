//! Messages that were taken in a moment ago: they are asked for at once, and their control files need not be read back.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::message_octets::MessageOctets;
use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;

/// What their control files say. It is never newer than what is on disk: who changes a message forgets it here first.
#[derive(Default)]
pub(crate) struct Recent {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    messages: HashMap<MessageId, Kept>,
    /// The oldest first; those that were forgotten too.
    order: VecDeque<MessageId>,
    /// Octets of messages.
    octets: usize,
}

struct Kept {
    message: QueuedMessage,
    /// Known to be the ones that were taken in; none if they have to be read.
    octets: Option<Arc<dyn MessageOctets>>,
}

impl Kept {
    fn length(&self) -> usize {
        self.octets.as_ref().map_or(0, |octets| usize::try_from(octets.len()).unwrap_or(usize::MAX))
    }
}

/// Messages at most; older ones are read from the disk.
const MOST: usize = 1024;
/// Messages with more recipients take more memory than reading them back is worth.
const RECIPIENTS: usize = 20;
/// Octets of messages at most.
const OCTETS: usize = 16 << 20;

impl Inner {
    fn remove(&mut self, id: MessageId) {
        if let Some(kept) = self.messages.remove(&id) {
            self.octets -= kept.length();
        }
    }
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").field("messages", &self.inner().messages.len()).finish_non_exhaustive()
    }
}

impl Recent {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a message is small enough to be kept.
    pub(crate) fn is_worth_it(message: &QueuedMessage) -> bool {
        message.recipients.len() <= RECIPIENTS
    }

    /// Keeps a message that has just been taken in, and its octets if they are known to be its own.
    pub(crate) fn keep(&self, message: Option<QueuedMessage>, octets: Option<Arc<dyn MessageOctets>>) {
        let Some(message) = message else { return };
        let mut inner = self.inner();
        inner.remove(message.id);
        inner.order.push_back(message.id);
        let id = message.id;
        let kept = Kept { message, octets };
        inner.octets += kept.length();
        inner.messages.insert(id, kept);
        while inner.order.len() > MOST || inner.octets > OCTETS {
            let Some(oldest) = inner.order.pop_front() else { return };
            inner.remove(oldest);
        }
    }

    /// Of a message that was changed, or is gone.
    pub(crate) fn forget(&self, id: MessageId) {
        self.inner().remove(id);
    }

    pub(crate) fn get(&self, id: MessageId) -> Option<QueuedMessage> {
        self.inner().messages.get(&id).map(|kept| kept.message.clone())
    }

    /// The octets of a message, if they are kept.
    pub(crate) fn octets(&self, id: MessageId) -> Option<Arc<dyn MessageOctets>> {
        self.inner().messages.get(&id)?.octets.clone()
    }
}
