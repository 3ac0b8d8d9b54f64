//! What is remembered of the parts of one message, and what of them is remembered from now on.

use std::sync::Arc;
use std::time::Instant;

use crate::event::session_event::PartRecord;
use crate::inspect::cache::{Key, Known, missed};
use crate::inspect::combine::Finding;
use crate::inspect::contents::Looked;
use crate::inspect::inspector::Shared;
use crate::inspect::stage;
use crate::model::session_id::MessageId;

/// What is remembered of each part, in their order.
pub(super) struct Memory {
    parts: Vec<(Option<Key>, Option<Arc<Known>>)>,
    versions: Option<String>,
    now: Instant,
}

impl Memory {
    /// Asks for each part. Without versions nothing is built upon what was.
    pub(super) fn recall(shared: &Shared, identities: &[Option<[u8; 32]>], versions: Option<&str>) -> Self {
        let now = Instant::now();
        let ask = |identity: &Option<[u8; 32]>| {
            let key = identity.as_ref().zip(versions);
            let key = key.map(|(identity, versions)| Key::new(identity, &shared.settings, versions));
            (key, key.and_then(|key| shared.cache.get(key, now)))
        };
        Self { parts: identities.iter().map(ask).collect(), versions: versions.map(str::to_owned), now }
    }

    /// Writes the rows of the stage.
    pub(super) fn enter(&self, parts: &mut [PartRecord]) {
        for (part, (key, known)) in parts.iter_mut().zip(&self.parts) {
            let row = match (known, key) {
                (Some(known), _) => known.row(self.now),
                (None, None) if part.octets == 0 => continue,
                (None, _) => missed(self.versions.as_deref()),
            };
            stage::set(&mut part.stages, stage::CACHE, row);
        }
    }

    fn known(&self, index: usize) -> Option<(&Known, &Looked)> {
        let known = self.parts.get(index)?.1.as_deref()?;
        Some((known, known.looked.as_ref()?))
    }

    /// Those of some parts that have to be unpacked.
    pub(super) fn unknown(&self, wanted: &[usize]) -> Vec<usize> {
        wanted.iter().copied().filter(|index| self.known(*index).is_none()).collect()
    }

    /// Remembers what was found out about parts that came for the first time.
    pub(super) fn keep(
        &self,
        shared: &Shared,
        message: Option<MessageId>,
        parts: &[PartRecord],
        findings: &[Finding],
        looked: &[Looked],
        unpacked: &[usize],
    ) {
        for (index, (part, (key, known))) in parts.iter().zip(&self.parts).enumerate() {
            let (Some(key), None) = (key, known) else { continue };
            let within = looked.iter().find(|looked| looked.index == index);
            if within.is_some_and(|looked| !looked.is_lasting())
                || (within.is_none() && unpacked.contains(&index))
            {
                continue;
            }
            let own = findings
                .iter()
                .find(|finding| finding.part.as_ref().is_some_and(|found_in| found_in.number == part.part));
            let verdict = own
                .map(|finding| format!("infected: {}", finding.name))
                .or_else(|| within.and_then(Looked::verdict))
                .unwrap_or_else(|| "clean".to_owned());
            shared.cache.put(*key, Known::now(message, verdict, part.part.clone(), within.cloned()));
        }
    }

    /// Adds what is remembered of what is in some parts.
    pub(super) fn add(&self, wanted: &[usize], parts: &[PartRecord], looked: &mut Vec<Looked>) {
        for index in wanted {
            if let (Some((known, within)), Some(part)) = (self.known(*index), parts.get(*index)) {
                looked.push(within.moved(*index, &known.number, &part.part));
            }
        }
        looked.sort_by_key(|looked| looked.index);
    }
}
