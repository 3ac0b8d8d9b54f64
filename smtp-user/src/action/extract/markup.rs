//! HTML and SVG: elements, attributes and addresses that run something go; every octet elsewhere stays.
//!
//! The tokenizer works on octets, so that text in any code that has ASCII where ASCII has it is left alone. Codes that
//! do not are refused: a browser would see elements there that nobody here does.

use std::cell::RefCell;

use lol_html::errors::RewritingError;
use lol_html::html_content::{Comment, Element};
use lol_html::{HtmlRewriter, MemorySettings, Settings, doc_comments, element};

use super::url::{is_active, readable};
use super::{ExtractError, Removed, Weeds};

/// Octets that the tokenizer may keep: more than any element has before its end.
pub(super) const MEMORY: usize = 16 << 20;

/// Attributes whose value is an address.
const ADDRESSES: [&str; 22] = [
    "href",
    "src",
    "action",
    "formaction",
    "xlink:href",
    "background",
    "poster",
    "data",
    "cite",
    "longdesc",
    "lowsrc",
    "dynsrc",
    "profile",
    "codebase",
    "classid",
    "archive",
    "icon",
    "usemap",
    "to",
    "from",
    "values",
    "by",
];
/// What makes a style run something, as a browser reads it.
const ACTIVE_STYLES: [&str; 4] = ["expression(", "behavior:", "-moz-binding", "javascript:"];

/// Weeds a page.
pub(super) fn html(octets: &[u8], weeds: &Weeds, removed: &mut Removed) -> Result<Vec<u8>, ExtractError> {
    weed(octets, weeds, removed)
}

/// Weeds a picture. XML has ways of its own to say the same: where one of them is used, there is no copy.
pub(super) fn svg(octets: &[u8], weeds: &Weeds, removed: &mut Removed) -> Result<Vec<u8>, ExtractError> {
    let lower = octets.to_ascii_lowercase();
    let has = |needle: &str| memchr::memmem::find(&lower, needle.as_bytes()).is_some();
    if has("<!entity") || has("<!attlist") {
        return Err(ExtractError::Uncertain("entities are declared in it"));
    }
    let weeded = weed(octets, weeds, removed)?;
    let lower = weeded.to_ascii_lowercase();
    let has = |needle: &str| memchr::memmem::find(&lower, needle.as_bytes()).is_some();
    if has("<script") || has(":script") || has("javascript:") || has("<?xml-stylesheet") {
        return Err(ExtractError::Uncertain("a script is left where no element should be"));
    }
    Ok(weeded)
}

fn weed(octets: &[u8], weeds: &Weeds, removed: &mut Removed) -> Result<Vec<u8>, ExtractError> {
    readable_as_ascii(octets)?;
    let mut weeded = Vec::with_capacity(octets.len());
    let noted = RefCell::new(Removed::default());
    let settings = Settings::new()
        .append_element_content_handler(element!("*", |element| {
            weed_element(element, weeds, &mut noted.borrow_mut());
            Ok(())
        }))
        .append_document_content_handler(doc_comments!(|comment| {
            weed_comment(comment, weeds, &mut noted.borrow_mut());
            Ok(())
        }))
        .with_memory_settings(MemorySettings::new().with_max_allowed_memory_usage(MEMORY));
    let mut rewriter = HtmlRewriter::new(settings, |piece: &[u8]| weeded.extend_from_slice(piece));
    rewriter.write(octets).map_err(failed)?;
    rewriter.end().map_err(failed)?;
    *removed = noted.into_inner();
    Ok(weeded)
}

pub(super) fn failed(error: RewritingError) -> ExtractError {
    match error {
        RewritingError::MemoryLimitExceeded(_) => ExtractError::TooLarge,
        RewritingError::ParsingAmbiguity(_) => {
            ExtractError::Uncertain("elements stand where browsers differ")
        }
        error => ExtractError::Damaged(error.to_string()),
    }
}

/// Refuses codes in which octets of ASCII mean something else.
pub(super) fn readable_as_ascii(octets: &[u8]) -> Result<(), ExtractError> {
    let head = octets.get(..octets.len().min(4096)).unwrap_or_default().to_ascii_lowercase();
    let names = |word: &str| memchr::memmem::find(&head, word.as_bytes()).is_some();
    let is_wide = octets.starts_with(b"\xff\xfe") || octets.starts_with(b"\xfe\xff");
    if is_wide || memchr::memchr(0, octets).is_some() {
        return Err(ExtractError::Uncertain("its characters are wider than an octet"));
    }
    if names("utf-7") || names("utf-16") || names("utf-32") || names("hz-gb") || names("iso-2022") {
        return Err(ExtractError::Uncertain("its code has other octets for letters"));
    }
    if memchr::memmem::find(octets, b"\x1b$").is_some() || memchr::memmem::find(octets, b"+ADw-").is_some() {
        return Err(ExtractError::Uncertain("its code has other octets for letters"));
    }
    Ok(())
}

/// Without the prefix of a namespace.
fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

fn weed_element(element: &mut Element<'_, '_>, weeds: &Weeds, removed: &mut Removed) {
    let name = element.tag_name();
    if weeds.elements.iter().any(|weed| weed == local(&name)) {
        removed.note(local(&name));
        element.remove();
        return;
    }
    if name == "meta" && is_refresh(element) {
        removed.note("meta refresh");
        element.remove();
        return;
    }
    let weeded: Vec<String> = element
        .attributes()
        .iter()
        .map(|attribute| (attribute.name(), attribute.value()))
        .filter(|(name, value)| is_weed(name, value, weeds))
        .map(|(name, _)| name)
        .collect();
    for name in weeded {
        removed.note(&format!("attribute {}", name.chars().take(32).collect::<String>()));
        // There may be more than one of a name; what reads the copy sees the first.
        while element.has_attribute(&name) {
            element.remove_attribute(&name);
        }
    }
    // A name with a byte order mark at its start is read without it, and cannot be named with it.
    if element.attributes().iter().any(|attribute| is_weed(&attribute.name(), &attribute.value(), weeds)) {
        removed.note(local(&name));
        element.remove();
    }
}

fn is_refresh(element: &Element<'_, '_>) -> bool {
    element.get_attribute("http-equiv").is_some_and(|value| readable(&value) == "refresh")
}

fn is_weed(name: &str, value: &str, weeds: &Weeds) -> bool {
    let own = local(name);
    if own.starts_with("on") || weeds.attributes.iter().any(|weed| weed == own) {
        return true;
    }
    if own == "style" {
        let style = readable(value);
        // A backslash hides letters, a comment divides words.
        return style.contains(['\\'])
            || style.contains("/*")
            || ACTIVE_STYLES.iter().any(|s| style.contains(s));
    }
    if own == "values" {
        return value.split(';').any(is_active);
    }
    if own == "srcset" {
        return value.split(',').any(is_active);
    }
    (ADDRESSES.contains(&name) || ADDRESSES.contains(&own)) && is_active(value)
}

/// Comments that some readers take for elements.
fn weed_comment(comment: &mut Comment<'_>, weeds: &Weeds, removed: &mut Removed) {
    let text = comment.text().to_ascii_lowercase();
    let is_condition = text.trim_start().starts_with("[if");
    let has_weed = || weeds.elements.iter().any(|weed| text.contains(&format!("<{weed}")));
    if is_condition && (has_weed() || text.contains("javascript:")) {
        removed.note("conditional comment");
        comment.remove();
    } else if text.starts_with("?xml-stylesheet") {
        removed.note("style sheet");
        comment.remove();
    }
}
