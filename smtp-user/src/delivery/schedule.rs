//! Who is delivered to next. Pure: the clock is an argument, in milliseconds that only go forward.
//!
//! One queue per destination, each with its own limit and its own back-off. A destination that does not answer is called
//! by one attempt at a time, however much waits for it, and all such destinations together have at most half of the
//! connections: what one of them does costs the others nothing. Messages to it that are due meanwhile are put off without
//! a call ([`put_off`]), so that each grows as old as it is; when it answers, they go at once. Among those with something to do the one that was
//! served longest ago is next. A connection that nothing waits for may be kept a while ([`idle`]); it counts like one in use.

pub mod idle;
pub mod put_off;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use crate::delivery::destination::Destination;
use crate::delivery::retry::Retry;
use crate::delivery::schedule::idle::{Idle, Ticket};
use crate::delivery::settings::Settings;
use crate::model::session_id::MessageId;

/// Something to do: deliver a message to those of its recipients that are of one destination.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    /// The message.
    pub message: MessageId,
    /// Where to.
    pub destination: Destination,
}

/// What is allowed at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Jobs in work.
    pub in_all: u32,
    /// Of them, for one destination.
    pub per_site: u32,
    /// Back-off of destinations that do not answer.
    pub retry: Retry,
}

impl Bounds {
    /// Of settings.
    pub fn of(settings: &Settings) -> Self {
        Self {
            in_all: settings.max_conns.min(settings.max_load),
            per_site: settings.max_conns_per_site,
            retry: Retry::of(settings),
        }
    }
}

/// How a destination did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It was spoken with.
    Answers,
    /// None of its hosts could be spoken with.
    Silent,
    /// Nobody was called.
    Unknown,
}

/// All that waits, and all that is in work.
#[derive(Debug)]
pub struct Schedule {
    bounds: Bounds,
    sites: HashMap<Destination, Site>,
    /// Destinations by when they have something to do.
    waiting: BTreeSet<(u64, Destination)>,
    /// Destinations that have something to do now and room for it, by when they were served.
    ready: BTreeSet<(u64, Destination)>,
    /// Destinations that are left alone, by when one more of their messages is due.
    put_off: BTreeSet<(u64, Destination)>,
    turns: u64,
    in_work: u32,
    /// Of them, for destinations that did not answer last time.
    in_work_silent: u32,
    /// Connections that are kept.
    idle: Idle,
}

#[derive(Debug, Default)]
struct Site {
    jobs: BTreeSet<(u64, MessageId)>,
    due: HashMap<MessageId, u64>,
    in_work: BTreeSet<MessageId>,
    /// Messages that were in work, and what became of them is still being written down.
    unrecorded: BTreeSet<MessageId>,
    /// Times in a row that it did not answer.
    silent: u32,
    /// Nobody calls it before.
    quiet_until: u64,
    /// Turn at which it was served.
    served: u64,
    /// Where it stands in `waiting` or `ready`.
    place: Option<Place>,
    /// Where it stands in `put_off`.
    next_put_off: Option<u64>,
    /// Messages that were put off without a call since it did not answer.
    uncalled: BTreeSet<MessageId>,
    /// Jobs in work that were counted as those of a silent destination.
    counted_silent: BTreeSet<MessageId>,
    /// Connections to it that are kept.
    idle: BTreeSet<Ticket>,
    /// They, and those of them that are being closed.
    idle_open: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Waiting(u64),
    Ready(u64),
}

impl Schedule {
    /// With nothing to do.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            sites: HashMap::new(),
            waiting: BTreeSet::new(),
            ready: BTreeSet::new(),
            put_off: BTreeSet::new(),
            turns: 0,
            in_work: 0,
            in_work_silent: 0,
            idle: Idle::default(),
        }
    }

    /// Other bounds from now on; what is in work goes on.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
        let all: Vec<Destination> = self.sites.keys().cloned().collect();
        for destination in all {
            self.place(&destination);
        }
    }

    /// Adds a job, or says anew when it is to be done. One that is in work, or not written down yet, is left alone.
    pub fn add(&mut self, job: Job, due: u64) {
        let Job { message, destination } = job;
        let site = self.sites.entry(destination.clone()).or_default();
        if site.in_work.contains(&message) || site.unrecorded.contains(&message) {
            return;
        }
        if let Some(old) = site.due.insert(message, due) {
            site.jobs.remove(&(old, message));
        }
        site.jobs.insert((due, message));
        self.place(&destination);
    }

    /// Forgets a message wherever it waits.
    pub fn forget(&mut self, message: MessageId) {
        let of_it: Vec<Destination> = self
            .sites
            .iter()
            .filter(|(_, site)| site.due.contains_key(&message))
            .map(|(destination, _)| destination.clone())
            .collect();
        for destination in of_it {
            if let Some(site) = self.sites.get_mut(&destination)
                && let Some(due) = site.due.remove(&message)
            {
                site.jobs.remove(&(due, message));
            }
            self.place(&destination);
        }
    }

    /// Whether a message waits for a destination or is in work for it.
    pub fn knows(&self, job: &Job) -> bool {
        self.sites
            .get(&job.destination)
            .is_some_and(|site| site.due.contains_key(&job.message) || site.in_work.contains(&job.message))
    }

    /// Every message that waits, is in work, or is being written down.
    pub fn messages(&self) -> HashSet<MessageId> {
        let of_site = |site: &Site| -> Vec<MessageId> {
            site.due.keys().chain(&site.in_work).chain(&site.unrecorded).copied().collect()
        };
        self.sites.values().flat_map(of_site).collect()
    }

    /// Destinations that something waits for.
    pub fn destinations(&self) -> Vec<Destination> {
        self.sites.iter().filter(|(_, site)| !site.jobs.is_empty()).map(|(name, _)| name.clone()).collect()
    }

    /// Lets a destination be called at once, whatever it did, for what is due there: nothing else is tried before its time.
    pub fn call(&mut self, destination: &Destination, now: u64) {
        if let Some(site) = self.sites.get_mut(destination) {
            site.quiet_until = site.quiet_until.min(now);
        }
        self.place(destination);
    }

    /// Lets a destination be called at once, whatever it did; `None` means all of them. What waits for it is due.
    pub fn flush(&mut self, which: Option<&Destination>, now: u64) {
        let all: Vec<Destination> = match which {
            Some(destination) => vec![destination.clone()],
            None => self.sites.keys().cloned().collect(),
        };
        for destination in all {
            if let Some(site) = self.sites.get_mut(&destination) {
                site.quiet_until = now;
                let waiting: Vec<MessageId> = site.due.keys().copied().collect();
                site.jobs = waiting.iter().map(|message| (now, *message)).collect();
                site.due = waiting.into_iter().map(|message| (message, now)).collect();
            }
            self.place(&destination);
        }
    }

    /// The next job, if something is due and allowed. It is in work until [`done`](Self::done). Whoever asks takes a
    /// connection for it that is kept, if there is [one](Self::take_idle).
    pub fn next(&mut self, now: u64) -> Option<Job> {
        self.wake(now);
        let is_full = self.is_full();
        if is_full && self.idle.is_empty() {
            return None;
        }
        let half = (self.bounds.in_all / 2).max(1);
        let chosen = self.ready.iter().find(|(_, destination)| {
            let is_silent = self.sites.get(destination).is_some_and(|site| site.silent > 0);
            !is_silent || self.in_work_silent < half
        });
        let destination = chosen?.1.clone();
        if is_full && !self.has_idle(&destination) {
            return None;
        }
        self.begin(&destination)
    }

    /// The next job of a destination that somebody has a connection to, in place of the one that is just done.
    pub fn next_of(&mut self, destination: &Destination, now: u64) -> Option<Job> {
        self.wake(now);
        let is_ready = matches!(self.sites.get(destination)?.place, Some(Place::Ready(_)));
        if !is_ready || self.is_full() {
            return None;
        }
        self.begin(destination)
    }

    /// A job is done whose connection is still good: the next one of its destination, if one is due. Nobody does the first
    /// one again until it is said to be [`recorded`](Self::recorded). Without a next one, [`done`](Self::done) and
    /// [`recorded`](Self::recorded) follow when the connection is gone.
    pub fn exchange(&mut self, job: &Job, health: Health, now: u64) -> Option<Job> {
        let site = self.sites.get(&job.destination)?;
        let is_due = site.jobs.first().is_some_and(|(due, _)| *due <= now);
        if !is_due || health != Health::Answers {
            return None;
        }
        self.sites.get_mut(&job.destination)?.unrecorded.insert(job.message);
        self.done(job, health, now);
        self.next_of(&job.destination, now)
    }

    /// What became of a job is written down: what is left of it may be added again.
    pub fn recorded(&mut self, job: &Job) {
        if let Some(site) = self.sites.get_mut(&job.destination) {
            site.unrecorded.remove(&job.message);
        }
        self.place(&job.destination);
    }

    /// A job is done; what is left of it was not added again yet.
    pub fn done(&mut self, job: &Job, health: Health, now: u64) {
        let Some(site) = self.sites.get_mut(&job.destination) else { return };
        if !site.in_work.remove(&job.message) {
            return;
        }
        self.in_work -= 1;
        if site.counted_silent.remove(&job.message) {
            self.in_work_silent -= 1;
        }
        match health {
            Health::Answers => {
                site.silent = 0;
                site.quiet_until = 0;
                site.call_put_off(now);
            }
            // Several attempts that ran at the same time have seen the same silence.
            Health::Silent if site.quiet_until > now => {}
            Health::Silent => {
                site.silent = site.silent.saturating_add(1);
                // The destination is heard sooner than its messages are due again; a message is never early.
                let wait = self.bounds.retry.wait(site.silent, u32::MAX / 2);
                site.quiet_until = now.saturating_add(millis(wait.mul_f64(QUIET_SHARE)));
            }
            Health::Unknown => {}
        }
        self.place(&job.destination);
        if self.turns.is_multiple_of(TIDY) {
            self.tidy(now);
        }
    }

    /// When something may be due next, if nothing is done until then.
    pub fn next_due(&self) -> Option<u64> {
        if !self.ready.is_empty() && !self.is_full() {
            return Some(0);
        }
        [&self.waiting, &self.put_off].into_iter().filter_map(BTreeSet::first).map(|(due, _)| *due).min()
    }

    /// Jobs in work.
    pub const fn in_work(&self) -> u32 {
        self.in_work
    }

    /// Jobs that wait.
    pub fn waiting(&self) -> usize {
        self.sites.values().map(|site| site.jobs.len()).sum()
    }

    /// When a destination that did not answer is called again.
    pub fn quiet_until(&self, destination: &Destination) -> Option<u64> {
        self.sites.get(destination).filter(|site| site.silent > 0).map(|site| site.quiet_until)
    }

    /// Forgets how destinations did that nothing waits for.
    fn tidy(&mut self, now: u64) {
        const KEPT: u64 = 3_600_000;
        self.sites.retain(|_, site| {
            let is_remembered = site.quiet_until.saturating_add(KEPT) > now;
            let is_busy = !site.in_work.is_empty() || !site.unrecorded.is_empty() || site.idle_open > 0;
            !site.jobs.is_empty() || is_busy || is_remembered
        });
    }

    /// What was to wait until now is ready.
    fn wake(&mut self, now: u64) {
        while let Some((due, destination)) = self.waiting.first().cloned() {
            if due > now {
                return;
            }
            self.waiting.remove(&(due, destination.clone()));
            if let Some(site) = self.sites.get_mut(&destination) {
                site.place = Some(Place::Ready(site.served));
                self.ready.insert((site.served, destination));
            }
        }
    }

    fn begin(&mut self, destination: &Destination) -> Option<Job> {
        self.turns += 1;
        let site = self.sites.get_mut(destination)?;
        let (_, message) = site.jobs.pop_first()?;
        site.due.remove(&message);
        site.in_work.insert(message);
        self.in_work += 1;
        if site.silent > 0 {
            site.counted_silent.insert(message);
            self.in_work_silent += 1;
        }
        self.take_off(destination);
        if let Some(site) = self.sites.get_mut(destination) {
            site.served = self.turns;
        }
        self.place(destination);
        Some(Job { message, destination: destination.clone() })
    }

    /// Puts a destination where it belongs now.
    fn place(&mut self, destination: &Destination) {
        self.take_off(destination);
        self.place_put_off(destination);
        let per_site = self.bounds.per_site;
        let Some(site) = self.sites.get_mut(destination) else { return };
        let allowed = if site.silent > 0 { 1 } else { per_site };
        let Some((due, _)) = site.jobs.first() else {
            // A destination that did not answer is remembered for as long as nobody calls it.
            let is_unused = site.in_work.is_empty() && site.unrecorded.is_empty() && site.idle_open == 0;
            if is_unused && site.silent == 0 {
                self.sites.remove(destination);
            }
            return;
        };
        let in_work = site.in_work.len() as u32;
        if in_work >= allowed || (site.idle.is_empty() && in_work + site.idle_open >= allowed) {
            return;
        }
        let due = (*due).max(site.quiet_until);
        site.place = Some(Place::Waiting(due));
        self.waiting.insert((due, destination.clone()));
    }

    fn take_off(&mut self, destination: &Destination) {
        let Some(site) = self.sites.get_mut(destination) else { return };
        match site.place.take() {
            Some(Place::Waiting(due)) => {
                self.waiting.remove(&(due, destination.clone()));
            }
            Some(Place::Ready(served)) => {
                self.ready.remove(&(served, destination.clone()));
            }
            None => {}
        }
    }
}

/// Share of a message's back-off that its destination is left alone for.
const QUIET_SHARE: f64 = 0.5;

/// After so many jobs it is looked for destinations that can be forgotten.
const TIDY: u64 = 1024;

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod seen;
#[cfg(test)]
mod tests;
