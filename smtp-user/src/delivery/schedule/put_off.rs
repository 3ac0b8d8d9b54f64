//! Messages whose time has come while their destination, which did not answer, is left alone: they are put off without a
//! call. The first one whose time comes later is what the destination is called for again.

use crate::delivery::destination::Destination;
use crate::delivery::schedule::{Job, Schedule, Site};
use crate::model::session_id::MessageId;

impl Schedule {
    /// The next message that is to be put off. What becomes of it is being written down until it is said to be
    /// [`recorded`](Self::recorded).
    pub fn next_put_off(&mut self, now: u64) -> Option<Job> {
        while let Some((_, destination)) = self.put_off.first().filter(|(due, _)| *due <= now).cloned() {
            let message = self.sites.get_mut(&destination).and_then(|site| site.put_off(now));
            if message.is_none() {
                // It may be called again.
                self.take_off_put_off(&destination);
                continue;
            }
            self.place(&destination);
            return message.map(|message| Job { message, destination });
        }
        None
    }

    /// Puts a destination where it belongs now.
    pub(super) fn place_put_off(&mut self, destination: &Destination) {
        self.take_off_put_off(destination);
        let Some(site) = self.sites.get_mut(destination) else { return };
        site.next_put_off = site.jobs.first().map(|(due, _)| *due).filter(|due| *due < site.quiet_until);
        if let Some(due) = site.next_put_off {
            self.put_off.insert((due, destination.clone()));
        }
    }

    fn take_off_put_off(&mut self, destination: &Destination) {
        let due = self.sites.get_mut(destination).and_then(|site| site.next_put_off.take());
        if let Some(due) = due {
            self.put_off.remove(&(due, destination.clone()));
        }
    }
}

impl Site {
    fn put_off(&mut self, now: u64) -> Option<MessageId> {
        let (due, message) = *self.jobs.first()?;
        if due > now || self.quiet_until <= now {
            return None;
        }
        self.jobs.pop_first();
        self.due.remove(&message);
        self.unrecorded.insert(message);
        self.uncalled.insert(message);
        Some(message)
    }

    /// It answers: what was put off is due.
    pub(super) fn call_put_off(&mut self, now: u64) {
        for message in std::mem::take(&mut self.uncalled) {
            let Some(due) = self.due.get_mut(&message) else { continue };
            self.jobs.remove(&(*due, message));
            *due = now;
            self.jobs.insert((now, message));
        }
    }
}
