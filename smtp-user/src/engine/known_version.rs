//! The version of an engine's signatures, as it was last told.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a version is believed; signatures change a few times a day.
const AGE: Duration = Duration::from_secs(30);

/// The version of an engine's signatures. Not to know it is no error: it is for the record.
#[derive(Debug, Default)]
pub(super) struct KnownVersion(Mutex<Option<(Instant, Option<String>)>>);

impl KnownVersion {
    /// Whether it was asked for not long ago, whatever the answer.
    pub(super) fn is_fresh(&self) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().is_some_and(|(since, _)| since.elapsed() < AGE)
    }

    /// What was told last.
    pub(super) fn last(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.1.clone()
    }

    /// Remembers it.
    pub(super) fn set(&self, version: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), version));
    }

    /// Remembers what a question about it came to: nothing, perhaps, but then what an answer told meanwhile stands.
    pub(super) fn settle(&self, version: Option<String>) -> Option<String> {
        if version.is_none() && self.is_fresh() {
            return self.last();
        }
        self.set(version.clone());
        version
    }
}
