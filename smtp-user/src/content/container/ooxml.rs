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
    if lower.starts_with("xl/macrosheets/") {
        walk.has(Trait::MacroSheet, part);
    }
    if lower.contains("/activex/") {
        walk.has(Trait::ActiveX, part);
    }
    if lower.rsplit_once('.').is_some_and(|(_, extension)| extension == "xml")
        && (has(b"<ddeLink") || calls_program(octets))
    {
        walk.has(Trait::Dde, part);
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

/// Whether the instructions of fields, put together as a reader does, are of DDE.
fn calls_program(text: &[u8]) -> bool {
    const MARK: &[u8] = b"instrText";
    let mut instructions = Vec::new();
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest, MARK) {
        rest = rest.get(at + MARK.len()..).unwrap_or_default();
        let start = memchr::memchr(b'>', rest).map_or(rest.len(), |at| at + 1);
        let inner = rest.get(start..).unwrap_or_default();
        let end = memchr::memchr(b'<', inner).unwrap_or(inner.len());
        instructions.extend(inner.iter().take(end).filter(|octet| !octet.is_ascii_whitespace()));
    }
    let has = |needle: &[u8]| memchr::memmem::find(&instructions, needle).is_some();
    let simple = [b"instr=\"DDE".as_slice(), b"instr=\" DDE", b"instr='DDE", b"instr=' DDE"];
    has(b"DDE") || simple.iter().any(|field| memchr::memmem::find(text, field).is_some())
}
