//! What the dequeuer's tests see of a schedule.

use std::collections::HashMap;

use crate::delivery::schedule::{Job, Schedule};

impl Schedule {
    /// Whether nothing is in work or being written down, and nothing is due.
    pub(crate) fn is_at_rest(&self, now: u64) -> bool {
        self.sites.values().all(|site| {
            let due = site.jobs.first().map(|(due, _)| *due);
            site.in_work.is_empty() && site.unrecorded.is_empty() && due.is_none_or(|due| due > now)
        })
    }

    /// When everything is due that waits.
    pub(crate) fn dues(&self) -> HashMap<Job, u64> {
        let of_site = |(destination, site): (&_, &super::Site)| {
            let job = |message: &_| Job { message: *message, destination: Clone::clone(destination) };
            site.due.iter().map(|(id, due)| (job(id), *due)).collect::<Vec<_>>()
        };
        self.sites.iter().flat_map(of_site).collect()
    }
}
