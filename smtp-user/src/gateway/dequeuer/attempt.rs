//! Delivers what is due for one destination, over one connection for as long as there is more and it may be used.

use std::sync::Arc;

use tracing::warn;

use super::outcome::{AttemptResult, apply, close};
use super::setup::Outlet;
use super::{Shared, Work};
use crate::delivery::destination::Destination;
use crate::delivery::failure::Failure;
use crate::delivery::letter::{Letter, Outcome};
use crate::delivery::schedule::{Health, Job};
use crate::delivery::session::Connection;
use crate::model::message_octets::MessageOctets;
use crate::model::queued_message::{DeliveryAttempt, QueuedMessage};
use crate::model::queued_recipient::RemoteStage;
use crate::spool::error::SpoolError;
use crate::spool::place::Place;

/// Works off jobs of one destination, beginning with one that is in work already.
pub(super) async fn deliver_all(shared: Arc<Shared>, first: Job) -> Work {
    let most = shared.setup().settings.max_mails_per_conn;
    let mut connection: Option<Connection> = None;
    let mut mails = 0;
    let mut job = Some(first);
    while let Some(now) = job.take() {
        let (health, left) = Box::pin(deliver(&shared, &now, &mut connection)).await;
        mails += 1;
        let at = shared.now();
        if mails < most && connection.as_ref().is_some_and(Connection::is_usable) {
            job = shared.schedule().exchange(&now, health, at);
        }
        if job.is_none() {
            // Its place is free only when the connection is gone: bounds are those that next hops see.
            if let Some(connection) = connection.take() {
                connection.quit().await;
            }
            shared.schedule().done(&now, health, at);
        }
        if let Some((place, message)) = &left {
            shared.plan(*place, message);
        }
    }
    shared.wake.notify_one();
    Work::Delivered
}

type Left = (Health, Option<(Place, QueuedMessage)>);

/// One attempt: one message to those of its recipients that are of one destination.
async fn deliver(shared: &Arc<Shared>, job: &Job, connection: &mut Option<Connection>) -> Left {
    let nothing: Left = (Health::Unknown, None);
    let id = job.message;
    let (place, message) = match shared.load(id).await {
        Ok(loaded) => loaded,
        Err(SpoolError::NotFound { .. }) => return nothing,
        Err(error) => {
            warn!(message = %id, %error, "a message cannot be read");
            return nothing;
        }
    };
    let passes = message
        .judgement
        .as_ref()
        .is_some_and(|kept| kept.decision.action == crate::model::decision::MessageAction::Pass);
    if place == Place::Quarantine || message.hold.is_some() || !passes {
        return nothing;
    }
    let setup = shared.setup();
    let indices: Vec<usize> = (0..message.recipients.len())
        .filter(|index| {
            message.recipients.get(*index).is_some_and(|recipient| {
                recipient.state.is_pending()
                    && setup.destination(&message, &recipient.path) == job.destination
            })
        })
        .collect();
    if indices.is_empty() {
        return (Health::Unknown, close(shared, id).await);
    }
    let (spool, of) = (shared.spool.clone(), message.clone());
    let body = tokio::task::spawn_blocking(move || spool.body(&of)).await;
    let body: Arc<dyn MessageOctets> = match body.unwrap_or(Err(SpoolError::Closed)) {
        Ok(body) => Arc::from(body),
        Err(SpoolError::Damaged { why, .. }) => {
            shared.set_aside(&message, &why).await;
            return nothing;
        }
        Err(error) => {
            let failure = Failure::transient(RemoteStage::None, "4.3.0", error.to_string());
            let result = AttemptResult::of_all(&indices, &failure, attempt_of(shared, &job.destination));
            return (Health::Unknown, apply(shared, id, result).await);
        }
    };
    let too_many_hops = message.hops > setup.settings.max_hops;
    let outlet = setup.outlet(&message);
    let (health, result) = match outlet {
        _ if too_many_hops => {
            let text = format!("the message went through {} hosts: it goes round in circles", message.hops);
            let failure = Failure::permanent(RemoteStage::None, "5.4.6", text);
            (Health::Unknown, AttemptResult::of_all(&indices, &failure, attempt_of(shared, &job.destination)))
        }
        None => {
            let text = format!("no resource `{}` says how to deliver", message.resource);
            let failure = Failure::transient(RemoteStage::None, "4.3.5", text);
            (Health::Unknown, AttemptResult::of_all(&indices, &failure, attempt_of(shared, &job.destination)))
        }
        Some(outlet) => send(shared, job, outlet, &message, indices, body, connection, 0).await,
    };
    (health, apply(shared, id, result).await)
}

fn attempt_of(shared: &Shared, destination: &Destination) -> DeliveryAttempt {
    DeliveryAttempt {
        at: shared.clock.unix_micros(),
        host: destination.to_string(),
        address: None,
        stage: RemoteStage::None,
        outcome: String::new(),
        transcript: Vec::new(),
    }
}

#[expect(clippy::too_many_arguments, reason = "all but the last two stay the same while hosts change")]
async fn send(
    shared: &Shared,
    job: &Job,
    outlet: &Outlet,
    message: &QueuedMessage,
    indices: Vec<usize>,
    body: Arc<dyn MessageOctets>,
    connection: &mut Option<Connection>,
    mut skipped: usize,
) -> (Health, AttemptResult) {
    let mut attempt = attempt_of(shared, &job.destination);
    let is_reused = connection.as_ref().is_some_and(Connection::is_usable);
    if !is_reused {
        match call(shared, job, outlet, &mut attempt, &mut skipped).await {
            Ok(made) => *connection = Some(made),
            Err((health, failure)) => return (health, AttemptResult::of_all(&indices, &failure, attempt)),
        }
    }
    let Some(open) = connection.as_mut() else {
        let failure = Failure::closed(RemoteStage::None);
        return (Health::Unknown, AttemptResult::of_all(&indices, &failure, attempt));
    };
    attempt.host.clone_from(&open.peer().host);
    attempt.address = Some(open.peer().address);
    let mut outcomes: Vec<(usize, Outcome)> = Vec::new();
    let mut left = indices.clone();
    while !left.is_empty() {
        let letter = Letter::new(message, &left, Arc::clone(&body));
        let round: Vec<(usize, Outcome)> = left.iter().copied().zip(open.send(&letter).await).collect();
        attempt.transcript.extend(open.take_transcript());
        let is_rest = |outcome: &Outcome| matches!(outcome, Outcome::TooMany(_));
        let rest: Vec<usize> =
            round.iter().filter(|(_, outcome)| is_rest(outcome)).map(|(index, _)| *index).collect();
        // The rest is sent at once only if that leads anywhere.
        let goes_on = rest.len() < round.len() && open.is_usable();
        outcomes.extend(round.into_iter().filter(|(_, outcome)| !(goes_on && is_rest(outcome))));
        left = if goes_on { rest } else { Vec::new() };
    }
    let result = AttemptResult { outcomes, attempt };
    if !open.is_usable() && is_about_host(&result.outcomes) {
        // Closed while nothing was said on it, or by a host that takes nobody's mail now: the next one may do.
        *connection = None;
        let again = Box::pin(send(shared, job, outlet, message, indices, body, connection, skipped)).await;
        return if again.1.attempt.address.is_some() { again } else { (Health::Answers, result) };
    }
    (Health::Answers, result)
}

/// Calls the hosts of a destination, one after the other, until one can be spoken with; not the first of their
/// addresses that were called before.
async fn call(
    shared: &Shared,
    job: &Job,
    outlet: &Outlet,
    attempt: &mut DeliveryAttempt,
    skipped: &mut usize,
) -> Result<Connection, (Health, Failure)> {
    let setup = shared.setup();
    let router = &setup.router;
    // What DNS says of a domain says nothing of how its hosts are.
    let hosts =
        router.hosts(&job.destination, &setup.settings, attempt.at ^ job.message.session.unix_ms()).await;
    let hosts = hosts.map_err(|failure| (Health::Unknown, failure))?;
    let mut last = Failure::transient(RemoteStage::Dns, "4.4.4", "there is no host to call");
    let mut met = 0;
    for host in hosts {
        let peers = match router.peers(&host, &setup.settings).await {
            Ok(peers) => peers,
            Err(failure) => {
                last = failure;
                continue;
            }
        };
        for peer in peers {
            met += 1;
            if met <= *skipped {
                continue;
            }
            *skipped = met;
            attempt.host.clone_from(&peer.host);
            attempt.address = Some(peer.address);
            match Connection::open(peer, &outlet.manners).await {
                Ok(connection) => return Ok(connection),
                Err(no) => {
                    attempt.transcript.extend(no.transcript);
                    last = no.failure;
                }
            }
        }
    }
    Err((Health::Silent, last))
}

/// Whether nothing was said about the message: the next hop went away before it had answered MAIL.
fn is_about_host(outcomes: &[(usize, Outcome)]) -> bool {
    outcomes.iter().all(|(_, outcome)| match outcome {
        Outcome::NotDelivered(failure) => !failure.permanent && failure.reply.stage == RemoteStage::Mail,
        Outcome::Delivered { .. } | Outcome::TooMany(_) => false,
    })
}
