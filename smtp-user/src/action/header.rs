//! The header section of a message, with some of its fields given other values or taken out. Pure: rules and octets in, places
//! and octets out. What is not in a field that a rule names stays octet for octet.

mod address_list;
mod signed_fields;

use std::ops::Range;

use self::address_list::addresses;
use crate::action::rewrite::fields;
use crate::action::substitution::{Part, Substitution};

pub use self::signed_fields::covers;

/// A rule on header fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderRule {
    /// Name of the field.
    pub field: String,
    /// What becomes what; to nothing, and the field is taken out.
    pub substitution: Substitution,
}

/// Octets that come in place of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    /// The octets that go.
    pub range: Range<usize>,
    /// Those that come.
    pub with: Vec<u8>,
}

/// What was done with a header section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// In their order.
    pub splices: Vec<Splice>,
    /// What was done with which field, in the order of the message.
    pub changes: Vec<FieldChange>,
}

/// What was done with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// Its name, as it stood there.
    pub field: String,
    /// What was put in place of what; `None`: it was taken out.
    pub replaced: Option<(String, String)>,
}

/// Why a header section is not rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub enum HeaderError {
    /// Two programs may see other fields in it.
    Form,
    /// Nobody can tell where its addresses are.
    Addresses,
    /// RFC 5322 §2.1.1.
    Line,
}

impl HeaderError {
    /// In a few words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Form => "the fields of its header are not certain",
            Self::Addresses => "the addresses in a field of its header are not certain",
            Self::Line => "a line of its header would be too long",
        }
    }
}

/// Fields that have addresses in them (RFC 5322 §3.6).
const ADDRESS_FIELDS: [&str; 13] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Resent-From",
    "Resent-Sender",
    "Resent-To",
    "Resent-Cc",
    "Resent-Bcc",
    "Return-Path",
    "Disposition-Notification-To",
];
/// Octets of a line without its end, RFC 5322 §2.1.1.
const MAX_LINE: usize = 998;

/// Whether rules on a field are about the addresses in it, one by one.
pub fn has_addresses(field: &str) -> bool {
    ADDRESS_FIELDS.iter().any(|known| known.eq_ignore_ascii_case(field))
}

/// Finds what is to be changed in a header section, given with or without the empty line at its end. Of the rules on a field
/// the first counts that matches an address in it, or its value.
pub fn rewrite(header: &[u8], rules: &[HeaderRule]) -> Result<Rewritten, HeaderError> {
    let mut done = Rewritten::default();
    let mut is_certain = true;
    let mut is_named = false;
    for (range, name) in fields(header) {
        let octets = header.get(range.clone()).unwrap_or_default();
        is_certain &= is_sound(octets, name);
        let own: Vec<&HeaderRule> =
            rules.iter().filter(|rule| name.eq_ignore_ascii_case(rule.field.as_bytes())).collect();
        if own.is_empty() {
            continue;
        }
        is_named = true;
        // Where the value begins.
        let value = name_end(octets).unwrap_or(octets.len());
        one(&mut done, &own, (range.start, octets), value)?;
    }
    // Which fields there are must be certain before any of them is touched.
    if is_named && !is_certain {
        return Err(HeaderError::Form);
    }
    Ok(done)
}

/// Whether it is a field to every reader: a name, a colon, and lines that are not blank.
fn is_sound(field: &[u8], name: &[u8]) -> bool {
    let is_name = !name.is_empty() && name.iter().all(|octet| matches!(octet, b'!'..=b'9' | b';'..=b'~'));
    let mut lines = field.split(|octet| *octet == b'\n');
    let first = lines.next().unwrap_or_default();
    let has_colon = first.get(name.len()) == Some(&b':');
    // Behind the last line end nothing follows.
    is_name && has_colon && lines.all(|line| line.is_empty() || !line.trim_ascii().is_empty())
}

fn name_end(field: &[u8]) -> Option<usize> {
    field.iter().position(|octet| *octet == b':').map(|at| at + 1)
}

/// Applies rules to one field, which stands at a place in the header section.
fn one(
    done: &mut Rewritten,
    rules: &[&HeaderRule],
    (start, octets): (usize, &[u8]),
    value: usize,
) -> Result<(), HeaderError> {
    let name =
        String::from_utf8_lossy(octets.get(..value.saturating_sub(1)).unwrap_or_default()).trim().to_owned();
    let body = octets.get(value..).unwrap_or_default();
    let removes = |rule: &&&HeaderRule| rule.substitution.is_removal();
    let is_addresses = has_addresses(&name);
    let whole = View::of_value(body);
    // Of addresses a removal takes all.
    let removal = rules.iter().find(|rule| {
        removes(rule) && (rule.substitution.matches_everything() || !is_addresses && whole.matches(rule))
    });
    let before_removal =
        rules.iter().take_while(|rule| removal.is_none_or(|removal| !std::ptr::eq(**rule, *removal)));
    let replacing: Vec<&&HeaderRule> = before_removal.filter(|rule| !removes(rule)).collect();
    let views = if !is_addresses {
        vec![whole]
    } else if replacing.is_empty() {
        Vec::new()
    } else {
        match addresses(body) {
            Some(places) => places.into_iter().map(|place| View::of_address(body, place)).collect(),
            None if replacing.iter().any(|rule| rule.substitution.may_match_within(body)) => {
                return Err(HeaderError::Addresses);
            }
            None => Vec::new(),
        }
    };
    let mut own = Vec::new();
    let mut changes = Vec::new();
    for view in views {
        let found = replacing.iter().find_map(|rule| rule.substitution.of(&view.text));
        let Some((parts, raw)) = found.zip(view.raw()) else { continue };
        let with = view.replacement(&parts, body);
        let old = body.get(raw.clone()).unwrap_or_default();
        if old == with.as_slice() {
            continue;
        }
        changes.push(FieldChange { field: name.clone(), replaced: Some((shown(old), shown(&with))) });
        let from = start + value;
        own.push(Splice { range: from + raw.start..from + raw.end, with });
    }
    if own.is_empty() && removal.is_some() {
        done.splices.push(Splice { range: start..start + octets.len(), with: Vec::new() });
        done.changes.push(FieldChange { field: name, replaced: None });
        return Ok(());
    }
    if grows_too_long(octets, start, &own) {
        return Err(HeaderError::Line);
    }
    done.splices.append(&mut own);
    done.changes.append(&mut changes);
    Ok(())
}

/// A text to be matched, and where each of its octets stands in the field's body.
struct View {
    text: Vec<u8>,
    places: Vec<usize>,
}

impl View {
    /// A value without the blanks around it, unfolded (RFC 5322 §2.2.3).
    fn of_value(body: &[u8]) -> Self {
        let is_end = |octet: &u8| matches!(octet, b'\r' | b'\n');
        let all = body.iter().enumerate().filter(|(_, octet)| !is_end(octet));
        let (places, text): (Vec<usize>, Vec<u8>) = all.map(|(at, octet)| (at, *octet)).unzip();
        let front = text.len() - text.trim_ascii_start().len();
        let end = text.trim_ascii_end().len().max(front);
        let cut = |list: &[usize]| list.get(front..end).unwrap_or_default().to_vec();
        Self { places: cut(&places), text: text.get(front..end).unwrap_or_default().to_vec() }
    }

    /// An address, whose octets stand at these places.
    fn of_address(body: &[u8], places: Vec<usize>) -> Self {
        let text = places.iter().filter_map(|at| body.get(*at).copied()).collect();
        Self { text, places }
    }

    fn matches(&self, rule: &HeaderRule) -> bool {
        rule.substitution.of(&self.text).is_some()
    }

    /// From its first octet to its last.
    fn raw(&self) -> Option<Range<usize>> {
        Some(*self.places.first()?..*self.places.last()? + 1)
    }

    /// What comes in its place; what was matched keeps its folding.
    fn replacement(&self, parts: &[Part<'_>], body: &[u8]) -> Vec<u8> {
        let mut octets = Vec::new();
        for part in parts {
            let matched = match part {
                Part::Literal(literal) => literal.as_bytes(),
                Part::Matched(range) => {
                    let places = self.places.get(range.clone()).unwrap_or_default();
                    let ends = places.first().zip(places.last());
                    ends.and_then(|(first, last)| body.get(*first..=*last)).unwrap_or_default()
                }
            };
            octets.extend_from_slice(matched);
        }
        octets
    }
}

/// Whether a line that was not too long becomes so.
fn grows_too_long(field: &[u8], start: usize, splices: &[Splice]) -> bool {
    let mut new = Vec::with_capacity(field.len() + 64);
    let mut at = 0;
    for splice in splices {
        new.extend_from_slice(field.get(at..splice.range.start - start).unwrap_or_default());
        new.extend_from_slice(&splice.with);
        at = splice.range.end - start;
    }
    new.extend_from_slice(field.get(at..).unwrap_or_default());
    let longest = |octets: &[u8]| octets.split(|octet| *octet == b'\n').map(<[u8]>::len).max().unwrap_or(0);
    // With the CR that `split` leaves.
    let most = longest(field).max(MAX_LINE + 1);
    longest(&new) > most
}

/// Characters of a value that are told.
const SHOWN: usize = 120;

fn shown(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    one_line.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests;
