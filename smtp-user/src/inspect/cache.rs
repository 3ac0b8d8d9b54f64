//! What was found out about a part is remembered for when the same octets come again (B2).
//!
//! A part is known by its decoded octets in every reading, its declared type and what it is, the version of every engine
//! and its signatures, and the settings that it was looked at under. So a signature update makes everything new, and so
//! does a reload, which begins with an empty cache. What hangs on the time, on a limit, on an engine that failed, or on a
//! password that the message named is not remembered. Engines are asked about every message all the same: they look at it as
//! a whole.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use crate::engine::outcome::{EngineOutcome, EngineReport};
use crate::inspect::contents::Looked;
use crate::inspect::stage::{ran, skipped};
use crate::model::session_id::MessageId;

/// What a part is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

/// What was found out.
#[derive(Debug)]
pub(super) struct Known {
    at: Instant,
    /// Where it came first, if that message has a name.
    message: Option<MessageId>,
    /// In a word or two, as in `clean`.
    verdict: String,
    /// Number that the part had.
    pub(super) number: String,
    /// What is in it, if it was unpacked.
    pub(super) looked: Option<Looked>,
}

/// What is remembered. Bounded by what it weighs; what came first goes first.
#[derive(Debug, Default)]
pub(super) struct Cache {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    known: HashMap<Key, Arc<Known>>,
    order: VecDeque<Key>,
    weight: usize,
}

/// Parts and members of them that are remembered; with the longest names some twenty megabytes.
const MAX_WEIGHT: usize = 20_000;
/// How long something is remembered.
const MAX_AGE: Duration = Duration::from_hours(24);

/// Names and versions of the engines that looked at a message, if each did and is content, and says its version. Without that,
/// nobody knows when the answer would be another one.
pub(super) fn versions<'e>(engines: impl Iterator<Item = &'e EngineReport>) -> Option<String> {
    let mut text = String::new();
    for report in engines {
        let version = report.version.as_ref().filter(|_| report.outcome == EngineOutcome::Clean)?;
        // Names and versions are of one line.
        text.extend([report.engine.as_str(), "\n", version, "\n"]);
    }
    Some(text)
}

impl Key {
    /// Of a part: what [`identity`] gave, under these settings and versions.
    pub(super) fn new(identity: &[u8; 32], settings: &str, versions: &str) -> Self {
        let digest = Sha256::new().chain_update(identity).chain_update(settings).chain_update("\0");
        Self(digest.chain_update(versions).finalize().into())
    }
}

/// What a part is by itself: the digests of its readings, its declared type, what it is, and whether it is unpacked.
pub(super) fn identity<'d>(
    readings: impl Iterator<Item = &'d [u8; 32]>,
    media_type: &str,
    kinds: &[String],
    is_unpacked: bool,
) -> [u8; 32] {
    let mut digest = Sha256::new();
    for reading in readings {
        digest.update(reading);
    }
    digest.update(format!("\n{media_type}\n{}\n{is_unpacked}", kinds.join(",")));
    digest.finalize().into()
}

impl Known {
    /// Found out just now.
    pub(super) fn now(
        message: Option<MessageId>,
        verdict: String,
        number: String,
        looked: Option<Looked>,
    ) -> Self {
        Self { at: Instant::now(), message, verdict, number, looked }
    }

    fn weight(&self) -> usize {
        1 + self.looked.as_ref().map_or(0, Looked::weight)
    }

    /// For the row of the stage.
    pub(super) fn row(&self, now: Instant) -> String {
        let age = now.saturating_duration_since(self.at).as_secs();
        let first = self.message.map(|id| format!(" in {id}")).unwrap_or_default();
        ran(&format!("hit: {}{first}, {age} s ago", self.verdict))
    }
}

/// The row of a part that nothing is remembered of.
pub(super) fn missed(versions: Option<&str>) -> String {
    match versions {
        Some(_) => ran("miss"),
        None => skipped("an engine found something, failed, or says no version"),
    }
}

impl Cache {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of a part.
    pub(super) fn get(&self, key: Key, now: Instant) -> Option<Arc<Known>> {
        let known = self.held().known.get(&key).cloned()?;
        (now.saturating_duration_since(known.at) <= MAX_AGE).then_some(known)
    }

    /// Remembers a part, and forgets the oldest ones if there are too many.
    pub(super) fn put(&self, key: Key, known: Known) {
        let weight = known.weight();
        if weight > MAX_WEIGHT / 10 {
            return;
        }
        let mut held = self.held();
        if let Some(earlier) = held.known.insert(key, Arc::new(known)) {
            held.weight -= earlier.weight();
        } else {
            held.order.push_back(key);
        }
        held.weight += weight;
        while held.weight > MAX_WEIGHT {
            let Some(oldest) = held.order.pop_front() else { return };
            if let Some(gone) = held.known.remove(&oldest) {
                held.weight -= gone.weight();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: EngineOutcome, version: Option<&str>) -> EngineReport {
        EngineReport { engine: "av".to_owned(), version: version.map(str::to_owned), outcome, micros: 1 }
    }

    fn known(verdict: &str) -> Known {
        Known::now(None, verdict.to_owned(), "1".to_owned(), None)
    }

    #[test]
    fn another_version_or_setting_or_content_is_another_key() {
        let digests = [[1; 32], [2; 32]];
        let of = |readings: &[[u8; 32]], kind: &str| {
            identity(readings.iter(), "application/zip", &[kind.to_owned()], true)
        };
        let first = Key::new(&of(&digests, "zip"), "settings", "av\n1\n");
        for other in [
            Key::new(&of(&digests[..1], "zip"), "settings", "av\n1\n"),
            Key::new(&of(&digests, "docx"), "settings", "av\n1\n"),
            Key::new(&of(&digests, "zip"), "other settings", "av\n1\n"),
            Key::new(&of(&digests, "zip"), "settings", "av\n2\n"),
        ] {
            assert_ne!(first, other);
        }
        assert_eq!(first, Key::new(&of(&digests, "zip"), "settings", "av\n1\n"));
    }

    #[test]
    fn engines_that_fail_find_something_or_say_no_version_are_not_built_upon() {
        let clean = || report(EngineOutcome::Clean, Some("1"));
        assert_eq!(versions([clean()].iter()).as_deref(), Some("av\n1\n"));
        assert_eq!(versions([].iter()).as_deref(), Some(""));
        for other in [
            report(EngineOutcome::Clean, None),
            report(EngineOutcome::Infected("x".to_owned()), Some("1")),
            report(EngineOutcome::LimitExceeded("x".to_owned()), Some("1")),
            report(EngineOutcome::Error(crate::engine::outcome::EngineError::TimedOut), Some("1")),
        ] {
            assert_eq!(versions([clean(), other].iter()), None);
        }
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_go_first() {
        let cache = Cache::default();
        let key = |number: u32| {
            let mut octets = [0; 32];
            octets[..4].copy_from_slice(&number.to_be_bytes());
            Key(octets)
        };
        for number in 0..MAX_WEIGHT as u32 + 10 {
            cache.put(key(number), known("clean"));
        }
        let now = Instant::now();
        assert!(cache.get(key(9), now).is_none());
        assert!(cache.get(key(10), now).is_some());
        assert_eq!(cache.held().known.len(), MAX_WEIGHT);
        assert_eq!(cache.held().order.len(), MAX_WEIGHT);
        cache.put(key(10), known("again"));
        assert_eq!(cache.held().weight, MAX_WEIGHT);
        assert_eq!(cache.held().order.len(), MAX_WEIGHT);
        let later = now + MAX_AGE + Duration::from_secs(5);
        assert!(cache.get(key(10), later).is_none());
    }
}
