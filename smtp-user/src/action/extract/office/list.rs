//! Lists that name the members of a document: relations and types of content (ECMA-376, part 2).

use std::ops::Range;

use super::{Fate, fate, narrow, sheet_in_place};
use crate::action::extract::url::is_active;
use crate::action::extract::{ExtractError, Removed};

/// A list without what names members that went, or what is fetched when the document is opened.
pub(super) fn weed_list(name: &str, text: &[u8], removed: &mut Removed) -> Result<Vec<u8>, ExtractError> {
    narrow(text)?;
    if memchr::memmem::find(text, b"<!").is_some() {
        return Err(ExtractError::Uncertain("a list has more than elements in it"));
    }
    let folder = folder_of_list(name);
    let mut list = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = memchr::memchr(b'<', rest) {
        let (before, element) = rest.split_at_checked(start).unwrap_or((rest, &[]));
        list.extend_from_slice(before);
        let length = element_length(element)?;
        let (tag, after) = element.split_at_checked(length).unwrap_or((element, &[]));
        rest = after;
        match entry(tag, &folder)? {
            Entry::Goes => {
                if !tag.ends_with(b"/>") {
                    rest = behind_end(rest)?;
                }
            }
            Entry::Leads(target) => {
                removed.note("external reference");
                list.extend_from_slice(tag.get(..target.start).unwrap_or_default());
                list.extend_from_slice(NOWHERE.as_bytes());
                list.extend_from_slice(tag.get(target.end..).unwrap_or_default());
            }
            Entry::Becomes(changes) => {
                let mut at = 0;
                for (place, with) in changes {
                    list.extend_from_slice(tag.get(at..place.start).unwrap_or_default());
                    list.extend_from_slice(with.as_bytes());
                    at = place.end;
                }
                list.extend_from_slice(tag.get(at..).unwrap_or_default());
            }
            Entry::Stays => list.extend_from_slice(tag),
        }
    }
    list.extend_from_slice(rest);
    Ok(list)
}

/// Octets of a tag; a `>` in a value does not end it.
pub(super) fn element_length(element: &[u8]) -> Result<usize, ExtractError> {
    let mut quote = None;
    for (at, octet) in element.iter().enumerate() {
        match (quote, octet) {
            (None, b'"' | b'\'') => quote = Some(*octet),
            (Some(open), octet) if open == *octet => quote = None,
            (None, b'>') => return Ok(at + 1),
            _ => {}
        }
    }
    Err(ExtractError::Damaged("a list ends within an element".to_owned()))
}

/// Behind the end of an element that has nothing in it.
fn behind_end(rest: &[u8]) -> Result<&[u8], ExtractError> {
    let start = memchr::memmem::find(rest, b"</");
    let end = start.and_then(|start| memchr::memchr(b'>', rest.get(start..)?).map(|end| start + end + 1));
    end.and_then(|end| rest.get(end..))
        .ok_or_else(|| ExtractError::Damaged("an element has no end".to_owned()))
}

/// What becomes of an entry of a list.
enum Entry {
    Stays,
    /// Its member went.
    Goes,
    /// It leads elsewhere; where it says so.
    Leads(Range<usize>),
    /// Its member is another: what comes in place of which values.
    Becomes(Vec<(Range<usize>, String)>),
}

/// What a sheet is, as a content and as a relation.
const SHEET: [&str; 2] = [
    "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml",
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet",
];

fn entry(tag: &[u8], folder: &str) -> Result<Entry, ExtractError> {
    let tag = std::str::from_utf8(tag).map_err(|_| ExtractError::Uncertain("a list is not in UTF-8"))?;
    let name =
        tag.trim_start_matches('<').split([' ', '\t', '\r', '\n', '/', '>']).next().unwrap_or_default();
    let name = name.rsplit(':').next().unwrap_or_default();
    if !matches!(name, "Override" | "Relationship") {
        return Ok(Entry::Stays);
    }
    let attributes = attributes(tag)?;
    let place = |wanted: &str| attributes.iter().find(|(name, _)| *name == wanted).map(|(_, at)| at.clone());
    let value = |wanted: &str| place(wanted).and_then(|at| tag.get(at)).map(resolved);
    let path = if name == "Override" { "PartName" } else { "Target" };
    let is_within = value("TargetMode").is_none_or(|mode| mode != "External");
    if let (Some(at), Some(target)) = (place(path), value(path))
        && is_within
        && matches!(fate(&path_from(&target, folder)), Fate::MacroSheet)
    {
        if target.contains(['&', '<', '>', '"', '\'']) {
            return Err(ExtractError::Uncertain("the name of a sheet is odd"));
        }
        let [content, relation] = SHEET;
        let (key, kind) = if name == "Override" { ("ContentType", content) } else { ("Type", relation) };
        let mut changes = vec![(at, sheet_in_place(&target))];
        changes.extend(place(key).map(|at| (at, kind.to_owned())));
        changes.sort_by_key(|(at, _)| at.start);
        return Ok(Entry::Becomes(changes));
    }
    if name == "Override" {
        return Ok(if value("PartName").is_some_and(|part| goes(&part, "")) {
            Entry::Goes
        } else {
            Entry::Stays
        });
    }
    let target = value("Target").unwrap_or_default();
    if is_within {
        return Ok(if goes(&target, folder) { Entry::Goes } else { Entry::Stays });
    }
    // What somebody has to click is left, unless that runs something.
    let is_clicked = value("Type").is_some_and(|kind| kind.rsplit('/').next() == Some("hyperlink"));
    if target == NOWHERE || is_clicked && !is_active(&target) && !is_share(&target) {
        return Ok(Entry::Stays);
    }
    Ok(place("Target").map_or(Entry::Stays, Entry::Leads))
}

/// Where entries lead that led elsewhere: a document that names one it does not have is taken for damaged.
const NOWHERE: &str = "about:blank";

/// The attributes of a tag, and where their values stand.
pub(super) fn attributes(tag: &str) -> Result<Vec<(&str, Range<usize>)>, ExtractError> {
    let uncertain = || ExtractError::Uncertain("an entry of a list is not well-formed");
    let mut found: Vec<(&str, Range<usize>)> = Vec::new();
    let mut at = tag.find(char::is_whitespace).unwrap_or(tag.len());
    loop {
        let rest = tag.get(at..).unwrap_or_default();
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        if matches!(trimmed, "/>" | ">" | "") {
            return Ok(found);
        }
        let (name, after) = trimmed.split_once('=').ok_or_else(uncertain)?;
        let quoted = after.trim_start();
        let quote = quoted.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or_else(uncertain)?;
        let start = at + name.len() + 1 + (after.len() - quoted.len()) + 1;
        let length = tag.get(start..).and_then(|rest| rest.find(quote)).ok_or_else(uncertain)?;
        let name = name.trim_end();
        if name.contains(char::is_whitespace) || found.iter().any(|(known, _)| *known == name) {
            return Err(uncertain());
        }
        found.push((name, start..start + length));
        at = start + length + 1;
    }
}

/// A place on another machine that Windows sends a password to.
fn is_share(target: &str) -> bool {
    target.starts_with("\\\\") || target.starts_with("//")
}

fn goes(target: &str, folder: &str) -> bool {
    matches!(fate(&path_from(target, folder)), Fate::Goes(_))
}

/// Where a target leads that may start in a folder.
fn path_from(target: &str, folder: &str) -> String {
    let path = target.strip_prefix('/').map_or_else(|| format!("{folder}{target}"), str::to_owned);
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            ".." => {
                names.pop();
            }
            "." => {}
            name => names.push(name),
        }
    }
    names.join("/")
}

/// The folder that the targets of a list of relations start from.
fn folder_of_list(name: &str) -> String {
    name.rsplit_once("_rels/").map(|(folder, _)| folder.to_owned()).unwrap_or_default()
}

/// With references resolved.
pub(super) fn resolved(value: &str) -> String {
    let mut text = value.to_owned();
    for (name, character) in [("&quot;", "\""), ("&apos;", "'"), ("&lt;", "<"), ("&gt;", ">")] {
        text = text.replace(name, character);
    }
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("&#") {
        plain.push_str(before);
        let (number, behind) = after.split_once(';').unwrap_or((after, ""));
        let code = match number.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        plain.push(code.ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER));
        rest = behind;
    }
    plain.push_str(rest);
    plain.replace("&amp;", "&")
}
