//! Memory that messages share: whoever gets some of it needs no file, and the sum of all is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Octets that one message gets.
pub(super) const GRANT: usize = 1 << 20;
/// Octets that all messages get together.
const TOTAL: usize = 64 << 20;

/// What there is for messages that are larger than most.
#[derive(Clone, Debug)]
pub struct MessageMemory(Arc<AtomicUsize>);

impl MessageMemory {
    /// So many grants.
    pub fn with_grants(grants: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(grants)))
    }

    /// Room for one message, if there is any left.
    pub(super) fn grant(&self) -> Option<Grant> {
        let less = |left: usize| left.checked_sub(1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok()?;
        Some(Grant(self.clone()))
    }
}

impl Default for MessageMemory {
    fn default() -> Self {
        Self::with_grants(TOTAL / GRANT)
    }
}

impl PartialEq for MessageMemory {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for MessageMemory {}

/// Room for one message; it is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Grant(MessageMemory);

impl Drop for Grant {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Relaxed);
    }
}
