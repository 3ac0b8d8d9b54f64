//! The names that a reader may give to a body part: RFC 2183 §2.3, RFC 2231 §3 and §4, and habits.

use crate::wire::mime::encoded_word::{decode_words, to_text};
use crate::wire::mime::parameter::ParameterField;

/// Adds every name that a field gives, each once: as written, joined, and decoded.
pub fn add_names(field: &ParameterField, names: &mut Vec<String>) {
    for base in [b"filename".as_slice(), b"name"] {
        for value in field.values(base) {
            add(to_text(value, b""), names);
            if let Some(decoded) = decode_words(value) {
                add(decoded, names);
            }
        }
        extended(field, base, names);
    }
}

/// Names of a part at most; what is beyond is not in the record.
const MAX_NAMES: usize = 8;
/// Characters of a name at most; most file systems end at 255 octets.
const MAX_NAME: usize = 255;

fn add(name: String, names: &mut Vec<String>) {
    let name = if name.chars().count() > MAX_NAME { name.chars().take(MAX_NAME).collect() } else { name };
    if !name.is_empty() && names.len() < MAX_NAMES && !names.contains(&name) {
        names.push(name);
    }
}

/// The names of RFC 2231: `filename*`, and `filename*0`, `filename*1*` and so on, put together.
fn extended(field: &ParameterField, base: &[u8], names: &mut Vec<String>) {
    for value in extended_values(field, base) {
        add(value, names);
    }
}

/// What a reader of RFC 2231 finds for a parameter: each `name*`, and the numbered pieces put together.
pub(super) fn extended_values(field: &ParameterField, base: &[u8]) -> Vec<String> {
    let mut values = Vec::new();
    let mut pieces: Vec<(u32, bool, &[u8])> = Vec::new();
    for parameter in &field.parameters {
        let Some(suffix) = parameter.name.strip_prefix(base).and_then(|rest| rest.strip_prefix(b"*")) else {
            continue;
        };
        if suffix.is_empty() {
            values.push(decode_extended(&[(0, true, &parameter.value)]));
            continue;
        }
        let (index, encoded) = match suffix.strip_suffix(b"*") {
            Some(index) => (index, true),
            None => (suffix, false),
        };
        let index = std::str::from_utf8(index).ok().and_then(|index| index.parse().ok());
        pieces.extend(index.map(|index| (index, encoded, parameter.value.as_slice())));
    }
    // Gaps and repeats do not matter here: the pieces in order are a name that somebody may see.
    pieces.sort_by_key(|(index, ..)| *index);
    if !pieces.is_empty() {
        values.push(decode_extended(&pieces));
    }
    values
}

fn decode_extended(pieces: &[(u32, bool, &[u8])]) -> String {
    let (mut octets, mut charset) = (Vec::new(), Vec::new());
    for (position, (_, encoded, value)) in pieces.iter().enumerate() {
        let mut value = *value;
        if position == 0 && *encoded {
            let mut fields = value.splitn(3, |octet| *octet == b'\'');
            if let (Some(set), Some(_language), Some(rest)) = (fields.next(), fields.next(), fields.next()) {
                charset = set.to_vec();
                value = rest;
            }
        }
        if *encoded { percent_decode(value, &mut octets) } else { octets.extend_from_slice(value) }
    }
    to_text(&octets, &charset)
}

fn percent_decode(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        let escaped = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) if octet == b'%' => {
                out.push(decoded);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => out.push(octet),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::add_names;
    use crate::wire::mime::parameter::ParameterField;

    fn names(body: &str) -> Vec<String> {
        let mut names = Vec::new();
        add_names(&ParameterField::parse(body.as_bytes()), &mut names);
        names
    }

    #[test]
    fn every_candidate_is_there() {
        assert_eq!(names("attachment; filename=\"a b.exe\""), ["a b.exe"]);
        assert_eq!(names("attachment; filename=a.txt; filename*=utf-8''a%2Eexe"), ["a.txt", "a.exe"]);
        assert_eq!(names("x/y; name*1*=%2Eexe; name*0=a"), ["a.exe"]);
        assert_eq!(names("x/y; name*0*=utf-8'en-US'%E2%82%AC; name*1=.scr"), ["€.scr"]);
        assert_eq!(names("x/y; name=\"=?utf-8?q?a=2Eexe?=\""), ["=?utf-8?q?a=2Eexe?=", "a.exe"]);
        assert_eq!(names(&format!("x/y; name={}", "a".repeat(8000)))[0].len(), 255);
        assert!(names("attachment").is_empty());
    }
}
