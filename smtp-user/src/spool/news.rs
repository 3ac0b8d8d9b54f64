//! Messages that were taken in and that nobody works on yet: their names, and what their files hold, so that whoever works
//! on them next need not read back what is in memory anyway.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::model::session_id::MessageId;
use crate::spool::bundle::Slot;

/// A message that was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenIn {
    /// Which.
    pub id: MessageId,
    /// What its control file holds, with the message's own octets; none if it has to be read.
    pub file: Option<Arc<Vec<u8>>>,
    /// Where it stands if it shares a file with others.
    pub slot: Option<Slot>,
}

impl TakenIn {
    /// One whose file has to be read.
    pub const fn to_be_read(id: MessageId, slot: Option<Slot>) -> Self {
        Self { id, file: None, slot }
    }
}

/// Those that nobody has asked for yet.
#[derive(Debug, Default)]
pub(super) struct News {
    inner: Mutex<Inner>,
    has_some: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    messages: Vec<TakenIn>,
    /// Octets of their files.
    octets: usize,
}

/// Octets of files at most; those of further messages are read.
const OCTETS: usize = 8 << 20;

impl News {
    /// Says that a message has been taken in.
    pub(super) fn tell(&self, mut message: TakenIn) {
        {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            let octets = message.file.as_ref().map_or(0, |file| file.len());
            if inner.octets + octets > OCTETS {
                message.file = None;
            } else {
                inner.octets += octets;
            }
            inner.messages.push(message);
        }
        self.has_some.notify_one();
    }

    /// Waits until messages have been taken in, and gives them.
    pub(super) async fn hear(&self) -> Vec<TakenIn> {
        loop {
            let heard = std::mem::take(&mut *self.inner.lock().unwrap_or_else(PoisonError::into_inner));
            if !heard.messages.is_empty() {
                return heard.messages;
            }
            self.has_some.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_are_kept_up_to_a_bound_and_names_without_one() {
        let news = News::default();
        let session = crate::model::session_id::SessionId::new(1, [1; 10]);
        let id = |number| MessageId { session, number };
        let file = Arc::new(vec![b'x'; OCTETS / 2]);
        for number in 1..=3 {
            news.tell(TakenIn { id: id(number), file: Some(Arc::clone(&file)), slot: None });
        }
        let heard = news.hear().await;
        assert_eq!(heard.iter().map(|message| message.id).collect::<Vec<_>>(), [id(1), id(2), id(3)]);
        assert_eq!(
            heard.iter().map(|message| message.file.is_some()).collect::<Vec<_>>(),
            [true, true, false]
        );
        // What was heard takes no room any more.
        news.tell(TakenIn { id: id(4), file: Some(file), slot: None });
        assert!(news.hear().await.iter().all(|message| message.file.is_some()));
    }
}
