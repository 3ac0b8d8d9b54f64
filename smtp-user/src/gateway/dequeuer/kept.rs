//! Connections that are kept a moment for the next message of their destination.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep;

use super::Shared;
use super::setup::DequeuerSetup;
use crate::delivery::destination::Destination;
use crate::delivery::schedule::idle::Ticket;
use crate::delivery::schedule::{Health, Job};
use crate::delivery::session::Connection;

/// How long one is kept. Where mail comes in steadily there is more within that time; nobody else waits for its place
/// meanwhile, since it gives way.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// Where whoever keeps a connection is told of what is to be sent over it.
#[derive(Debug, Default)]
pub(super) struct Keepers {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    lines: HashMap<Ticket, oneshot::Sender<Job>>,
    /// The dequeuer ends: nothing is kept any more.
    is_over: bool,
}

impl Keepers {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a job to whoever keeps this connection; gives it back if there is nobody.
    pub(super) fn give(&self, ticket: Ticket, job: Job) -> Result<(), Job> {
        match self.inner().lines.remove(&ticket) {
            Some(line) => line.send(job),
            None => Err(job),
        }
    }

    /// A connection that was withdrawn is to be closed.
    pub(super) fn close(&self, ticket: Ticket) {
        self.inner().lines.remove(&ticket);
    }
}

impl Shared {
    /// Has all connections closed that are kept.
    pub(super) fn close_kept(&self, for_good: bool) {
        // Both locks, in this order everywhere: none is kept meanwhile that nobody closes.
        let mut schedule = self.schedule();
        let mut keepers = self.keepers.inner();
        keepers.is_over |= for_good;
        schedule.withdraw_all();
        keepers.lines.clear();
    }
}

/// A connection that is kept. Dropped, it counts no more.
pub(super) struct Kept {
    shared: Arc<Shared>,
    destination: Destination,
    ticket: Ticket,
    line: oneshot::Receiver<Job>,
    /// Somebody else counts it.
    is_taken: bool,
}

impl Kept {
    /// Keeps a connection over which a job was done, if that makes sense; not one that was made under other settings than
    /// those that hold now.
    pub(super) fn new(
        shared: &Arc<Shared>,
        made_under: &Arc<DequeuerSetup>,
        job: &Job,
        health: Health,
        now: u64,
    ) -> Option<Self> {
        let mut schedule = shared.schedule();
        let mut keepers = shared.keepers.inner();
        if keepers.is_over || !Arc::ptr_eq(made_under, &shared.setup()) {
            return None;
        }
        let ticket = schedule.keep(job, health, now)?;
        let (sender, line) = oneshot::channel();
        keepers.lines.insert(ticket, sender);
        drop(keepers);
        if schedule.next_due().is_some() {
            // Something may be due sooner, now that there is a connection for it.
            shared.wake.notify_one();
        }
        let destination = job.destination.clone();
        Some(Self { shared: Arc::clone(shared), destination, ticket, line, is_taken: false })
    }

    /// Waits for something to be sent over it. `None`: nothing came, and it is closed.
    pub(super) async fn next_job(mut self, connection: &mut Option<Connection>) -> Option<Job> {
        let quiet = async {
            match connection {
                Some(open) => open.disturbed().await,
                None => std::future::pending().await,
            }
        };
        let told = tokio::select! {
            told = &mut self.line => Some(told.ok()),
            () = quiet => None,
            () = sleep(KEPT_FOR) => None,
        };
        let job = match told {
            Some(told) => told,
            None if self.withdraw() => None,
            // Somebody has taken it at this moment.
            None => (&mut self.line).await.ok(),
        };
        self.is_taken = job.is_some();
        if job.is_none()
            && let Some(connection) = connection.take()
        {
            connection.quit().await;
        }
        job
    }

    fn withdraw(&self) -> bool {
        let is_mine = self.shared.schedule().withdraw(self.ticket);
        if is_mine {
            self.shared.keepers.close(self.ticket);
        }
        is_mine
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.is_taken {
            return;
        }
        self.withdraw();
        self.shared.schedule().hung_up(&self.destination);
        self.shared.wake.notify_one();
    }
}
