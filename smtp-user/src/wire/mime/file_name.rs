//! The names that a reader may give to a body part: RFC 2183 §2.3, RFC 2231 §3 and §4, and habits.

use crate::wire::hex_escape;
use crate::wire::mime::charset::to_text;
use crate::wire::mime::encoded_word::decode_words;
use crate::wire::mime::parameter::{ParameterField, lenient_value};

/// Names of a part, each once, the likeliest first.
#[derive(Debug, Default)]
pub struct Names {
    names: Vec<String>,
    too_many: bool,
}

/// Names of a part at most.
const MAX_NAMES: usize = 16;
/// Characters of a name at most, with its end; most file systems end at 255 octets.
const MAX_NAME: usize = 255;

impl Names {
    /// Adds every name that a field gives: as written, joined, and decoded.
    pub fn add_field(&mut self, field: &ParameterField) {
        for base in [b"filename".as_slice(), b"name"] {
            for value in field.values(base) {
                self.add_value(value);
            }
            for value in extended_values(field, base) {
                let decoded = decode_words(value.as_bytes());
                self.add(value);
                if let Some(name) = decoded {
                    self.add(name);
                }
            }
        }
    }

    /// Adds what a reader finds in an unfolded field body who only looks for `name` and an equals sign.
    pub fn add_lenient(&mut self, body: &[u8]) {
        // Pieces of RFC 2231 have been put together, unless the grammar sees no parameter at all.
        let takes_pieces = ParameterField::parse(body).parameters.is_empty();
        for (is_piece, value) in lenient_values(body) {
            if is_piece && !takes_pieces {
                continue;
            }
            self.add_value(value);
            if let Some(end) = memchr::memchr(b';', value) {
                self.add_value(value.get(..end).unwrap_or_default());
            }
        }
    }

    fn add_value(&mut self, value: &[u8]) {
        let value = value.trim_ascii();
        self.add(to_text(value, b""));
        // Quotes that are no quotes to the grammar, as behind a comment.
        let is_quote = |octet: &u8| matches!(octet, b'"' | b'\'');
        if value.first().is_some_and(is_quote) || value.last().is_some_and(is_quote) {
            let text = to_text(value, b"");
            self.add(text.trim_matches(['"', '\'']).to_owned());
        }
        if let Some(name) = decode_words(value) {
            self.add(name);
        }
        if memchr::memchr(b'%', value).is_some() {
            self.add(to_text(&hex_escape::decode(b'%', value), b""));
        }
    }

    fn add(&mut self, name: String) {
        let name = shortened(name);
        if name.is_empty() || self.names.contains(&name) {
            return;
        }
        if self.names.len() == MAX_NAMES {
            self.too_many = true;
        } else {
            self.names.push(name);
        }
    }

    /// Whether there were more than are followed.
    pub const fn are_too_many(&self) -> bool {
        self.too_many
    }

    /// The names.
    pub fn into_vec(self) -> Vec<String> {
        self.names
    }
}

/// As much of a name as is kept: its start, and its end, which says what opens it.
fn shortened(name: String) -> String {
    let count = name.chars().count();
    if count <= MAX_NAME {
        return name;
    }
    let start = name.chars().take(MAX_NAME - KEPT_END);
    start.chain(name.chars().skip(count - KEPT_END)).collect()
}

/// Characters of the end of a long name that are kept.
const KEPT_END: usize = 32;

/// What stands behind `name`, perhaps asterisks and digits, and an equals sign: a string, or what is before a semicolon; and
/// whether there are asterisks.
fn lenient_values(body: &[u8]) -> Vec<(bool, &[u8])> {
    let mut values = Vec::new();
    for at in memchr::memchr2_iter(b'n', b'N', body) {
        let rest = body.get(at..).unwrap_or_default();
        let Some(after) = rest.get(4..).filter(|_| rest.get(..4).is_some_and(is_name)) else { continue };
        let Some((is_piece, value)) = lenient_value(after) else { continue };
        let value = match value.first() {
            Some(quote @ (b'"' | b'\'')) => {
                let value = value.get(1..).unwrap_or_default();
                value.split(|octet| octet == quote).next().unwrap_or_default()
            }
            _ => value.split(|octet| *octet == b';').next().unwrap_or_default(),
        };
        values.push((is_piece, value));
        if values.len() == MAX_NAMES {
            break;
        }
    }
    values
}

fn is_name(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"name")
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
        if *encoded {
            octets.append(&mut hex_escape::decode(b'%', value));
        } else {
            octets.extend_from_slice(value);
        }
    }
    to_text(&octets, &charset)
}

#[cfg(test)]
mod tests {
    use super::Names;
    use crate::wire::mime::parameter::ParameterField;

    fn names(body: &str) -> Vec<String> {
        let mut names = Names::default();
        names.add_field(&ParameterField::parse(body.as_bytes()));
        names.add_lenient(body.as_bytes());
        names.into_vec()
    }

    #[test]
    fn every_candidate_is_there() {
        assert_eq!(names("attachment; filename=\"a b.exe\""), ["a b.exe"]);
        assert_eq!(names("attachment; filename=a.txt; filename*=utf-8''a%2Eexe"), ["a.txt", "a.exe"]);
        assert!(names("x/y; name*1*=%2Eexe; name*0=a").contains(&"a.exe".to_owned()));
        assert_eq!(names("x/y; name*0*=utf-8'en-US'%E2%82%AC; name*1=.scr")[0], "€.scr");
        assert_eq!(names("x/y; name=\"=?utf-8?q?a=2Eexe?=\""), ["=?utf-8?q?a=2Eexe?=", "a.exe"]);
        assert_eq!(names(&format!("x/y; name={}", "a".repeat(8000)))[0].len(), 255);
        assert_eq!(names(&format!("x/y; name={}.exe", "a".repeat(8000)))[0].chars().count(), 255);
        assert!(names(&format!("x/y; name={}.exe", "a".repeat(8000)))[0].ends_with("a.exe"));
        for body in [
            "attachment, filename=\"a.exe\"",
            "attachment filename='a.exe'",
            "attachment; filename=\"a.exe; size=7",
            "attachment; filename=a%2eexe",
            "attachment; filename*=utf-16be''%00a%00.%00e%00x%00e",
            "attachment; filename*0=\"=?utf-8?Q?a=2Ee?=\"; filename*1=\"=?utf-8?Q?xe?=\"",
        ] {
            assert!(names(body).contains(&"a.exe".to_owned()), "{body}: {:?}", names(body));
        }
        assert!(names("attachment").is_empty());
    }
}
