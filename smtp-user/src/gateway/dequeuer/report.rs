//! Tells senders what became of their mail, by messages of the gateway's own.
//!
//! A report is in the spool before its being told is written down. Its name follows from what it tells, so one that was
//! written just before a crash is not written twice.

use std::time::Duration;

use tracing::error;

use super::Shared;
use super::outcome::{age, wait};
use super::setup::DequeuerSetup;
use crate::delivery::dsn::{Due, Reporter, due, report, returned_octets};
use crate::model::message_octets::MessageOctets;
use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;
use crate::spool::error::SpoolError;
use crate::spool::place::Place;
use crate::spool::store::Spool;

/// Whether nobody is to be called for a message any more, and nobody to be told of it.
pub(super) fn is_finished(shared: &Shared, message: &QueuedMessage) -> bool {
    if message.pending().next().is_some() {
        return false;
    }
    let setup = shared.setup();
    // Only how long it takes until it is late depends on its age.
    due(message, Duration::ZERO, &setup.settings, notify_sender(&setup, message)).told.is_empty()
}

fn notify_sender(setup: &DequeuerSetup, message: &QueuedMessage) -> bool {
    setup.outlet(message).is_none_or(|outlet| outlet.routing.notify_sender)
}

/// Tells what is due of a message that somebody is changing, and closes its cases. Gives whether it is finished.
pub(super) async fn tell(shared: &Shared, message: &mut QueuedMessage, place: Place) -> bool {
    let setup = shared.setup();
    let now = shared.clock.unix_micros();
    let retry = setup.retry();
    let attempts = message.pending().map(|recipient| recipient.state.attempts()).max().unwrap_or(0);
    let age = age(retry, message.id, message.received, attempts, now);
    let due = due(message, age, &setup.settings, notify_sender(&setup, message));
    if due.is_empty() {
        return message.is_finished();
    }
    if !due.told.is_empty() {
        let left = u64::try_from(retry.abandon_time.saturating_sub(age).as_micros()).unwrap_or(u64::MAX);
        let reporter = Reporter {
            hostname: &setup.router.hostname,
            detail: setup.settings.detail,
            postmaster: setup.settings.postmaster.as_deref(),
            until: now.saturating_add(left),
        };
        let original = original(shared, message).await;
        let (written, octets) = report(message, &due, &original, &reporter, now);
        let id = written.id;
        while let Err(error) = add(&shared.spool, written.clone(), octets.clone()).await {
            wait(shared, message.id, &error).await;
        }
        let paths = told_paths(message, &due);
        shared.record(message, "reported", paths, format!("the sender is told in message {id}"));
    }
    due.mark(message);
    while let Err(error) = shared.spool.update(message, place).await {
        wait(shared, message.id, &error).await;
    }
    message.is_finished()
}

fn told_paths(message: &QueuedMessage, due: &Due) -> Vec<String> {
    let path = |index: usize| message.recipients.get(index).map(|recipient| recipient.path.clone());
    due.told.iter().filter_map(|(index, _)| path(*index)).collect()
}

/// As much of the message as may be returned; nothing if it cannot be read.
async fn original(shared: &Shared, message: &QueuedMessage) -> Vec<u8> {
    loop {
        let (spool, of) = (shared.spool.clone(), message.clone());
        let read = tokio::task::spawn_blocking(move || {
            let body = spool.body(&of)?;
            Ok::<_, SpoolError>(read(body.as_ref(), returned_octets(&of)))
        });
        match read.await.unwrap_or(Err(SpoolError::Closed)) {
            Ok(octets) => return octets,
            Err(error) if error.is_shortage() => wait(shared, message.id, &error).await,
            Err(error) => {
                error!(message = %message.id, %error, "a message cannot be returned, only reported on");
                return Vec::new();
            }
        }
    }
}

fn read(octets: &dyn MessageOctets, most: u64) -> Vec<u8> {
    let mut read = vec![0; usize::try_from(most).unwrap_or(0)];
    let mut at = 0;
    while let Some(room) = read.get_mut(at..).filter(|room| !room.is_empty()) {
        match octets.read_at(at as u64, room) {
            Ok(count) if count > 0 => at += count,
            _ => break,
        }
    }
    read.truncate(at);
    read
}

/// Takes a report in; one that is there already is left as it is.
async fn add(spool: &Spool, message: QueuedMessage, octets: Vec<u8>) -> Result<(), SpoolError> {
    let id: MessageId = message.id;
    let beginning = spool.clone();
    let incoming = tokio::task::spawn_blocking(move || {
        let mut incoming = beginning.begin_own(id)?;
        incoming.write(&octets)?;
        Ok(incoming)
    });
    let taken = match incoming.await.unwrap_or(Err(SpoolError::Closed)) {
        Ok(incoming) => spool.commit(incoming, message, Place::Active).await,
        Err(error) => Err(error),
    };
    match taken {
        Err(SpoolError::Exists { .. }) => Ok(()),
        taken => taken,
    }
}
