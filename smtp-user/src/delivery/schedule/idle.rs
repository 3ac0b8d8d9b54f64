//! Connections that nothing waits for just now: kept a moment for the next message of their destination, since making one
//! costs more than sending a small message does.
//!
//! They count like those in use, for a destination and in all. Where one of them is in somebody else's way it is closed.

use std::collections::BTreeMap;

use crate::delivery::destination::Destination;
use crate::delivery::schedule::{Health, Job, Schedule};

/// A connection that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// All that are kept.
#[derive(Debug, Default)]
pub(super) struct Idle {
    kept: BTreeMap<Ticket, Destination>,
    /// They, and those of them that are being closed.
    open: u32,
    made: u64,
}

impl Idle {
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

impl Schedule {
    /// A job is done whose connection is still good, and none is due that could go over it. The connection is kept until it
    /// is [taken](Self::take_idle) or [withdrawn](Self::withdraw); nobody does the job again until it is said to be
    /// [`recorded`](Self::recorded). `None`: it is to be closed.
    pub fn keep(&mut self, job: &Job, health: Health, now: u64) -> Option<Ticket> {
        let within = self.in_work + self.idle.open <= self.bounds.in_all;
        let per_site = self.bounds.per_site;
        let site = self.sites.get_mut(&job.destination)?;
        let within_site = site.in_work.len() as u32 + site.idle_open <= per_site;
        if health != Health::Answers || !within || !within_site || !site.in_work.contains(&job.message) {
            return None;
        }
        self.idle.made += 1;
        let ticket = Ticket(self.idle.made);
        self.idle.kept.insert(ticket, job.destination.clone());
        self.idle.open += 1;
        site.idle.insert(ticket);
        site.idle_open += 1;
        site.unrecorded.insert(job.message);
        self.done(job, health, now);
        Some(ticket)
    }

    /// A connection for a job of this destination that was just begun. The one that was used last: the others may be
    /// closed when there is little to do.
    pub fn take_idle(&mut self, destination: &Destination) -> Option<Ticket> {
        let ticket = self.sites.get_mut(destination)?.idle.pop_last()?;
        self.idle.kept.remove(&ticket);
        self.hung_up(destination);
        Some(ticket)
    }

    /// A connection is kept no longer, and counts until it has [hung up](Self::hung_up). Says no if it was taken.
    pub fn withdraw(&mut self, ticket: Ticket) -> bool {
        let Some(destination) = self.idle.kept.remove(&ticket) else { return false };
        if let Some(site) = self.sites.get_mut(&destination) {
            site.idle.remove(&ticket);
        }
        self.place(&destination);
        true
    }

    /// Withdraws all that are kept.
    pub fn withdraw_all(&mut self) {
        while let Some((ticket, _)) = self.idle.kept.first_key_value() {
            self.withdraw(*ticket);
        }
    }

    /// Withdraws the one that is kept longest, if another destination has something to do, and there are as many
    /// connections as there may be.
    pub fn make_way(&mut self, now: u64) -> Option<Ticket> {
        self.wake(now);
        let closing = (self.idle.open as usize).saturating_sub(self.idle.kept.len());
        if !self.is_full() || closing >= self.ready.len() {
            return None;
        }
        let ticket = *self.idle.kept.first_key_value()?.0;
        self.withdraw(ticket);
        Some(ticket)
    }

    /// A connection that was withdrawn is closed.
    pub fn hung_up(&mut self, destination: &Destination) {
        if let Some(site) = self.sites.get_mut(destination)
            && site.idle_open > 0
        {
            site.idle_open -= 1;
            self.idle.open -= 1;
        }
        self.place(destination);
    }

    /// Whether there are as many connections as there may be.
    pub(super) fn is_full(&self) -> bool {
        self.in_work + self.idle.open >= self.bounds.in_all
    }

    pub(super) fn has_idle(&self, destination: &Destination) -> bool {
        self.sites.get(destination).is_some_and(|site| !site.idle.is_empty())
    }
}

#[cfg(test)]
mod tests;
