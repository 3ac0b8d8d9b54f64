//! Puts a message off without a call: its own wait is over, and its destination is left alone because it did not answer.
//! Otherwise what is queued for a host that is gone would never grow old.

use std::sync::Arc;

use super::Shared;
use super::attempt::{End, Guard, attempt_of, begin, finish};
use super::outcome::AttemptResult;
use crate::delivery::failure::Failure;
use crate::delivery::letter::Outcome;
use crate::delivery::schedule::Job;
use crate::model::queued_message::{DeliveryAttempt, QueuedMessage};
use crate::model::queued_recipient::{RecipientState, RemoteReply, RemoteStage};

/// Written down at a time.
pub(super) const AT_A_TIME: usize = 64;

/// What is said where nothing about the next hop itself was said before.
const SILENT: &str = "it did not answer others";
/// What is added.
const NOT_CALLED: &str = ", and was not called again";

/// Writes a failed attempt down.
pub(super) async fn put_off(shared: Arc<Shared>, job: Job) {
    let guard = Guard::new(&shared, &job);
    let end = match begin(&shared, &job).await {
        Ok((message, indices)) => End::Result(not_called(&shared, &job, &message, &indices)),
        Err(end) => end,
    };
    let left = finish(&shared, job.message, end).await;
    guard.release();
    shared.put_back(&job, left, |schedule| schedule.recorded(&job));
}

/// As the last attempt that got no further than to the host, which nobody made again.
fn not_called(shared: &Shared, job: &Job, message: &QueuedMessage, indices: &[usize]) -> AttemptResult {
    let attempt = attempt_of(shared, &job.destination);
    let at = attempt.at;
    let attempt = message.last_attempt.clone().map_or(attempt, |last| DeliveryAttempt { at, ..last });
    let outcome = |index: &usize| {
        let last = match message.recipients.get(*index).map(|recipient| &recipient.state) {
            Some(RecipientState::Pending { last: Some(last), .. }) if last.stage.is_about_host() => {
                last.clone()
            }
            _ => RemoteReply {
                by: job.destination.to_string(),
                ..Failure::transient(RemoteStage::None, "4.4.1", SILENT).reply
            },
        };
        let failure = Failure { reply: said_once(last), permanent: false, for_want: false };
        (*index, Outcome::NotDelivered(failure))
    };
    AttemptResult { outcomes: indices.iter().map(outcome).collect(), attempt }
}

fn said_once(mut reply: RemoteReply) -> RemoteReply {
    if !reply.text.ends_with(NOT_CALLED) {
        reply.text.push_str(NOT_CALLED);
    }
    reply
}
