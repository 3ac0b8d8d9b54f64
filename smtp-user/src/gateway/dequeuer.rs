//! The dequeuer: sees to it that every message in the spool is judged, delivered, and tried again until it is.
//!
//! It keeps nothing that is not in the spool as well, so it may end at any time. What it does not know of a message it
//! reads from the control file; what it learns it writes there before it does anything else about that message.

mod attempt;
mod judge;
mod kept;
pub mod orders;
mod outcome;
mod put_off;
mod report;
pub mod running;
pub mod setup;
mod shortage;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::{self, JoinError, JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};
use tracing::{error, warn};

use crate::audit::recorder::Recorder;
use crate::delivery::destination::Destination;
use crate::delivery::schedule::{Bounds, Job, Schedule};
use crate::event::session_event::SessionEvent;
use crate::gateway::dequeuer::kept::Keepers;
use crate::gateway::dequeuer::orders::Orders;
use crate::gateway::dequeuer::setup::DequeuerSetup;
use crate::gateway::dequeuer::shortage::AFTER_A_SHORTAGE;
use crate::model::clock::Clock;
use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;
use crate::model::shortage::Shortage;
use crate::model::tls_demand::TlsDecider;
use crate::spool::error::SpoolError;
use crate::spool::place::Place;
use crate::spool::store::Spool;

/// The dequeuer at work.
#[derive(Debug)]
pub struct Dequeuer {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// What its tasks share.
#[derive(Debug)]
pub(crate) struct Shared {
    spool: Spool,
    recorder: Recorder,
    clock: Arc<dyn Clock>,
    setup: RwLock<Arc<DequeuerSetup>>,
    schedule: Mutex<Schedule>,
    keepers: Keepers,
    /// Messages that are to be judged, and when.
    to_judge: Mutex<BTreeSet<(u64, MessageId)>>,
    /// Some of them wait for an engine that is down.
    engines_down: AtomicBool,
    /// Messages that nothing is to be done about until somebody says so.
    resting: Mutex<HashSet<MessageId>>,
    /// No work is begun.
    no_descriptors: Shortage,
    /// Until when there are descriptors enough, as far as was seen.
    enough_until: AtomicU64,
    /// Something is due that was not before.
    wake: Notify,
    /// Whoever changes a message holds the one that its name falls to.
    changing: [tokio::sync::Mutex<()>; CHANGING],
    began: Instant,
    /// When the loop that gives out all work last came round, by [`Shared::now`].
    came_round: AtomicU64,
}

const CHANGING: usize = 64;
/// Messages that are judged at a time.
const JUDGED_AT_A_TIME: usize = 8;
/// How often it is looked whether an engine is back that messages wait for: they are to be judged within 5 s of its return.
const LOOK_FOR_ENGINES: Duration = Duration::from_secs(1);
/// How long attempts in flight may go on when the daemon stops. What is cut is tried again.
const DRAIN: Duration = Duration::from_secs(10);
/// How long nothing is done at most: coming round says that it still goes on.
const LONGEST_SLEEP: u64 = 1_000;
/// It hangs that has not come round for so long; a slow disk alone is no reason.
const STUCK: u64 = 30_000;

/// What is left of a message after a job.
enum Left {
    /// It is finished, or somebody else sees to it.
    Nothing,
    /// This, in this place.
    Message(Place, Box<QueuedMessage>),
    /// Nothing was done: the job is to be done a moment later.
    AsItWas,
}

impl From<Option<(Place, QueuedMessage)>> for Left {
    fn from(left: Option<(Place, QueuedMessage)>) -> Self {
        left.map_or(Self::Nothing, |(place, message)| Self::Message(place, Box::new(message)))
    }
}

impl Dequeuer {
    /// Starts with what was found in the spool; inside a runtime.
    pub fn start(
        spool: Spool,
        found: Vec<(Place, QueuedMessage)>,
        setup: DequeuerSetup,
        recorder: Recorder,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let schedule = Mutex::new(Schedule::new(Bounds::of(&setup.settings)));
        let shared = Arc::new(Shared {
            spool,
            recorder,
            clock,
            setup: RwLock::new(Arc::new(setup)),
            schedule,
            keepers: Keepers::default(),
            to_judge: Mutex::default(),
            engines_down: AtomicBool::new(false),
            resting: Mutex::default(),
            no_descriptors: Shortage::default(),
            enough_until: AtomicU64::new(0),
            wake: Notify::new(),
            changing: std::array::from_fn(|_| tokio::sync::Mutex::new(())),
            began: Instant::now(),
            came_round: AtomicU64::new(0),
        });
        for (place, message) in found {
            shared.plan(place, &message);
        }
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(work(Arc::clone(&shared), stopped));
        Self { shared, stop, task }
    }

    /// Other settings from now on; attempts in flight end under those they began with.
    pub fn set_up(&self, setup: DequeuerSetup) {
        self.shared.schedule().set_bounds(Bounds::of(&setup.settings));
        *self.shared.setup.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(setup);
        self.shared.close_kept(false);
        self.shared.wake.notify_one();
    }

    /// For whoever is given orders by an operator.
    pub fn orders(&self) -> Orders {
        Orders::new(Arc::clone(&self.shared))
    }

    /// Whether what gives out all work has come round lately.
    pub fn comes_round(&self) -> bool {
        let last = self.shared.came_round.load(Ordering::Acquire);
        self.task.is_finished() || self.shared.now().saturating_sub(last) < STUCK
    }

    /// Begins nothing new, and waits a moment for what is in flight.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

impl Shared {
    pub(crate) fn setup(&self) -> Arc<DequeuerSetup> {
        Arc::clone(&self.setup.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn to_judge(&self) -> MutexGuard<'_, BTreeSet<(u64, MessageId)>> {
        self.to_judge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds that only go forward.
    fn now(&self) -> u64 {
        millis(self.began.elapsed())
    }

    /// Keeps others from changing a message.
    async fn changing(&self, id: MessageId) -> tokio::sync::MutexGuard<'_, ()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(id);
        let index = usize::try_from(hash % CHANGING as u64).unwrap_or(0);
        let [first, ..] = &self.changing;
        self.changing.get(index).unwrap_or(first).lock().await
    }

    /// Reads a message's control file, off the asynchronous threads.
    async fn load(&self, id: MessageId) -> Result<(Place, QueuedMessage), SpoolError> {
        if let Some(recent) = self.spool.recent(id) {
            return Ok(recent);
        }
        let spool = self.spool.clone();
        tokio::task::spawn_blocking(move || spool.load(id)).await.unwrap_or(Err(SpoolError::Closed))
    }

    /// Puts a message where it waits for what is to be done about it next.
    pub(crate) fn plan(&self, place: Place, message: &QueuedMessage) {
        self.plan_after(place, message, |_| ());
    }

    /// The same after a job of it, whose end the schedule hears of at that moment: of a message with several destinations
    /// somebody else may plan what he knew of it before that job.
    fn plan_after(&self, place: Place, message: &QueuedMessage, end: impl FnOnce(&mut Schedule)) {
        let is_resting = place == Place::Quarantine || message.hold.is_some();
        {
            let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
            if is_resting {
                resting.insert(message.id);
                drop(resting);
                end(&mut self.schedule());
                return;
            }
            resting.remove(&message.id);
        }
        let now = self.now();
        if message.judgement.is_none() {
            end(&mut self.schedule());
            self.to_judge().insert((now, message.id));
            self.wake.notify_one();
            return;
        }
        let setup = self.setup();
        let unix_micros = self.clock.unix_micros();
        let mut schedule = self.schedule();
        end(&mut schedule);
        for recipient in message.pending() {
            let remaining = setup.retry().remaining(recipient.state.next_attempt().unwrap_or(0), unix_micros);
            let destination = setup.destination(message, &recipient.path);
            let job = Job { message: message.id, destination };
            // What waits already does so by a clock that nobody sets.
            if !schedule.knows(&job) {
                schedule.add(job, now + millis(remaining));
            }
        }
        if message.pending().next().is_none() {
            // Nobody is to be called any more; somebody may still be to be told.
            let destination = setup.destination(message, "");
            schedule.add(Job { message: message.id, destination }, now);
        }
        drop(schedule);
        self.wake.notify_one();
    }

    /// Messages in the spool that nobody is going to do anything about, though somebody should.
    fn forgotten(&self, judging: &HashMap<task::Id, MessageId>) -> HashSet<MessageId> {
        let mut known = self.schedule().messages();
        known.extend(self.to_judge().iter().map(|(_, id)| *id));
        known.extend(judging.values());
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let all: HashSet<MessageId> = self.spool.all().into_iter().map(|(id, _)| id).collect();
        resting.retain(|id| all.contains(id));
        all.into_iter().filter(|id| !known.contains(id) && !resting.contains(id)).collect()
    }

    /// Records what was done about a message.
    fn record(&self, message: &QueuedMessage, outcome: &str, recipients: Vec<String>, why: String) {
        self.record_attempt(message, outcome, recipients, why, TlsDecider::None);
    }

    /// The same of an attempt that was made, with who decided about its TLS.
    fn record_attempt(
        &self,
        message: &QueuedMessage,
        outcome: &str,
        recipients: Vec<String>,
        why: String,
        tls_by: TlsDecider,
    ) {
        let event = SessionEvent::Dequeued {
            outcome: outcome.to_owned(),
            recipients,
            why,
            rule_name: message.rule_name.clone(),
            policy: message.policy,
            tls_by,
            track: self.setup().tracking(message, outcome),
        };
        self.recorder.emit(message.id.session, Some(message.id.number), event);
    }

    /// Puts a damaged message out of the way, and says so.
    async fn set_aside(&self, message: &QueuedMessage, why: &str) {
        error!(message = %message.id, why, "a damaged message is put into `corrupt`");
        self.record(message, "damaged", Vec::new(), why.to_owned());
        self.schedule().forget(message.id);
        if let Err(error) = self.spool.set_aside(message.id).await {
            error!(message = %message.id, %error, "it cannot be put there");
        }
    }

    /// After a job that was in work: it is given back to the schedule by `end`, and what is left of its message waits there for
    /// what is next.
    fn put_back(&self, job: &Job, left: Left, end: impl FnOnce(&mut Schedule)) {
        match left {
            Left::Nothing => end(&mut self.schedule()),
            Left::Message(place, message) => self.plan_after(place, &message, end),
            Left::AsItWas => {
                let mut schedule = self.schedule();
                end(&mut schedule);
                schedule.add(job.clone(), self.now() + millis(AFTER_A_SHORTAGE));
                drop(schedule);
                self.wake.notify_one();
            }
        }
    }

    /// Lets a destination be called at once; `None` means all of them.
    pub(crate) fn flush(&self, which: Option<&Destination>) {
        let now = self.now();
        self.schedule().flush(which, now);
        self.wake.notify_one();
    }
}

async fn work(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let (mut tasks, mut uncalled) = (JoinSet::new(), JoinSet::new());
    let mut judging: HashMap<task::Id, MessageId> = HashMap::new();
    let mut suspects = HashSet::new();
    let (mut next_scan, mut next_look) = (Instant::now(), Instant::now());
    loop {
        shared.came_round.store(shared.now(), Ordering::Release);
        while shared.can_begin()
            && let Some(job) = next_job(&shared)
        {
            tasks.spawn(attempt::deliver_all(Arc::clone(&shared), job));
        }
        while uncalled.len() < put_off::AT_A_TIME
            && let Some(job) = shared.schedule().next_put_off(shared.now())
        {
            uncalled.spawn(put_off::put_off(Arc::clone(&shared), job));
        }
        if shared.engines_down.load(Ordering::Relaxed) && next_look <= Instant::now() {
            next_look = Instant::now() + LOOK_FOR_ENGINES;
            tasks.spawn(judge::look_for_engines(Arc::clone(&shared)));
        }
        while judging.len() < JUDGED_AT_A_TIME
            && shared.can_begin()
            && let Some(id) = next_to_judge(&shared)
        {
            judging.insert(tasks.spawn(judge::judge(Arc::clone(&shared), id)).id(), id);
        }
        tokio::select! {
            ids = shared.spool.taken_in() => {
                for id in ids {
                    match shared.load(id).await {
                        Ok((place, message)) => shared.plan(place, &message),
                        Err(error) => warn!(message = %id, %error, "a message was taken in and is gone"),
                    }
                }
            }
            Some(ended) = tasks.join_next_with_id() => {
                let task = ended.as_ref().map_or_else(JoinError::id, |(task, ())| *task);
                let judged = judging.remove(&task);
                if let Err(error) = ended {
                    error!(%error, "an attempt ended by a fault of this program");
                    if let Some(id) = judged {
                        judge::again(&shared, id);
                    }
                }
            }
            Some(ended) = uncalled.join_next() => {
                if let Err(error) = ended {
                    error!(%error, "a message was not put off, by a fault of this program");
                }
            }
            () = sleep_until(next_scan) => {
                let forgotten = shared.forgotten(&judging);
                // What is on its way from one hand to the other is in no hand for a moment.
                for id in forgotten.intersection(&suspects) {
                    if let Ok((place, message)) = shared.load(*id).await {
                        warn!(message = %id, "a message was lost sight of, and is seen to again");
                        shared.plan(place, &message);
                    }
                }
                suspects = forgotten;
                next_scan = Instant::now() + shared.setup().settings.scan_period;
            }
            () = shared.wake.notified() => {}
            () = sleep_until(until(&shared)) => {}
            () = stopping(&mut stopped) => break,
        }
    }
    shared.close_kept(true);
    let all = async { while tasks.join_next().await.is_some() || uncalled.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, all).await.is_err() {
        tokio::join!(tasks.shutdown(), uncalled.shutdown());
    }
}

async fn stopping(stopped: &mut watch::Receiver<bool>) {
    // Whoever could say so being gone says so, too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// The next job that needs a connection of its own; those that do not are given to whoever keeps one.
fn next_job(shared: &Shared) -> Option<Job> {
    loop {
        let now = shared.now();
        let mut schedule = shared.schedule();
        let Some(job) = schedule.next(now) else {
            let in_the_way = schedule.make_way(now);
            drop(schedule);
            shared.keepers.close(in_the_way?);
            continue;
        };
        let kept = schedule.take_idle(&job.destination);
        drop(schedule);
        let Some(ticket) = kept else { return Some(job) };
        if let Err(job) = shared.keepers.give(ticket, job) {
            return Some(job);
        }
    }
}

fn next_to_judge(shared: &Shared) -> Option<MessageId> {
    let now = shared.now();
    let mut waiting = shared.to_judge();
    let (due, id) = waiting.first().copied().filter(|(due, _)| *due <= now)?;
    waiting.remove(&(due, id));
    Some(id)
}

/// When something is due next.
fn until(shared: &Shared) -> Instant {
    let job = shared.schedule().next_due();
    let judge = shared.to_judge().first().map(|(due, _)| *due);
    let now = shared.now();
    // What is ready now and was not begun waits for something else to end.
    let due = [job.filter(|due| *due > now), judge.filter(|due| *due > now)].into_iter().flatten().min();
    let due = due.unwrap_or(now + LONGEST_SLEEP).min(now + LONGEST_SLEEP);
    shared.began + Duration::from_millis(due)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod faulty_disk;
#[cfg(test)]
mod tests;
