//! Parts of a document that have to stay: fields and links that call other programs, and controls, go out of their midst.

use super::list::{attributes, element_length, resolved};
use super::narrow;
use crate::action::extract::{ExtractError, Removed};

const FIELD: &str = "field that calls another program";
const LINK: &str = "link that calls another program";

/// A part without them; `None` if it has none. `has_controls`: the document has controls, and this may name them.
pub(super) fn weed_part(
    text: &[u8],
    has_controls: bool,
    removed: &mut Removed,
) -> Result<Option<Vec<u8>>, ExtractError> {
    narrow(text)?;
    let has = |needle: &[u8]| memchr::memmem::find(text, needle).is_some();
    let may_call = has(b"instrText") || has(b"fldSimple") || has(b"ddeLink");
    let is_worth_it = may_call || has_controls && has(b"control");
    if !is_worth_it {
        return Ok(None);
    }
    if has(b"<!") {
        return Err(ExtractError::Uncertain("a part has more than elements in it"));
    }
    let calls = calls_program(text)?;
    let mut part = Vec::with_capacity(text.len());
    let (mut rest, mut is_changed, mut fields) = (text, false, false);
    while let Some((before, tag, after)) = next_tag(rest)? {
        part.extend_from_slice(before);
        rest = after;
        let word = local_name(tag);
        match word {
            b"instrText" if calls && !is_end(tag) => {
                // In which of its fields the call stands is not to be told for certain: all keep what they show.
                fields = true;
                part.extend_from_slice(tag);
                rest = if is_whole(tag) { rest } else { at_end(rest, word)? };
            }
            b"fldSimple" if !is_end(tag) => match without_call(tag)? {
                Some(tag) => {
                    fields = true;
                    part.extend(tag);
                }
                None => part.extend_from_slice(tag),
            },
            b"ddeLink" if !is_end(tag) => {
                removed.note(LINK);
                is_changed = true;
                rest = behind(rest, tag)?;
            }
            b"control" | b"controls" if has_controls && !is_end(tag) => {
                // The list of controls names what goes, which is told already.
                is_changed = true;
                rest = behind(rest, tag)?;
            }
            _ => part.extend_from_slice(tag),
        }
    }
    part.extend_from_slice(rest);
    if fields {
        removed.note(FIELD);
    }
    if calls_program(&part)? {
        return Err(ExtractError::Inseparable("a field that calls another program"));
    }
    Ok((is_changed || fields).then_some(part))
}

/// Whether instructions of fields, put together as a reader does, call another program.
fn calls_program(text: &[u8]) -> Result<bool, ExtractError> {
    let (mut rest, mut instructions) = (text, Vec::new());
    while let Some((_, tag, after)) = next_tag(rest)? {
        rest = after;
        if local_name(tag) == b"instrText" && !is_end(tag) && !is_whole(tag) {
            let behind = at_end(rest, b"instrText")?;
            let length = rest.len() - behind.len();
            instructions.extend_from_slice(rest.get(..length).unwrap_or_default());
            rest = behind;
        }
    }
    Ok(is_call(&instructions))
}

fn is_call(instructions: &[u8]) -> bool {
    let text: String = resolved(&String::from_utf8_lossy(instructions))
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '"')
        .collect();
    text.to_ascii_uppercase().contains("DDE")
}

/// A simple field without its instruction, if that calls another program.
fn without_call(tag: &[u8]) -> Result<Option<Vec<u8>>, ExtractError> {
    let text = std::str::from_utf8(tag).map_err(|_| ExtractError::Uncertain("a part is not in UTF-8"))?;
    let (mut weeded, mut from) = (Vec::new(), 0);
    for (name, at) in attributes(text)? {
        let is_instruction = name.rsplit(':').next() == Some("instr");
        if is_instruction && tag.get(at.clone()).is_some_and(is_call) {
            weeded.extend_from_slice(tag.get(from..at.start).unwrap_or_default());
            from = at.end;
        }
    }
    weeded.extend_from_slice(tag.get(from..).unwrap_or_default());
    Ok((from > 0).then_some(weeded))
}

/// What stands before the next tag, the tag, and what stands behind it.
type Cut<'t> = (&'t [u8], &'t [u8], &'t [u8]);

fn next_tag(text: &[u8]) -> Result<Option<Cut<'_>>, ExtractError> {
    let Some(start) = memchr::memchr(b'<', text) else { return Ok(None) };
    let (before, element) = text.split_at_checked(start).unwrap_or((text, &[]));
    let length = element_length(element)?;
    let (tag, after) = element.split_at_checked(length).unwrap_or((element, &[]));
    Ok(Some((before, tag, after)))
}

/// Its name, without what stands for its namespace.
fn local_name(tag: &[u8]) -> &[u8] {
    let name = tag.trim_ascii_start();
    let name = name.strip_prefix(b"<").unwrap_or(name);
    let name = name.strip_prefix(b"/").unwrap_or(name);
    let end = name.iter().position(|octet| octet.is_ascii_whitespace() || matches!(octet, b'/' | b'>'));
    let name = name.get(..end.unwrap_or(name.len())).unwrap_or_default();
    name.rsplit(|octet| *octet == b':').next().unwrap_or(name)
}

fn is_end(tag: &[u8]) -> bool {
    tag.starts_with(b"</")
}

/// Whether it has nothing within, and no end of its own.
fn is_whole(tag: &[u8]) -> bool {
    tag.ends_with(b"/>")
}

/// From the end of an element on that has begun.
fn at_end<'t>(text: &'t [u8], word: &[u8]) -> Result<&'t [u8], ExtractError> {
    let (mut rest, mut open) = (text, 0_u32);
    while let Some((before, tag, after)) = next_tag(rest)? {
        if local_name(tag) == word && !is_whole(tag) {
            if !is_end(tag) {
                open += 1;
            } else if open == 0 {
                return Ok(rest.get(before.len()..).unwrap_or_default());
            } else {
                open -= 1;
            }
        }
        rest = after;
    }
    Err(ExtractError::Damaged("an element has no end".to_owned()))
}

/// Behind the end of an element.
fn behind<'t>(rest: &'t [u8], tag: &[u8]) -> Result<&'t [u8], ExtractError> {
    if is_whole(tag) {
        return Ok(rest);
    }
    let end = at_end(rest, local_name(tag))?;
    Ok(next_tag(end)?.map_or(&[][..], |(_, _, after)| after))
}
