//! Writes down what became of an attempt, before anything else is done about the message.

use std::time::Duration;

use tracing::error;

use super::report::{is_finished, tell};
use super::shortage::AFTER_A_SHORTAGE;
use super::{Left, Shared};
use crate::delivery::failure::Failure;
use crate::delivery::letter::Outcome;
use crate::delivery::retry::Retry;
use crate::model::queued_message::{DeliveryAttempt, QueuedMessage};
use crate::model::queued_recipient::{RecipientState, RemoteReply};
use crate::model::session_id::MessageId;
use crate::spool::error::SpoolError;
use crate::spool::place::Place;

/// What became of an attempt: by number of the recipient.
pub(super) struct AttemptResult {
    pub(super) outcomes: Vec<(usize, Outcome)>,
    pub(super) attempt: DeliveryAttempt,
}

impl AttemptResult {
    /// The same for all.
    pub(super) fn of_all(indices: &[usize], failure: &Failure, attempt: DeliveryAttempt) -> Self {
        let outcomes = indices.iter().map(|index| (*index, Outcome::NotDelivered(failure.clone()))).collect();
        Self { outcomes, attempt }
    }
}

/// How long is waited when something that has happened cannot be written down.
const AGAIN: Duration = Duration::from_secs(2);

/// Writes it down, and removes the message when every recipient's case is closed. Gives what is left of it.
pub(super) async fn apply(
    shared: &Shared,
    id: MessageId,
    result: AttemptResult,
) -> Option<(Place, QueuedMessage)> {
    let _changing = shared.changing(id).await;
    let AttemptResult { outcomes, mut attempt } = result;
    loop {
        let mut message = match shared.load(id).await {
            Ok((_, message)) => message,
            Err(SpoolError::NotFound { .. }) => return None,
            Err(SpoolError::Damaged { why, .. }) => {
                error!(message = %id, why, "a message was damaged while it was delivered");
                return None;
            }
            Err(error) => {
                wait(shared, id, &error).await;
                continue;
            }
        };
        let said = change(shared, &mut message, &outcomes, &mut attempt);
        // Nobody is to be called or told any more: that it is gone says all that there is to be written down.
        if is_finished(shared, &message) {
            record(shared, &message, said);
            // Whoever looks for a message that is gone finds what became of it.
            shared.recorder.settle_with_others().await;
            remove(shared, id).await;
            return None;
        }
        let to = if message.pending().next().is_some() { Place::Deferred } else { Place::Active };
        let updated = shared.spool.update(&mut message, to).await;
        // Nobody has it and nobody refused it for good: it is tried again as if that had been written down. A disk that is
        // full of mail gets room by what goes out.
        let may_go_on = updated.is_ok() || is_all_to_come(&message, &outcomes);
        if let Err(error) = &updated {
            if !may_go_on || shared.is_short(error) {
                // A next hop that took it has it: as long as that is not written down, nothing else may be done about it.
                wait(shared, id, error).await;
                continue;
            }
            error!(message = %id, %error, "a failed attempt cannot be written down");
        }
        record(shared, &message, said);
        if updated.is_err() {
            return Some((to, message));
        }
        if tell(shared, &mut message, to).await {
            remove(shared, id).await;
            return None;
        }
        return Some((to, message));
    }
}

/// Tells what is still to be told of a message that nobody is to be called for, and removes it if that is all.
pub(super) async fn close(shared: &Shared, id: MessageId) -> Left {
    let _changing = shared.changing(id).await;
    let (place, mut message) = match shared.load(id).await {
        Ok(loaded) => loaded,
        Err(error) if shared.is_short(&error) => return Left::AsItWas,
        Err(_) => return Left::Nothing,
    };
    if !tell(shared, &mut message, place).await {
        return Left::Message(place, Box::new(message));
    }
    remove(shared, id).await;
    Left::Nothing
}

/// Removes a message that nothing is left to be done about, as soon as that can be done for good.
async fn remove(shared: &Shared, id: MessageId) {
    while let Err(error) = shared.spool.remove(id).await {
        if let SpoolError::NotFound { .. } = error {
            return;
        }
        wait(shared, id, &error).await;
    }
}

pub(super) async fn wait(shared: &Shared, id: MessageId, error: &SpoolError) {
    if shared.is_short(error) {
        return tokio::time::sleep(AFTER_A_SHORTAGE).await;
    }
    error!(message = %id, %error, "what became of a message cannot be written down; trying again");
    tokio::time::sleep(AGAIN).await;
}

/// Whether every recipient of an attempt is to be tried again.
fn is_all_to_come(message: &QueuedMessage, outcomes: &[(usize, Outcome)]) -> bool {
    outcomes.iter().all(|(index, _)| message.recipients.get(*index).is_none_or(|to| to.state.is_pending()))
}

type Said = (&'static str, Vec<String>, String);

fn record(shared: &Shared, message: &QueuedMessage, said: Vec<Said>) {
    for (outcome, recipients, why) in said {
        let tls_by = message.last_attempt.as_ref().map(|attempt| attempt.tls_by).unwrap_or_default();
        shared.record_attempt(message, outcome, recipients, why, tls_by);
    }
}

/// Puts outcomes into a message. Gives what is to be recorded: recipients with the same fate together.
fn change(
    shared: &Shared,
    message: &mut QueuedMessage,
    outcomes: &[(usize, Outcome)],
    attempt: &mut DeliveryAttempt,
) -> Vec<Said> {
    let setup = shared.setup();
    let retry = setup.retry();
    let now = shared.clock.unix_micros();
    message.attempts += 1;
    let (id, received) = (message.id, message.received);
    let mut said: Vec<Said> = Vec::new();
    for (index, outcome) in outcomes {
        let Some(recipient) = message.recipients.get_mut(*index) else { continue };
        let RecipientState::Pending { attempts, .. } = recipient.state else { continue };
        let attempts = attempts + 1;
        let (reply, state) = match outcome {
            Outcome::Delivered { reply, relayed_dsn } => {
                let state =
                    RecipientState::Delivered { at: now, reply: reply.clone(), relayed_dsn: *relayed_dsn };
                (reply, state)
            }
            Outcome::NotDelivered(failure) if failure.permanent => {
                (&failure.reply, RecipientState::Failed { at: now, reply: failure.reply.clone() })
            }
            Outcome::NotDelivered(failure) | Outcome::TooMany(failure) => {
                let last = Some(failure.reply.clone());
                let state = if retry.is_over(age(retry, id, received, attempts, now)) {
                    RecipientState::Expired { at: now, last }
                } else {
                    let wait = retry.wait(attempts, chance(id, attempts));
                    let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
                    RecipientState::Pending { attempts, last, next_attempt: now.saturating_add(micros) }
                };
                (&failure.reply, state)
            }
        };
        attempt.stage = attempt.stage.max(reply.stage);
        let why = described(reply);
        attempt.outcome.clone_from(&why);
        let word = if state.is_pending() { "deferred" } else { state.name() };
        recipient.state = state;
        match said.iter_mut().find(|(known, _, text)| *known == word && *text == why) {
            Some((_, paths, _)) => paths.push(recipient.path.clone()),
            None => said.push((word, vec![recipient.path.clone()], why)),
        }
    }
    message.last_attempt = Some(attempt.clone());
    said
}

/// Who said what, and how far it had got.
fn described(reply: &RemoteReply) -> String {
    let by = if reply.by.is_empty() { String::new() } else { format!("{}: ", reply.by) };
    let (said, place) = (reply.said(), crate::delivery::failure::place(reply.stage));
    // What happened to a connection says itself where.
    if said.contains(place) { format!("{by}{said}") } else { format!("{by}{said} ({place})") }
}

/// How long delivery has been tried that failed so often. Other recipients' attempts make it no longer.
pub(super) fn age(retry: Retry, id: MessageId, received: u64, attempts: u32, now: u64) -> Duration {
    Retry::age(received, retry.waited(attempts, |attempt| chance(id, attempt)), now)
}

/// Something that differs from message to message and attempt to attempt.
fn chance(id: MessageId, attempts: u32) -> u32 {
    use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one((id, attempts));
    u32::try_from(hash >> 32).unwrap_or(0)
}
