//! Messages that were taken in a moment ago: they are asked for at once, and their control files need not be read back.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;

/// What their control files say. It is never newer than what is on disk: who changes a message forgets it here first.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    messages: HashMap<MessageId, QueuedMessage>,
    /// The oldest first; those that were forgotten too.
    order: VecDeque<MessageId>,
}

/// Messages at most; older ones are read from the disk.
const MOST: usize = 1024;
/// Messages with more recipients take more memory than reading them back is worth.
const RECIPIENTS: usize = 20;

impl Recent {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a message is small enough to be kept.
    pub(crate) fn is_worth_it(message: &QueuedMessage) -> bool {
        message.recipients.len() <= RECIPIENTS
    }

    /// Keeps a message that has just been taken in.
    pub(crate) fn keep(&self, message: Option<QueuedMessage>) {
        let Some(message) = message else { return };
        let mut inner = self.inner();
        inner.order.push_back(message.id);
        inner.messages.insert(message.id, message);
        if inner.order.len() > MOST
            && let Some(oldest) = inner.order.pop_front()
        {
            inner.messages.remove(&oldest);
        }
    }

    /// Of a message that was changed, or is gone.
    pub(crate) fn forget(&self, id: MessageId) {
        self.inner().messages.remove(&id);
    }

    pub(crate) fn get(&self, id: MessageId) -> Option<QueuedMessage> {
        self.inner().messages.get(&id).cloned()
    }
}
