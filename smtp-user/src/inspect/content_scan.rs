//! What is looked for in octets that are known whole: a part, or something within one.

use crate::content::Kind;
use crate::engine::eicar::EICAR_NAME;
use crate::engine::hash_list::{Digests, HashLists};
use crate::event::session_event::PartRecord;
use crate::inspect::stage::{self, ran, skipped};
use crate::wire::hexadecimal::hexadecimal;

/// What was found out about octets.
#[derive(Debug)]
pub(super) struct Scanned<'s> {
    /// Length of the reading that is recorded.
    pub(super) octets: u64,
    /// Of that reading.
    pub(super) digests: &'s Digests,
    /// Every kind that they are in any reading.
    pub(super) kinds: &'s [Kind],
    /// Whether the test string is in them.
    pub(super) has_eicar: bool,
    /// Name of the list's entry that they are.
    pub(super) listed: Option<String>,
}

/// What content is looked at with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looks<'l> {
    pub(super) lists: &'l HashLists,
    pub(super) executables: bool,
    /// Members of a part that are recorded.
    pub(super) most: usize,
}

impl Looks<'_> {
    /// Fills a record, and gives the names of what was found.
    pub(super) fn fill(self, record: &mut PartRecord, scanned: Scanned<'_>) -> Vec<String> {
        let Scanned { octets, digests, kinds, has_eicar, listed } = scanned;
        record.octets = octets;
        record.md5 = digests.md5.map(|digest| hexadecimal(&digest)).unwrap_or_default();
        record.sha1 = digests.sha1.map(|digest| hexadecimal(&digest)).unwrap_or_default();
        record.sha256 = hexadecimal(&digests.sha256);
        record.kinds = kinds.iter().map(|kind| kind.name().to_owned()).collect();
        let signature = has_eicar.then_some(EICAR_NAME);
        let program = kinds.iter().find_map(|kind| kind.program_name()).filter(|_| self.executables);
        let result =
            |found: Option<&str>| ran(&found.map_or("clean".to_owned(), |name| format!("infected: {name}")));
        let on =
            |on: bool, reason: &str, found: Option<&str>| if on { result(found) } else { skipped(reason) };
        let rows = [
            (stage::STRUCTURE, ran("sound")),
            (stage::TYPE, ran(&record.kinds.join(", "))),
            (stage::ARCHIVE, skipped("no container")),
            (stage::SIGNATURE, result(signature)),
            (stage::REPUTATION, on(!self.lists.is_empty(), "no list", listed.as_deref())),
            (stage::EXECUTABLES, on(self.executables, "off", program)),
            (stage::LINKS, skipped("no text")),
            // Of a part of the message it is filled in later.
            (stage::CACHE, skipped(if octets == 0 { "empty" } else { "with what it is in" })),
        ];
        record.stages = rows.into_iter().map(|(name, result)| (name.to_owned(), result)).collect();
        [signature, listed.as_deref(), program].into_iter().flatten().map(str::to_owned).collect()
    }
}
