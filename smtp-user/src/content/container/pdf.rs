//! Portable Document Format: embedded files are taken out, scripts and actions are told.

use lopdf::{Dictionary, Document, LoadOptions, Object, ObjectId, Stream};

use crate::content::container::place::Level;
use crate::content::container::{Unpacked, Walk};
use crate::content::finding::{Finding, Limit, Trait, Unsupported};

/// Reads a document.
pub(super) fn read(walk: &mut Walk<'_>, level: &mut Level, octets: &[u8]) {
    // Readers look for the start of a document in the first 1024 octets.
    let start = memchr::memmem::find(octets, b"%PDF-").unwrap_or_default();
    let octets = octets.get(start..).unwrap_or_default();
    let part = level.part.clone();
    let max = usize::try_from(walk.limits.max_member).unwrap_or(usize::MAX);
    let options = LoadOptions { max_decompressed_size: Some(max), ..LoadOptions::default() };
    let is_encrypted = memchr::memmem::find(octets, b"/Encrypt").is_some();
    let Ok(document) = Document::load_mem_with_options(octets, options) else {
        if is_encrypted {
            walk.note(Finding::Encrypted, &part);
        } else {
            walk.damaged(level);
        }
        return;
    };
    // What everybody can open without a password has been decrypted already.
    if document.is_encrypted() && !document.was_encrypted() {
        walk.note(Finding::Encrypted, &part);
    }
    let mut embedded: Vec<(ObjectId, Vec<String>)> = Vec::new();
    for object in document.objects.values() {
        if !walk.may_go_on(&part) {
            return;
        }
        traits(walk, &part, &document, object, 0);
        files(&document, object, 0, &mut embedded);
    }
    for (id, object) in &document.objects {
        let is_file = object.as_stream().is_ok_and(|stream| stream.dict.has_type(b"EmbeddedFile"));
        if is_file && !embedded.iter().any(|(known, _)| known == id) {
            embedded.push((*id, Vec::new()));
        }
    }
    for (id, names) in embedded {
        let Ok(stream) = document.get_object(id).and_then(Object::as_stream) else { continue };
        walk.has(Trait::EmbeddedFile, &part);
        let stream = &with_own_filters(&document, stream);
        let unpacked = match stream.decompressed_content_with_limit(max) {
            Ok(content) => walk.unpack(&mut content.as_slice(), stream.content.len() as u64, &part),
            Err(lopdf::Error::Decompress(_)) => {
                Unpacked { octets: stream.content.clone(), cut: Some(Finding::LimitExceeded(Limit::Member)) }
            }
            Err(_) => {
                let cut = Some(Finding::Unsupported(Unsupported::Method));
                Unpacked { octets: stream.content.clone(), cut }
            }
        };
        walk.member(level, &names, "pdf", &unpacked);
    }
}

/// Objects within each other that are looked into.
const MAX_DEPTH: usize = 32;

/// Tells what a document does by itself.
fn traits(walk: &mut Walk<'_>, part: &str, document: &Document, object: &Object, depth: usize) {
    if depth == MAX_DEPTH {
        return;
    }
    if let Object::Array(items) = object {
        for item in items {
            traits(walk, part, document, item, depth + 1);
        }
    }
    let Some(dictionary) = dictionary(object) else { return };
    for (key, what) in [
        (b"JS".as_slice(), Trait::Javascript),
        (b"JavaScript", Trait::Javascript),
        (b"AA", Trait::OpenAction),
    ] {
        if dictionary.has(key) {
            walk.has(what, part);
        }
    }
    if dictionary.get(b"OpenAction").is_ok_and(|opens| !is_view(document, opens)) {
        walk.has(Trait::OpenAction, part);
    }
    if dictionary.get(b"S").and_then(Object::as_name).is_ok_and(|name| name == b"Launch") {
        walk.has(Trait::LaunchAction, part);
    }
    for (_, value) in dictionary {
        traits(walk, part, document, value, depth + 1);
    }
}

/// Whether what a document opens with is no more than a place in it (ISO 32000-1, 7.7.2): that is how office programs
/// write theirs.
pub(crate) fn is_view(document: &Document, opens: &Object) -> bool {
    match document.dereference(opens) {
        Ok((_, Object::Array(_) | Object::Name(_) | Object::String(..))) => true,
        Ok((_, Object::Dictionary(action))) => {
            let goes_to = action.get(b"S").and_then(Object::as_name).is_ok_and(|name| name == b"GoTo");
            goes_to && !action.has(b"Next")
        }
        _ => false,
    }
}

/// Finds the files that a document names.
fn files(document: &Document, object: &Object, depth: usize, found: &mut Vec<(ObjectId, Vec<String>)>) {
    if depth == MAX_DEPTH {
        return;
    }
    if let Object::Array(items) = object {
        for item in items {
            files(document, item, depth + 1, found);
        }
    }
    let Some(dictionary) = dictionary(object) else { return };
    if let Ok(Object::Dictionary(contents)) = dictionary.get_deref(b"EF", document) {
        let names: Vec<String> = [b"UF".as_slice(), b"F", b"DOS", b"Mac", b"Unix"]
            .into_iter()
            .filter_map(|key| dictionary.get_deref(key, document).and_then(Object::as_str).ok())
            .map(text)
            .collect();
        for (_, target) in contents {
            // A reference may lead to another one.
            if let Ok((Some(id), _)) = document.dereference(target)
                && !found.iter().any(|(known, _)| *known == id)
            {
                found.push((id, names.clone()));
            }
        }
    }
    for (_, value) in dictionary {
        files(document, value, depth + 1, found);
    }
}

/// A stream that says itself how it is packed. Readers follow references there, and the decoder does not.
fn with_own_filters(document: &Document, stream: &Stream) -> Stream {
    let mut stream = stream.clone();
    for key in [b"Filter".as_slice(), b"DecodeParms"] {
        if let Ok(value) = stream.dict.get(key) {
            let value = resolved(document, value, 0);
            stream.dict.set(key, value);
        }
    }
    stream
}

/// A value with what its references lead to in their places.
fn resolved(document: &Document, value: &Object, depth: usize) -> Object {
    let value = document.dereference(value).map_or(value, |(_, value)| value);
    match value {
        _ if depth == MAX_FILTER_DEPTH => value.clone(),
        Object::Array(items) => {
            Object::Array(items.iter().map(|item| resolved(document, item, depth + 1)).collect())
        }
        Object::Dictionary(entries) => {
            let mut resolved_entries = Dictionary::new();
            for (key, entry) in entries {
                resolved_entries.set(key.clone(), resolved(document, entry, depth + 1));
            }
            Object::Dictionary(resolved_entries)
        }
        _ => value.clone(),
    }
}

/// Filters stand in an array, and what they are given in dictionaries in another one.
const MAX_FILTER_DEPTH: usize = 3;

fn dictionary(object: &Object) -> Option<&Dictionary> {
    match object {
        Object::Dictionary(dictionary) => Some(dictionary),
        Object::Stream(stream) => Some(&stream.dict),
        _ => None,
    }
}

/// A string of a document, in one of its two codes.
fn text(octets: &[u8]) -> String {
    if let Some(wide) = octets.strip_prefix(b"\xfe\xff") {
        let units: Vec<u16> = wide.as_chunks::<2>().0.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
        return String::from_utf16_lossy(&units);
    }
    octets.iter().map(|octet| char::from(*octet)).collect()
}
