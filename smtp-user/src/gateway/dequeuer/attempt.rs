//! Delivers what is due for one destination, over one connection for as long as there is more and it may be used.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tracing::{error, warn};

use super::judge::forget_verdict;
use super::kept::Kept;
use super::outcome::{AttemptResult, apply, close};
use super::setup::{DequeuerSetup, Outlet};
use super::{Left, Shared, millis};
use crate::delivery::destination::Destination;
use crate::delivery::failure::Failure;
use crate::delivery::letter::{Letter, Outcome};
use crate::delivery::route::Care;
use crate::delivery::schedule::{Health, Job, Schedule};
use crate::delivery::session::Connection;
use crate::model::message_octets::MessageOctets;
use crate::model::queued_message::{DeliveryAttempt, QueuedMessage};
use crate::model::queued_recipient::RemoteStage;
use crate::model::session_id::MessageId;
use crate::model::tls_demand::TlsDecider;
use crate::spool::error::SpoolError;
use crate::spool::place::Place;

/// Works off jobs of one destination, beginning with one that is in work already.
pub(super) async fn deliver_all(shared: Arc<Shared>, first: Job) {
    let setup = shared.setup();
    let mut connection: Option<Connection> = None;
    let mut behind = Behind::default();
    let mut mails = 0;
    let mut next = Some(first);
    while let Some(job) = next.take() {
        let guard = Guard::new(&shared, &job);
        let (health, end) = Box::pin(deliver(&shared, &job, &mut connection)).await;
        mails += 1;
        let at = shared.now();
        let is_usable = connection.as_ref().is_some_and(Connection::is_usable);
        if mails < setup.settings.max_mails_per_conn && is_usable && shared.can_begin() {
            // The disk is waited for while the next one is on its way.
            next = shared.schedule().exchange(&job, health, at);
            if next.is_some() {
                guard.release();
                behind.write_down(&shared, job, end).await;
                continue;
            }
            if let Some(kept) = Kept::new(&shared, &setup, &job, health, at) {
                guard.release();
                behind.write_down(&shared, job, end).await;
                next = kept.next_job(&mut connection).await;
                continue;
            }
        }
        // Its place is free only when the connection is gone: bounds are those that next hops see.
        let hang_up = async {
            if let Some(connection) = connection.take() {
                connection.quit().await;
            }
        };
        let (left, ()) = tokio::join!(finish(&shared, job.message, end), hang_up);
        guard.release();
        let end = |schedule: &mut Schedule| {
            schedule.done(&job, health, at);
            // There was to be a next one, and then there was no room for it.
            schedule.recorded(&job);
        };
        shared.put_back(&job, left, end);
    }
    behind.wait(0).await;
    shared.wake.notify_one();
}

/// Gives a job's place back if the attempt ends by a fault of this program, and has the message tried again later.
pub(super) struct Guard {
    shared: Arc<Shared>,
    job: Option<Job>,
}

/// How long a message waits whose attempt ended by a fault of this program.
const AFTER_A_FAULT: Duration = Duration::from_mins(5);

impl Guard {
    pub(super) fn new(shared: &Arc<Shared>, job: &Job) -> Self {
        Self { shared: Arc::clone(shared), job: Some(job.clone()) }
    }

    /// All went well.
    pub(super) fn release(mut self) {
        self.job = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(job) = self.job.take() else { return };
        let now = self.shared.now();
        let mut schedule = self.shared.schedule();
        schedule.done(&job, Health::Unknown, now);
        schedule.recorded(&job);
        schedule.add(job, now + millis(AFTER_A_FAULT));
        drop(schedule);
        self.shared.wake.notify_one();
    }
}

/// Results that are being written down while the next message is on its way.
#[derive(Default)]
struct Behind {
    tasks: VecDeque<JoinHandle<()>>,
}

/// As many results of one connection may be on their way to the disk: so many messages a crash has sent again.
const MOST_BEHIND: usize = 4;

impl Behind {
    async fn write_down(&mut self, shared: &Arc<Shared>, job: Job, end: End) {
        self.wait(MOST_BEHIND - 1).await;
        let shared = Arc::clone(shared);
        self.tasks.push_back(tokio::spawn(async move {
            let guard = Guard::new(&shared, &job);
            let left = finish(&shared, job.message, end).await;
            guard.release();
            shared.put_back(&job, left, |schedule| schedule.recorded(&job));
        }));
    }

    /// Waits until no more than so many are left.
    async fn wait(&mut self, most: usize) {
        while self.tasks.len() > most
            && let Some(task) = self.tasks.pop_front()
        {
            if let Err(error) = task.await {
                error!(%error, "what became of an attempt was not written down, by a fault of this program");
            }
        }
    }
}

/// How an attempt ended.
pub(super) enum End {
    /// There was nothing to be done.
    Nothing,
    /// Nobody is to be called any more.
    Close,
    /// The system had too little for it, so that nothing was done.
    Shortage,
    /// The message is to be judged again first, for this reason.
    JudgeAgain(String),
    /// This is to be written down.
    Result(AttemptResult),
}

/// Writes down how an attempt ended.
pub(super) async fn finish(shared: &Shared, id: MessageId, end: End) -> Left {
    match end {
        End::Nothing => Left::Nothing,
        End::Shortage => Left::AsItWas,
        End::Close => close(shared, id).await,
        End::JudgeAgain(why) => forget_verdict(shared, id, &why).await.into(),
        End::Result(result) => apply(shared, id, result).await.into(),
    }
}

/// A message and those of its recipients that a job is about, if anything is to be done about them now.
pub(super) async fn begin(shared: &Shared, job: &Job) -> Result<(QueuedMessage, Vec<usize>), End> {
    let id = job.message;
    let (place, message) = match shared.load(id).await {
        Ok(loaded) => loaded,
        Err(SpoolError::NotFound { .. }) => return Err(End::Nothing),
        Err(error) if shared.is_short(&error) => return Err(End::Shortage),
        Err(error) => {
            warn!(message = %id, %error, "a message cannot be read");
            return Err(End::Nothing);
        }
    };
    let passes = message
        .judgement
        .as_ref()
        .is_some_and(|kept| kept.decision.action == crate::model::decision::MessageAction::Pass);
    if place == Place::Quarantine || message.hold.is_some() || !passes {
        return Err(End::Nothing);
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
    if indices.is_empty() { Err(End::Close) } else { Ok((message, indices)) }
}

/// One attempt: one message to those of its recipients that are of one destination.
async fn deliver(shared: &Arc<Shared>, job: &Job, connection: &mut Option<Connection>) -> (Health, End) {
    let nothing = (Health::Unknown, End::Nothing);
    let (message, indices) = match begin(shared, job).await {
        Ok(begun) => begun,
        Err(end) => return (Health::Unknown, end),
    };
    let setup = shared.setup();
    if let Some(why) = outdated(shared, &setup, &message).await {
        return (Health::Unknown, End::JudgeAgain(why));
    }
    let body = if let Some(octets) = shared.spool.body_at_hand(&message) {
        Ok(octets)
    } else {
        let (spool, of) = (shared.spool.clone(), message.clone());
        let read = tokio::task::spawn_blocking(move || spool.body(&of)).await;
        read.unwrap_or(Err(SpoolError::Closed))
    };
    let body: Arc<dyn MessageOctets> = match body {
        Ok(body) => body,
        Err(SpoolError::Damaged { why, .. }) => {
            shared.set_aside(&message, &why).await;
            return nothing;
        }
        Err(error) if shared.is_short(&error) => return (Health::Unknown, End::Shortage),
        Err(error) => {
            let failure = Failure::transient(RemoteStage::None, "4.3.0", error.to_string());
            let result = AttemptResult::of_all(&indices, &failure, attempt_of(shared, &job.destination));
            return (Health::Unknown, End::Result(result));
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
    if is_for_want(shared, &result) {
        shared.note_shortage();
        return (health, End::Shortage);
    }
    (health, End::Result(result))
}

/// Whether nobody was called because the system had too little for that. Of a name that could not be looked up nobody says why:
/// where descriptors run out now, that is it.
fn is_for_want(shared: &Shared, result: &AttemptResult) -> bool {
    let mut failures = result.outcomes.iter().map(|(_, outcome)| match outcome {
        Outcome::NotDelivered(failure) => Some(failure),
        Outcome::Delivered { .. } | Outcome::TooMany(_) => None,
    });
    let is_looked_up = |failure: &Failure| failure.permanent || failure.reply.stage != RemoteStage::Dns;
    let mut is_short = None;
    failures.all(|failure| {
        failure.is_some_and(|failure| {
            failure.for_want
                || (!is_looked_up(failure) && *is_short.get_or_insert_with(|| !shared.has_descriptors()))
        })
    })
}

/// Why a verdict does not hold any more that was made some time ago: an engine has learned something since.
async fn outdated(shared: &Shared, setup: &DequeuerSetup, message: &QueuedMessage) -> Option<String> {
    let (kept, outlet) = (message.judgement.as_ref()?, setup.outlet(message)?);
    let age = Duration::from_micros(shared.clock.unix_micros().saturating_sub(kept.at));
    // Nothing of our own is judged, and the first attempt follows the verdict at once.
    if message.about.is_some() || (message.attempts == 0 && age < FRESH) {
        return None;
    }
    let engines = outlet.inspector.engines().await;
    kept.outdated_by(&engines).map(|engine| format!("{engine} is another than when it was judged"))
}

/// How long a verdict is not asked about before the first attempt.
const FRESH: Duration = Duration::from_mins(1);

pub(super) fn attempt_of(shared: &Shared, destination: &Destination) -> DeliveryAttempt {
    DeliveryAttempt {
        at: shared.clock.unix_micros(),
        host: destination.to_string(),
        address: None,
        stage: RemoteStage::None,
        outcome: String::new(),
        tls_by: TlsDecider::None,
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
    // Rules may say of one message what they do not say of the one before it.
    let setup = shared.setup();
    let is_forbidden = |open: &Connection| setup.forbidden(message, open.peer().address).is_some();
    if connection.as_ref().is_some_and(is_forbidden)
        && let Some(open) = connection.take()
    {
        open.quit().await;
    }
    let is_reused = connection.as_ref().is_some_and(Connection::is_usable);
    if !is_reused {
        match call(shared, job, outlet, message, &mut attempt, &mut skipped).await {
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
    attempt.tls_by = open.peer().demand.decider(outlet.manners.server_tls);
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
    message: &QueuedMessage,
    attempt: &mut DeliveryAttempt,
    skipped: &mut usize,
) -> Result<Connection, (Health, Failure)> {
    let setup = shared.setup();
    let router = &setup.router;
    // What DNS says of a domain says nothing of how its hosts are.
    let level = outlet.manners.server_tls;
    let care = Care { level, policies: outlet.policies.as_ref(), now: attempt.at };
    let chance = attempt.at ^ job.message.session.unix_ms();
    let hosts = router.hosts(&job.destination, &setup.settings, care, chance).await;
    let hosts = hosts.map_err(|failure| (Health::Unknown, failure))?;
    let mut last = Failure::transient(RemoteStage::Dns, "4.4.4", "there is no host to call");
    let mut met = 0;
    let mut forbidden: Option<Failure> = None;
    // Where others may be called, what is forbidden is no reason to give up.
    let mut is_allowed = *skipped > 0;
    for host in hosts {
        let peers = match router.peers(&host, &setup.settings, level).await {
            Ok(peers) => peers,
            Err(failure) => {
                attempt.host = host.name.to_string();
                last = failure;
                is_allowed = true;
                continue;
            }
        };
        for peer in peers {
            met += 1;
            if met <= *skipped {
                continue;
            }
            *skipped = met;
            if let Some(failure) = setup.forbidden(message, peer.address) {
                forbidden = Some(failure);
                continue;
            }
            is_allowed = true;
            attempt.host.clone_from(&peer.host);
            attempt.address = Some(peer.address);
            attempt.tls_by = peer.demand.decider(level);
            match Connection::open(peer, &outlet.manners).await {
                Ok(connection) => return Ok(connection),
                Err(no) => {
                    attempt.transcript.extend(no.transcript);
                    last = no.failure;
                }
            }
        }
    }
    match forbidden {
        Some(failure) if !is_allowed => Err((Health::Unknown, failure)),
        _ if last.reply.stage == RemoteStage::None => Err((Health::Unknown, last)),
        _ => Err((Health::Silent, last)),
    }
}

/// Whether nothing was said about the message: the next hop went away before it had answered MAIL.
fn is_about_host(outcomes: &[(usize, Outcome)]) -> bool {
    outcomes.iter().all(|(_, outcome)| match outcome {
        Outcome::NotDelivered(failure) => !failure.permanent && failure.reply.stage == RemoteStage::Mail,
        Outcome::Delivered { .. } | Outcome::TooMany(_) => false,
    })
}
