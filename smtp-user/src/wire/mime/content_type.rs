//! `Content-Type`, RFC 2045 §5.1 and RFC 2046.

use crate::wire::mime::defect::Defect;
use crate::wire::mime::encoded_word::decode_words;
use crate::wire::mime::file_name::extended_values;
use crate::wire::mime::parameter::{ParameterField, lenient_value};

/// What a body is declared to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType {
    /// Type and subtype in lower case.
    pub media_type: String,
    /// How the body is divided.
    pub structure: Structure,
    /// What is wrong with it.
    pub defects: Vec<Defect>,
    /// The field taken apart, for the names in it.
    pub field: ParameterField,
}

/// How a body is divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Structure {
    /// Not at all.
    Leaf,
    /// It is a message, RFC 2046 §5.2.1.
    Message,
    /// Into parts by one boundary, or by each of several if it is not certain which.
    Multipart {
        /// The boundaries, without the hyphens before them; none if none is given.
        boundaries: Vec<Vec<u8>>,
        /// Whether parts without a type are messages, RFC 2046 §5.1.5.
        digest: bool,
    },
}

impl ContentType {
    /// Text, which is what is not declared to be something else, RFC 2045 §5.2.
    pub fn text() -> Self {
        Self::leaf("text/plain")
    }

    /// A message, the default in a digest.
    pub fn message() -> Self {
        Self { structure: Structure::Message, ..Self::leaf("message/rfc822") }
    }

    fn leaf(media_type: &str) -> Self {
        Self {
            media_type: media_type.to_owned(),
            structure: Structure::Leaf,
            defects: Vec::new(),
            field: ParameterField::default(),
        }
    }

    /// Reads an unfolded field body.
    pub fn parse(body: &[u8]) -> Self {
        let field = ParameterField::parse(body);
        let mut defects = Vec::new();
        let media_type = media_type(&field.value);
        if media_type.is_none()
            && let Some(decoded) = decode_words(body).filter(|decoded| !decoded.contains("=?"))
        {
            // RFC 2047 §5 forbids it here, and some readers decode it all the same.
            let mut read = Self::parse(decoded.as_bytes());
            read.defects.push(Defect::MalformedContentType);
            return read;
        }
        let (structure, media_type) = match media_type.as_deref() {
            Some("message/rfc822" | "message/global" | "message/news") => (Structure::Message, media_type),
            Some("message/partial") => {
                defects.push(Defect::PartialMessage);
                (Structure::Leaf, media_type)
            }
            Some(multipart) if multipart.starts_with("multipart/") => {
                let digest = multipart == "multipart/digest";
                (
                    Structure::Multipart { boundaries: boundaries(body, &field, &mut defects), digest },
                    media_type,
                )
            }
            Some(_) => (Structure::Leaf, media_type),
            // No media type. Where somebody may see a composite one in it, so do we.
            None if contains_word(body, b"multipart") => {
                defects.push(Defect::MalformedContentType);
                let boundaries = boundaries(body, &field, &mut defects);
                (Structure::Multipart { boundaries, digest: false }, None)
            }
            None if contains_word(body, b"message/") => {
                defects.push(Defect::MalformedContentType);
                (Structure::Message, None)
            }
            None => {
                // Sun's form before MIME, which divides a message too.
                if body.trim_ascii().eq_ignore_ascii_case(b"x-sun-attachment") {
                    defects.push(Defect::MalformedContentType);
                }
                (Structure::Leaf, None)
            }
        };
        let media_type = media_type.unwrap_or_else(|| "text/plain".to_owned());
        Self { media_type, structure, defects, field }
    }
}

/// Type and subtype, if they are two tokens with a slash between them.
fn media_type(value: &[u8]) -> Option<String> {
    let mut halves = value.splitn(2, |octet| *octet == b'/');
    let (kind, subtype) = (halves.next()?.trim_ascii(), halves.next()?.trim_ascii());
    let fits = |token: &[u8]| (1..=MAX_TOKEN).contains(&token.len()) && token.iter().all(|o| is_token(*o));
    if !fits(kind) || !fits(subtype) {
        return None;
    }
    Some(format!("{}/{}", std::str::from_utf8(kind).ok()?, std::str::from_utf8(subtype).ok()?))
}

/// Octets of a type or subtype at most, RFC 6838 §4.2.
const MAX_TOKEN: usize = 127;

const fn is_token(octet: u8) -> bool {
    octet.is_ascii_graphic()
        && !matches!(
            octet,
            b'(' | b')'
                | b'<'
                | b'>'
                | b'@'
                | b','
                | b';'
                | b':'
                | b'\\'
                | b'"'
                | b'/'
                | b'['
                | b']'
                | b'?'
                | b'='
        )
}

/// The boundaries that readers may find.
///
/// The grammar's reading is compared with that of a reader which only looks for `boundary=`: repeated,
/// continued, commented, half quoted and hidden boundaries are all places where the two differ.
fn boundaries(body: &[u8], field: &ParameterField, defects: &mut Vec<Defect>) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    let mut uncertain = field.malformed;
    for parameter in &field.parameters {
        if parameter.name == b"boundary" {
            all.push(parameter.value.clone());
        } else if parameter.name.starts_with(b"boundary") {
            // RFC 2231 has no use for boundaries, and many readers do not know it.
            uncertain |= parameter.name.get(8) == Some(&b'*');
        }
    }
    all.extend(extended_values(field, b"boundary").into_iter().map(String::into_bytes));
    all.dedup();
    let lenient = lenient_boundaries(body);
    uncertain |= all.len() > 1 || lenient.iter().any(|other| !all.contains(other));
    all.extend(lenient);
    uncertain |= all.iter().any(|boundary| is_odd(boundary));
    for at in 0..all.len() {
        if let Some(trimmed) = all.get(at).map(|boundary| boundary.trim_ascii().to_vec()) {
            all.push(trimmed);
        }
    }
    all.sort_unstable();
    all.dedup();
    if all.iter().any(|boundary| boundary.len() > MAX_BOUNDARY) {
        defects.push(Defect::BoundaryTooLong);
    }
    all.retain(|boundary| (1..=MAX_BOUNDARY).contains(&boundary.len()));
    all.truncate(MAX_BOUNDARIES);
    if all.is_empty() {
        defects.push(Defect::NoBoundary);
    } else if uncertain {
        defects.push(Defect::UncertainBoundary);
    }
    all
}

/// Octets of a boundary at most. RFC 2046 §5.1.1 says 70; some programs write a little more.
pub const MAX_BOUNDARY: usize = 256;
/// Readings of one boundary that are followed.
const MAX_BOUNDARIES: usize = 8;

/// Whether a boundary has something in it that readers treat in different ways.
fn is_odd(boundary: &[u8]) -> bool {
    boundary.trim_ascii().len() != boundary.len()
        || boundary.is_empty()
        || boundary.iter().any(|octet| !matches!(octet, b' '..=b'~') || *octet == b'\\')
        || has_encoded_word(boundary)
}

/// Whether a reader that decodes encoded words where there must be none (RFC 2047 §5) may find one.
fn has_encoded_word(boundary: &[u8]) -> bool {
    let Some(at) = boundary.windows(2).position(|window| window == b"=?") else { return false };
    let mut fields = boundary.get(at + 2..).unwrap_or_default().splitn(3, |octet| *octet == b'?');
    let charset = fields.next().is_some_and(|charset| !charset.is_empty());
    let encoding = fields.next().is_some_and(|encoding| matches!(encoding, b"q" | b"Q" | b"b" | b"B"));
    charset && encoding && fields.next().is_some_and(|rest| rest.windows(2).any(|window| window == b"?="))
}

/// What a reader finds who looks for `boundary`, an equals sign, and a string or a word.
fn lenient_boundaries(body: &[u8]) -> Vec<Vec<u8>> {
    let (mut found, mut rest) = (Vec::new(), body);
    while let Some(at) = find_word(rest, b"boundary") {
        let after = rest.get(at + 8..).unwrap_or_default();
        rest = after;
        let Some((_, value)) = lenient_value(after) else { continue };
        let value = match value.strip_prefix(b"\"") {
            Some(quoted) => quoted.split(|octet| *octet == b'"').next().unwrap_or_default(),
            None => value.split(|octet| matches!(octet, b';' | b' ' | b'\t')).next().unwrap_or_default(),
        };
        found.push(value.to_vec());
        if found.len() == MAX_BOUNDARIES {
            break;
        }
    }
    found
}

fn contains_word(body: &[u8], word: &[u8]) -> bool {
    find_word(body, word).is_some()
}

/// Where a word in lower case stands, in whatever case.
fn find_word(body: &[u8], word: &[u8]) -> Option<usize> {
    body.windows(word.len()).position(|window| window.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests;
