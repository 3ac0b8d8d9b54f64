//! What the dequeuer does when the system has no more descriptors or memory for it: it begins nothing, waits, and says so once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use super::Shared;
use crate::gateway::descriptors;
use crate::spool::error::SpoolError;

/// How long is waited for what the system has no more of.
pub(super) const AFTER_A_SHORTAGE: Duration = Duration::from_secs(1);
/// How long it is taken for granted that there are descriptors when there were: to look is three system calls, and this is asked
/// several times for each message. Work that meets a shortage nevertheless is done again.
const TAKEN_FOR_GRANTED: u64 = 5;

impl Shared {
    /// Whether there are descriptors for more work. Without them it would fail one by one, and be put off for as long as if the
    /// next hop had failed.
    pub(super) fn can_begin(&self) -> bool {
        let at = self.now();
        if at < self.enough_until.load(Ordering::Relaxed) {
            return true;
        }
        let are_enough = self.has_descriptors();
        if are_enough {
            self.enough_until.store(at + TAKEN_FOR_GRANTED, Ordering::Relaxed);
        }
        are_enough
    }

    /// Whether there are some at this moment.
    pub(super) fn has_descriptors(&self) -> bool {
        if descriptors::are_enough() {
            let now = Instant::now().into_std();
            if let Some(over) = self.no_descriptors.ends(now) {
                info!(lasted = ?over.lasted, "there are descriptors for deliveries again");
            }
            return true;
        }
        self.note_shortage();
        false
    }

    /// Says once that it is met with.
    pub(super) fn note_shortage(&self) {
        if self.no_descriptors.begins(Instant::now().into_std()) {
            warn!(
                limit = descriptors::limit(),
                "descriptors run out: deliveries wait until some are free; `LimitNOFILE=` in the unit, or `ulimit -n`, says \
                 how many files and connections there may be"
            );
        }
    }

    /// Whether the system gave too little for something, which is told of by the shortage, and not by each that it was met with by.
    pub(super) fn is_short(&self, error: &SpoolError) -> bool {
        let is_short = error.is_shortage();
        if is_short {
            self.note_shortage();
        }
        is_short
    }
}
