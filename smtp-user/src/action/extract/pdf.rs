//! PDF (ISO 32000): scripts, actions that run or send something, and files within go.

use lopdf::{Dictionary, Document, LoadOptions, Object, ObjectId};

use super::{ExtractError, Removed};
use crate::content::container::pdf::is_view;

/// Objects within each other that are looked into.
const MAX_DEPTH: usize = 64;
/// Objects of a document at most.
const MAX_OBJECTS: usize = 500_000;

/// Entries that go wherever they stand, and what they are.
const ENTRIES: [(&[u8], &str); 8] = [
    (b"JS", "script"),
    (b"JavaScript", "script"),
    (b"AA", "action"),
    (b"EF", "embedded file"),
    (b"EmbeddedFiles", "embedded file"),
    (b"AF", "embedded file"),
    (b"XFA", "form with scripts"),
    (b"RichMediaContent", "rich media"),
];
/// Actions that stay: they move within the document, or open an address that is looked at.
const HARMLESS_ACTIONS: [&[u8]; 5] = [b"GoTo", b"URI", b"Named", b"Hide", b"Thread"];

/// Makes the copy of a document.
pub(super) fn document(
    octets: &[u8],
    max_octets: u64,
    removed: &mut Removed,
) -> Result<Vec<u8>, ExtractError> {
    let start = memchr::memmem::find(octets, b"%PDF-").unwrap_or_default();
    let octets = octets.get(start..).unwrap_or_default();
    let max = usize::try_from(max_octets).unwrap_or(usize::MAX);
    let options = LoadOptions { max_decompressed_size: Some(max), ..LoadOptions::default() };
    let mut document = Document::load_mem_with_options(octets, options)
        .map_err(|error| ExtractError::Damaged(error.to_string()))?;
    if document.is_encrypted() || document.was_encrypted() {
        return Err(ExtractError::Encrypted);
    }
    if document.objects.len() > MAX_OBJECTS {
        return Err(ExtractError::TooLarge);
    }
    let files: Vec<ObjectId> = document
        .objects
        .iter()
        .filter(|(_, object)| object.as_stream().is_ok_and(|stream| stream.dict.has_type(b"EmbeddedFile")))
        .map(|(id, _)| *id)
        .collect();
    for id in files {
        removed.note("embedded file");
        document.objects.insert(id, Object::Null);
    }
    weed_openings(&mut document, removed);
    for object in document.objects.values_mut() {
        weed(object, 0, removed)?;
    }
    let mut trailer = Object::Dictionary(std::mem::take(&mut document.trailer));
    weed(&mut trailer, 0, removed)?;
    if let Object::Dictionary(dictionary) = trailer {
        document.trailer = dictionary;
    }
    if removed.is_empty() {
        return Ok(Vec::new());
    }
    // What is not named any more is not to be found any more either.
    document.prune_objects();
    document.max_id = document.objects.keys().map(|(number, _)| *number).max().unwrap_or_default();
    let mut copy = Vec::with_capacity(octets.len());
    document.save_to(&mut copy).map_err(|error| ExtractError::Damaged(error.to_string()))?;
    Ok(copy)
}

/// Takes out what runs when a document is opened; a place to open it at stays.
fn weed_openings(document: &mut Document, removed: &mut Removed) {
    let opens: Vec<ObjectId> = document
        .objects
        .iter()
        .filter(|(_, object)| {
            let opens = object.as_dict().and_then(|dictionary| dictionary.get(b"OpenAction"));
            opens.is_ok_and(|opens| !is_view(document, opens))
        })
        .map(|(id, _)| *id)
        .collect();
    for id in opens {
        if let Ok(Object::Dictionary(dictionary)) = document.get_object_mut(id) {
            removed.note("action");
            dictionary.remove(b"OpenAction");
        }
    }
}

fn weed(object: &mut Object, depth: usize, removed: &mut Removed) -> Result<(), ExtractError> {
    if depth == MAX_DEPTH {
        return Err(ExtractError::Uncertain("objects stand too deep within each other"));
    }
    match object {
        Object::Array(items) => {
            for item in items {
                weed(item, depth + 1, removed)?;
            }
        }
        Object::Dictionary(dictionary) => weed_dictionary(dictionary, depth, removed)?,
        Object::Stream(stream) => weed_dictionary(&mut stream.dict, depth, removed)?,
        _ => {}
    }
    Ok(())
}

fn weed_dictionary(
    dictionary: &mut Dictionary,
    depth: usize,
    removed: &mut Removed,
) -> Result<(), ExtractError> {
    for (key, what) in ENTRIES {
        if dictionary.remove(key).is_some() {
            removed.note(what);
        }
    }
    if let Some(name) = action(dictionary)
        && !HARMLESS_ACTIONS.contains(&name.as_slice())
    {
        removed.note("action");
        *dictionary = Dictionary::new();
    }
    if is_annotation(dictionary, &[b"FileAttachment", b"RichMedia", b"Screen", b"Movie", b"Sound", b"3D"]) {
        removed.note("annotation with content");
        let place = dictionary.remove(b"Rect");
        *dictionary = Dictionary::new();
        dictionary.set("Type", Object::Name(b"Annot".to_vec()));
        dictionary.set("Subtype", Object::Name(b"Text".to_vec()));
        if let Some(place) = place {
            dictionary.set("Rect", place);
        }
    }
    for (_, value) in dictionary.iter_mut() {
        weed(value, depth + 1, removed)?;
    }
    Ok(())
}

/// The name of an action, ISO 32000 12.6; other dictionaries have an `S` too, but not these.
fn action(dictionary: &Dictionary) -> Option<Vec<u8>> {
    const ACTIONS: [&[u8]; 19] = [
        b"GoTo",
        b"GoToR",
        b"GoToE",
        b"GoToDp",
        b"Launch",
        b"Thread",
        b"URI",
        b"Sound",
        b"Movie",
        b"Hide",
        b"Named",
        b"SubmitForm",
        b"ResetForm",
        b"ImportData",
        b"JavaScript",
        b"SetOCGState",
        b"Rendition",
        b"Trans",
        b"RichMediaExecute",
    ];
    let name = dictionary.get(b"S").and_then(Object::as_name).ok()?;
    let is_action = ACTIONS.contains(&name) && name != b"Trans"
        || dictionary.get(b"Type").and_then(Object::as_name).is_ok_and(|kind| kind == b"Action");
    is_action.then(|| name.to_vec())
}

fn is_annotation(dictionary: &Dictionary, kinds: &[&[u8]]) -> bool {
    dictionary.get(b"Subtype").and_then(Object::as_name).is_ok_and(|name| kinds.contains(&name))
}
