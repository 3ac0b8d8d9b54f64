//! What an operator wants done about messages in quarantine: one at a time, written down before it is answered. The daemon
//! does it if it runs, and the command if not.

mod release;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::audit::recorder::Recorder;
use crate::delivery::session::Manners;
use crate::event::session_event::SessionEvent;
use crate::model::clock::Clock;
use crate::model::session_id::MessageId;
use crate::model::tls_demand::TlsDecider;
use crate::model::tracking::Tracking;
use crate::quarantine::claim::Claim;
use crate::quarantine::entry::{Entry, Release};
use crate::quarantine::error::QuarantineError;
use crate::quarantine::store::Store;
use crate::spool::error::SpoolError;
use crate::spool::intake::Intake;

/// What is to be done about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// It is delivered, once, and not judged again.
    Release,
    /// It is removed, and nobody is told.
    Delete,
}

/// What is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// What is to be done.
    pub order: Order,
    /// About which messages.
    pub ids: Vec<MessageId>,
    /// Although an earlier release was cut off and nobody knows whether it arrived.
    pub again: bool,
    /// Who asks, for the record.
    pub who: String,
}

/// What became of it, for one message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Which.
    pub id: MessageId,
    /// What was done; `None` if nothing was.
    pub done: Option<String>,
    /// Why it was not done.
    pub error: Option<String>,
}

/// What it is done with.
#[derive(Clone, Debug)]
pub struct Desk {
    /// The messages.
    pub store: Store,
    /// How messages go, by name of their resource.
    pub ways: HashMap<String, Way>,
    /// Writes down what was done; a command whose records cannot be opened has none, and says so.
    pub recorder: Option<Recorder>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// How messages of a resource go.
#[derive(Clone)]
pub enum Way {
    /// Into the spool, from which they are delivered as others are.
    Spool(Intake),
    /// To where they would have gone.
    Direct(Manners),
    /// The resource has a spool, and it could not be opened: why.
    Shut(String),
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spool(_) => "Spool",
            Self::Direct(_) => "Direct",
            Self::Shut(_) => "Shut",
        })
    }
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The quarantine cannot do it.
    #[error(transparent)]
    Quarantine(#[from] QuarantineError),
    /// The spool does not take it.
    #[error("the spool does not take it: {0}")]
    Spool(#[from] SpoolError),
    /// Once is enough.
    #[error("it was released before, to {to}: {reply}")]
    Already {
        /// To whom.
        to: String,
        /// What was answered.
        reply: String,
    },
    /// The process ended in the midst of it, or the answer never came.
    #[error(
        "a release to {to} was cut off, and nobody knows whether it arrived: look there, and then `release --again` or `delete --again`"
    )]
    Uncertain {
        /// To whom.
        to: String,
    },
    /// The configuration was changed since.
    #[error("the configuration has no resource `{resource}`, which says how it is delivered")]
    NoResource {
        /// Its name.
        resource: String,
    },
    /// There is a spool, and it cannot be used.
    #[error("the spool of resource `{resource}` cannot be opened: {why}")]
    Shut {
        /// The resource's name.
        resource: String,
        /// Why.
        why: String,
    },
    /// The next hop did not take it; it stays where it is.
    #[error("it was not taken: {why}")]
    NotTaken {
        /// What was said, and by whom.
        why: String,
    },
}

impl Desk {
    /// Carries one order out; gives what was done.
    pub async fn carry_out(&self, request: &Request, id: MessageId) -> Answer {
        let done = match request.order {
            Order::Release => release::release(self, id, request).await,
            Order::Delete => self.delete(id, request).await,
        };
        match done {
            Ok(done) => Answer { id, done: Some(done), error: None },
            Err(error) => Answer { id, done: None, error: Some(error.to_string()) },
        }
    }

    async fn delete(&self, id: MessageId, request: &Request) -> Result<String, OrderError> {
        let store = self.store.clone();
        let again = request.again;
        let entry = aside(move || {
            let claim = store.claim(id)?;
            let entry = claim.entry().ok().cloned();
            if let Some(Release::Releasing { to, .. }) = entry.as_ref().map(|entry| &entry.release)
                && !again
            {
                return Err(OrderError::Uncertain { to: to.clone() });
            }
            claim.delete()?;
            Ok(entry)
        })
        .await?;
        let why = format!("by {} from quarantine", request.who);
        self.record(id, entry.as_ref(), "deleted", Vec::new(), why).await;
        Ok("deleted".to_owned())
    }

    /// Writes down what was done. Nobody who reads the answer finds no record of it.
    async fn record(
        &self,
        id: MessageId,
        entry: Option<&Entry>,
        outcome: &str,
        recipients: Vec<String>,
        why: String,
    ) {
        let Some(recorder) = &self.recorder else { return };
        let event = SessionEvent::Dequeued {
            outcome: outcome.to_owned(),
            recipients,
            why,
            rule_name: entry.map(|entry| entry.peers.rule_name.clone()).unwrap_or_default(),
            policy: entry.map_or(0, |entry| entry.peers.policy),
            tls_by: TlsDecider::None,
            track: Tracking::None,
        };
        recorder.emit(id.session, Some(id.number), event);
        recorder.settle().await;
    }
}

/// Work that waits for the disk, off the asynchronous threads.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OrderError> + Send + 'static,
) -> Result<T, OrderError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| QuarantineError::Cut)?
}

/// The same on a message that is claimed.
async fn change(
    mut claim: Claim,
    change: impl FnOnce(&mut Entry) + Send + 'static,
) -> Result<Claim, OrderError> {
    aside(move || {
        claim.change(change)?;
        Ok(claim)
    })
    .await
}

#[cfg(test)]
mod tests;
