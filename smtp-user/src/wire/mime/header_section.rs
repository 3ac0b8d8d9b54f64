//! The header section of a message or a body part, RFC 5322 §2.2, as far as MIME needs it.
//!
//! Only the MIME fields are kept, so that a section of any length costs little memory.

use crate::wire::mime::content_type::{ContentType, Structure};
use crate::wire::mime::defect::Defect;
use crate::wire::mime::file_name::Names;
use crate::wire::mime::parameter::ParameterField;
use crate::wire::mime::transfer_encoding::TransferEncoding;

/// A header section that is being read.
#[derive(Debug, Default)]
pub(super) struct HeaderSection {
    octets: usize,
    lines: usize,
    /// The MIME fields so far, unfolded.
    fields: Vec<(MimeField, Vec<u8>)>,
    /// Whether continuation lines belong to the last of them.
    in_field: bool,
    /// A line of blanks only was seen: some readers take it for the end.
    blank: bool,
    /// Another field came after that.
    field_after_blank: bool,
    defects: Vec<Defect>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MimeField {
    Type,
    TransferEncoding,
    Disposition,
}

/// What a line is to a header section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderLine {
    /// It belongs to it.
    Within,
    /// It is the empty line at its end.
    End,
    /// It is no field: the body begins with it.
    Body,
    /// It does not fit.
    TooLong,
}

/// Octets of a MIME field at most.
const MAX_FIELD: usize = 64 << 10;
/// MIME fields in a section at most.
const MAX_FIELDS: usize = 16;

impl HeaderSection {
    /// Takes a line without its end.
    pub(super) fn line(&mut self, line: &[u8], max_octets: usize) -> HeaderLine {
        self.octets += line.len() + 2;
        if line.is_empty() {
            return HeaderLine::End;
        }
        if self.octets > max_octets {
            return HeaderLine::TooLong;
        }
        self.lines += 1;
        if matches!(line.first(), Some(b' ' | b'\t')) && self.lines > 1 {
            self.blank |= line.trim_ascii().is_empty();
            return self.continuation(line);
        }
        let Some((name, body)) = field(line) else {
            // What mail stores write before a message is no field and no body.
            let envelope = self.lines == 1 && (line.starts_with(b"From ") || line.starts_with(b">From "));
            if is_start_of_mime_name(line) {
                self.defects.push(Defect::UncertainHeaderEnd);
            }
            return if envelope { HeaderLine::Within } else { HeaderLine::Body };
        };
        self.field_after_blank |= self.blank;
        self.in_field = false;
        let seen = visible(name);
        if let Some(mime) = mime_field(seen) {
            if seen.len() < name.trim_ascii_end().len() {
                self.defects.push(Defect::OddFieldName);
            } else if seen.len() < name.len() {
                self.defects.push(Defect::BlankBeforeColon);
            }
            if self.blank {
                self.defects.push(Defect::UncertainHeaderEnd);
            }
            if self.fields.len() == MAX_FIELDS || body.len() > MAX_FIELD {
                return HeaderLine::TooLong;
            }
            self.fields.push((mime, body.to_vec()));
            self.in_field = true;
        }
        HeaderLine::Within
    }

    fn continuation(&mut self, line: &[u8]) -> HeaderLine {
        if self.in_field
            && let Some((_, body)) = self.fields.last_mut()
        {
            if body.len() + line.len() > MAX_FIELD {
                return HeaderLine::TooLong;
            }
            body.extend_from_slice(line);
        }
        HeaderLine::Within
    }

    /// What the section says. `in_digest` changes what a part without a type is; `cut` says that its end
    /// was a line that is no field.
    pub(super) fn finish(self, in_digest: bool, cut: bool) -> Headers {
        let mut headers = Headers {
            content_type: if in_digest { ContentType::message() } else { ContentType::text() },
            encoding: TransferEncoding::Identity,
            names: Vec::new(),
            defects: self.defects,
            unsure: false,
        };
        headers.read_types(&self.fields);
        headers.read_encodings(&self.fields);
        let mut names = Names::default();
        for (_, body) in self.fields.iter().filter(|(field, _)| *field == MimeField::Disposition) {
            names.add_field(&ParameterField::parse(body));
        }
        names.add_field(&headers.content_type.field);
        for (_, body) in self.fields.iter().filter(|(field, _)| *field != MimeField::TransferEncoding) {
            names.add_lenient(body);
        }
        headers.defects.extend(names.are_too_many().then_some(Defect::TooManyNames));
        headers.names = names.into_vec();
        if headers.encoding != TransferEncoding::Identity && (cut || self.field_after_blank) {
            headers.defects.push(Defect::UncertainHeaderEnd);
        }
        headers.defects.extend(headers.content_type.defects.iter().copied());
        headers.unsure |= !headers.defects.is_empty();
        headers
    }
}

/// What a header section says about its body.
#[derive(Debug)]
pub(super) struct Headers {
    pub(super) content_type: ContentType,
    pub(super) encoding: TransferEncoding,
    pub(super) names: Vec<String>,
    pub(super) defects: Vec<Defect>,
    /// The body must be read in every way.
    pub(super) unsure: bool,
}

impl Headers {
    fn read_types(&mut self, fields: &[(MimeField, Vec<u8>)]) {
        let mut bodies: Vec<Vec<u8>> = values(fields, MimeField::Type);
        let first = bodies.first().cloned();
        bodies.sort_unstable();
        bodies.dedup();
        if let Some(first) = first.filter(|_| bodies.len() <= 1) {
            self.content_type = ContentType::parse(&first);
            return;
        }
        if bodies.is_empty() {
            return;
        }
        // Several: the most divided reading, with the boundaries of all, shows whatever any reader sees.
        let mut chosen: Option<ContentType> = None;
        for read in bodies.iter().map(|body| ContentType::parse(body)) {
            let Some(so_far) = &mut chosen else {
                chosen = Some(read);
                continue;
            };
            match (&mut so_far.structure, read.structure) {
                (Structure::Multipart { boundaries, .. }, Structure::Multipart { boundaries: more, .. }) => {
                    boundaries.extend(more);
                }
                (Structure::Multipart { .. }, _) | (_, Structure::Leaf) => {}
                (place, structure) => {
                    *place = structure;
                    so_far.media_type = read.media_type;
                }
            }
            so_far.defects.extend(read.defects);
            so_far.field.parameters.extend(read.field.parameters);
        }
        if let Some(chosen) = chosen {
            self.content_type = chosen;
        }
        self.defects.push(Defect::TwoContentTypes);
    }

    fn read_encodings(&mut self, fields: &[(MimeField, Vec<u8>)]) {
        let mut seen = None;
        for body in values(fields, MimeField::TransferEncoding) {
            let (encoding, defect) = TransferEncoding::parse(&body);
            self.defects.extend(defect);
            if seen.is_some_and(|other| other != encoding) {
                self.defects.push(Defect::TwoTransferEncodings);
            }
            seen = Some(encoding);
            self.encoding = encoding;
        }
    }
}

/// The bodies of a field, with blanks made alike so that only what they say differs.
fn values(fields: &[(MimeField, Vec<u8>)], wanted: MimeField) -> Vec<Vec<u8>> {
    let of = |body: &Vec<u8>| {
        body.iter()
            .map(|octet| if *octet == b'\t' { b' ' } else { *octet })
            .collect::<Vec<u8>>()
            .trim_ascii()
            .to_vec()
    };
    fields.iter().filter(|(field, _)| *field == wanted).map(|(_, body)| of(body)).collect()
}

/// Name and body of a field: printable characters, perhaps blanks, a colon.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let (name, body) = line.split_at(colon);
    let printable = name.trim_ascii_end();
    // Blanks within a name make a line of text, as in `Hello: world` said by somebody in a mail without header.
    let sound =
        !printable.is_empty() && printable.iter().all(|octet| matches!(octet, 0x21..=0x7e) || *octet >= 0x80);
    sound.then(|| (name, body.get(1..).unwrap_or_default()))
}

/// A name without what nobody sees around it.
fn visible(name: &[u8]) -> &[u8] {
    let is_seen = |octet: &u8| octet.is_ascii_graphic();
    let start = name.iter().position(is_seen).unwrap_or(name.len());
    let end = name.iter().rposition(is_seen).map_or(start, |last| last + 1);
    name.get(start..end).unwrap_or_default()
}

/// Whether a line is the start of a name that goes on in the next line for readers that join lines first.
fn is_start_of_mime_name(line: &[u8]) -> bool {
    let line = line.trim_ascii().to_ascii_lowercase();
    line.len() >= MIN_START
        && [b"content-type".as_slice(), b"content-transfer-encoding", b"content-disposition"]
            .iter()
            .any(|name| name.starts_with(&line))
}

/// Characters of a name that tell it.
const MIN_START: usize = b"content-".len();

pub(super) fn mime_field(name: &[u8]) -> Option<MimeField> {
    let rest = name
        .get(8..)
        .filter(|_| name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"content-")))?;
    match () {
        () if rest.eq_ignore_ascii_case(b"type") => Some(MimeField::Type),
        () if rest.eq_ignore_ascii_case(b"transfer-encoding") => Some(MimeField::TransferEncoding),
        () if rest.eq_ignore_ascii_case(b"disposition") => Some(MimeField::Disposition),
        () => None,
    }
}

/// Whether a line of a body would be a MIME field to a reader that takes it for a line of the header section.
pub(super) fn looks_like_mime_field(line: &[u8]) -> bool {
    // Some readers skip blanks and control characters before a name.
    let start = line.iter().take_while(|octet| !octet.is_ascii_graphic()).count();
    let line = line.get(start..).unwrap_or_default();
    let Some(colon) = memchr::memchr(b':', line.get(..line.len().min(64)).unwrap_or_default()) else {
        return is_start_of_mime_name(line);
    };
    let name = visible(line.get(..colon).unwrap_or_default());
    mime_field(name).is_some()
}
