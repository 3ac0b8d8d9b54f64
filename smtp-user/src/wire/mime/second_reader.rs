//! The same message, read by somebody else: where two independent readers disagree about its parts, so may the gateway and
//! whoever opens the mail.
//!
//! It reads leniently and finds delimiters where ours does not, which is what it is here for. It may fail on octets that
//! somebody made for that, and be driven deep: whoever calls it sees to that ([`may_nest`]).

use std::ops::Range;
use std::sync::LazyLock;

use mail_parser::{Encoding, HeaderName, Message, MessageParser, MimeHeaders as _, PartType};
use serde::{Deserialize, Serialize};

use crate::wire::mime::defect::Defect;
use crate::wire::mime::part_header::PartSpan;

/// A body part as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenPart {
    /// Where its body is in the message.
    pub body: Range<u64>,
}

/// Octets by which two readers may differ about the end of a part: the line end before a delimiter line belongs to it
/// (RFC 2046 §5.1.1), and the one at the end of a message to nobody.
const LINE_END: u64 = 2;

/// Whether a message has in it what messages within each other are made of, so that reading it may go deep.
pub fn may_nest(octets: &[u8]) -> bool {
    has_field(octets, |field, line| field == Field::Type && has_any(line, &NESTING))
}

/// Whether an encoding may hide from a reader that does not decode it what it shows to one that does: messages, and the line
/// ends that quoted-printable takes away.
fn wants_decoding(octets: &[u8]) -> bool {
    has_field(octets, |field, line| match field {
        Field::Type => has_any(line, &NESTING),
        Field::Encoding => has_any(line, &["quoted-printable"]),
    })
}

/// Words in the types of messages and of what holds them.
const NESTING: [&str; 3] = ["rfc822", "global", "digest"];

/// Fields that are asked about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Type,
    Encoding,
}

/// Whether any line says this that begins like one of the fields, wherever it stands, or that goes on with such a line. Each is
/// looked at once.
fn has_field(octets: &[u8], says: impl Fn(Field, &[u8]) -> bool) -> bool {
    let (mut start, mut field) = (0, None);
    let ends = memchr::memchr_iter(b'\n', octets).chain(std::iter::once(octets.len()));
    for end in ends {
        let line = octets.get(start..end).unwrap_or_default();
        start = end + 1;
        let text = line.trim_ascii_start();
        field = match text.get(..b"content-".len()) {
            Some(name) if name.eq_ignore_ascii_case(b"content-") => field_of(text),
            // It goes on.
            _ if line.len() > text.len() => field,
            _ => None,
        };
        if field.is_some_and(|field| says(field, text)) {
            return true;
        }
    }
    false
}

fn field_of(line: &[u8]) -> Option<Field> {
    [("content-type", Field::Type), ("content-transfer-encoding", Field::Encoding)].into_iter().find_map(
        |(name, field)| {
            let is_it = line.get(..name.len())?.eq_ignore_ascii_case(name.as_bytes());
            is_it.then_some(field)
        },
    )
}

/// Whether any of these words in lower case is there, however it is written.
fn has_any(line: &[u8], words: &[&str]) -> bool {
    words.iter().any(|word| line.windows(word.len()).any(|it| it.eq_ignore_ascii_case(word.as_bytes())))
}

/// Reads to the last.
static DECODING: LazyLock<MessageParser> =
    LazyLock::new(|| MessageParser::new().with_mime_headers().default_header_raw());
/// Leaves every encoding as it is. It looks for delimiters in base64 all the same, and anywhere in a line.
static PLAIN: LazyLock<MessageParser> =
    LazyLock::new(|| DECODING.clone().ignore_header(HeaderName::ContentTransferEncoding));

/// The body parts that the other reader sees, in the order of the message; `None` if it is no message to it. Those within
/// something encoded have no place in the message, and are not told.
pub fn read(octets: &[u8]) -> Option<Vec<SeenPart>> {
    let parser = if wants_decoding(octets) { &DECODING } else { &PLAIN };
    let message = parser.parse(octets)?;
    let mut seen = Vec::new();
    collect(&message, &mut seen);
    seen.sort_unstable_by_key(|part| (part.body.start, part.body.end));
    Some(seen)
}

fn collect(message: &Message<'_>, seen: &mut Vec<SeenPart>) {
    // Not by calling itself: messages may be within each other as deep as there are octets.
    let mut messages = vec![message];
    while let Some(message) = messages.pop() {
        for part in &message.parts {
            match &part.body {
                PartType::Message(within) if part.encoding == Encoding::None => messages.push(within),
                PartType::Multipart(_) | PartType::Message(_) => {}
                // A message in an encoding that is deeper than it decodes.
                _ if part.encoding != Encoding::None && is_message(part) => {}
                _ => {
                    let (start, end) = (u64::from(part.offset_body), u64::from(part.offset_end));
                    seen.push(SeenPart { body: start..end.max(start) });
                }
            }
        }
    }
}

fn is_message(part: &mail_parser::MessagePart<'_>) -> bool {
    part.content_type().is_some_and(|declared| declared.c_type.eq_ignore_ascii_case("message"))
}

/// Where two readers disagree, and about which part.
pub fn compare(ours: &[PartSpan], theirs: Option<&[SeenPart]>) -> Option<(Defect, String)> {
    let number =
        |at: usize| ours.get(at).or(ours.last()).map_or_else(|| "1".to_owned(), |it| it.number.clone());
    let Some(theirs) = theirs else {
        // To it this is no message. One part is what everybody makes of that.
        return (ours.len() > 1).then(|| (Defect::ReadersDisagree, number(0)));
    };
    // All of it is header to the one and text to the other, as in mail without any header: nothing is hidden from ours.
    if let ([_], [their]) = (ours, theirs)
        && their.body.is_empty()
    {
        return None;
    }
    let mut ours_in_order: Vec<&PartSpan> = ours.iter().collect();
    ours_in_order.sort_unstable_by_key(|span| (span.body.start, span.body.end));
    for (our, their) in ours_in_order.iter().zip(theirs) {
        let same_end = our.body.end.abs_diff(their.body.end) <= LINE_END;
        if our.body.start != their.body.start || !same_end {
            return Some((Defect::ReadersDisagree, our.number.clone()));
        }
    }
    (ours.len() != theirs.len()).then(|| (Defect::ReadersDisagree, number(theirs.len())))
}

#[cfg(test)]
mod tests;
