//! What documents in a zip have beside their members: Office Open XML and `OpenDocument`.

use crate::content::container::Walk;
use crate::content::finding::{Finding, Trait};

/// Looks at a member of a document.
pub(super) fn member(walk: &mut Walk<'_>, part: &str, name: &str, octets: &[u8]) {
    let lower = name.to_ascii_lowercase();
    let has = |needle: &[u8]| memchr::memmem::find(octets, needle).is_some();
    if lower.ends_with("vbaproject.bin")
        || lower.starts_with("xl/macrosheets/")
        || lower.starts_with("basic/")
    {
        walk.has(Trait::Macros, part);
    }
    if lower.contains("/embeddings/") {
        walk.has(Trait::EmbeddedObject, part);
    }
    let is_relations = lower.rsplit_once('.').is_some_and(|(_, extension)| extension == "rels");
    if is_relations && has(b"TargetMode=\"External\"") {
        let fetched = [b"/attachedTemplate".as_slice(), b"/frame\"", b"/oleObject", b"/subDocument"];
        if fetched.iter().any(|kind| has(kind)) {
            walk.has(Trait::ExternalTemplate, part);
        }
    }
    if lower == "meta-inf/manifest.xml" && has(b"encryption-data") {
        walk.note(Finding::Encrypted, part);
    }
}
