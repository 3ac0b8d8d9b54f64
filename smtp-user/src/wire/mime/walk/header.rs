//! Header sections in a walk, and what begins behind them.

use super::body::{Body, Content, open, outside, part};
use super::line_end::{LineEnd, without_end};
use super::place::Place;
use super::shadow::Shadow;
use super::{BareCr, Frame, PartSink, State, Walker};
use crate::wire::mime::content_type::Structure;
use crate::wire::mime::defect::Defect;
use crate::wire::mime::header_section::{HeaderLine, HeaderSection, Headers};
use crate::wire::mime::part_header::{PartKind, PartSpan};
use crate::wire::mime::transfer_encoding::{Decoder, TransferEncoding};

/// Octets of a header line at most: RFC 5322 §2.1.1 says 998.
const MAX_HEADER_LINE: usize = 64 << 10;
/// Encoded messages within each other; RFC 2046 §5.2.1 forbids even one.
const MAX_ENCODED_DEPTH: usize = 4;

impl Walker {
    pub(super) fn header_octets<'i>(&mut self, input: &'i [u8], sink: &mut dyn PartSink) -> &'i [u8] {
        let room = MAX_HEADER_LINE.saturating_sub(self.carry.len());
        let window = input.get(..input.len().min(room)).unwrap_or_default();
        let Some(at) = memchr::memchr(b'\n', window) else {
            if input.len() >= room {
                self.give_up(Defect::HeaderTooLong);
            } else {
                self.carry.extend_from_slice(input);
            }
            return &[];
        };
        let (line, rest) = input.split_at(at + 1);
        let end = self.position + line.len() as u64;
        self.line = end - (self.carry.len() + line.len()) as u64..end;
        if self.carry.is_empty() {
            return if self.header_line(without_end(line).0, sink) { rest } else { input };
        }
        let mut whole = std::mem::take(&mut self.carry);
        whole.extend_from_slice(line);
        if !self.header_line(without_end(&whole).0, sink) {
            self.position = self.line.start;
            self.run(&whole, sink);
        }
        rest
    }

    /// Takes a line of a header section; `false` if it is the first of the body instead.
    pub(super) fn header_line(&mut self, line: &[u8], sink: &mut dyn PartSink) -> bool {
        if line.starts_with(b"--")
            && let Some((frame, close)) = self.delimiter(line)
        {
            self.begin_body(false, self.line.start, sink);
            self.end_part(frame, close, self.line.start, sink);
            return true;
        }
        if memchr::memchr(b'\r', line).is_some() {
            self.note_bare_cr();
        }
        let State::Header { section, .. } = &mut self.state else { return false };
        match section.line(line, self.limits.max_header_octets) {
            HeaderLine::Within => true,
            HeaderLine::End => {
                self.begin_body(false, self.line.end, sink);
                true
            }
            HeaderLine::Body => {
                self.begin_body(true, self.line.start, sink);
                false
            }
            HeaderLine::TooLong => {
                self.give_up(Defect::HeaderTooLong);
                true
            }
        }
    }

    /// The header section is over, and the body begins at an octet. `cut`: at a line that is no field.
    pub(super) fn begin_body(&mut self, cut: bool, body_at: u64, sink: &mut dyn PartSink) {
        let State::Header { section, place, in_digest } = std::mem::replace(&mut self.state, State::Opaque)
        else {
            return;
        };
        let mut headers = section.finish(in_digest, cut);
        (self.held, self.at_line_start) = (LineEnd::None, true);
        self.parts += 1;
        if self.parts > self.limits.max_parts {
            self.note(Defect::TooManyParts, &place.number);
            return;
        }
        for defect in std::mem::take(&mut headers.defects) {
            self.note(defect, &place.number);
        }
        let structure = std::mem::replace(&mut headers.content_type.structure, Structure::Leaf);
        let too_deep = self.depth + self.stack.len() >= self.limits.max_depth;
        let mut span = None;
        let content = match structure {
            Structure::Multipart { boundaries, digest } if !boundaries.is_empty() && !too_deep => {
                self.begin_multipart(&headers, boundaries, digest, &place)
            }
            Structure::Message if !too_deep => {
                let encoding = headers.encoding;
                sink.begin(part(&place.number, PartKind::Message, headers));
                sink.end();
                let inner = Place::within_message(&place.number, body_at);
                if encoding == TransferEncoding::Identity {
                    self.stack.push(Frame::Message);
                    let section = HeaderSection::default();
                    self.state = State::Header { section, place: inner, in_digest: false };
                    return;
                }
                span = self.span(&place, body_at);
                self.begin_encoded(encoding, inner, &place.number)
            }
            structure => {
                if !matches!(structure, Structure::Leaf) && too_deep {
                    self.note(Defect::TooDeep, &place.number);
                }
                span = self.span(&place, body_at);
                let header = part(&place.number, PartKind::Leaf, headers);
                open(header, sink)
            }
        };
        let is_outside = matches!(content, Content::Waiting(_));
        let shadow = match (cut, is_outside) {
            (true, _) => Some(Shadow::of_header()),
            (_, true) => Some(Shadow::of_outside()),
            _ => None,
        };
        self.state = State::Body(Body { content, shadow, number: place.number, span });
    }

    /// Where a part stands that begins here. Within something encoded, places are not those of the message.
    fn span(&self, place: &Place, body_at: u64) -> Option<PartSpan> {
        (self.encoded_depth == 0).then(|| PartSpan {
            number: place.number.clone(),
            header: place.header_at..body_at,
            body: body_at..body_at,
            is_message: place.is_message,
            is_signed: self.stack.iter().any(Frame::is_signed),
        })
    }

    fn begin_multipart(
        &mut self,
        headers: &Headers,
        boundaries: Vec<Vec<u8>>,
        digest: bool,
        place: &Place,
    ) -> Content {
        let mut unsure = headers.unsure;
        if headers.encoding == TransferEncoding::Base64 {
            self.note(Defect::EncodedMultipart, &place.number);
            unsure = true;
        }
        if boundaries.iter().any(|boundary| self.stack.iter().any(|frame| frame.has(boundary))) {
            self.note(Defect::BoundaryOfParent, &place.number);
        }
        self.ended.retain(|ended| !boundaries.contains(ended));
        let prefix = place.prefix.clone();
        let mut header = outside(&prefix, PartKind::Preamble);
        if unsure {
            header.encodings = TransferEncoding::ALL.to_vec();
        }
        let signed = headers.content_type.media_type == "multipart/signed";
        self.stack.push(Frame::Multipart { boundaries, prefix, parts: 0, digest, signed });
        Content::Waiting(header)
    }

    fn begin_encoded(&mut self, encoding: TransferEncoding, inner: Place, number: &str) -> Content {
        if self.encoded_depth == MAX_ENCODED_DEPTH {
            self.note(Defect::TooDeep, number);
            return Content::Closed;
        }
        let mut walker = Self::at(self.limits, inner);
        walker.bare_cr = Some(BareCr::default());
        walker.parts = self.parts;
        walker.depth = self.depth + self.stack.len() + 1;
        walker.encoded_depth = self.encoded_depth + 1;
        Content::Encoded(Decoder::new(encoding), Box::new(walker))
    }

    fn note_bare_cr(&mut self) {
        let number = match &self.state {
            State::Header { place, .. } => place.number.clone(),
            _ => String::new(),
        };
        self.note(Defect::BareCr, &number);
    }

    fn give_up(&mut self, defect: Defect) {
        let number = match &self.state {
            State::Header { place, .. } => place.number.clone(),
            _ => String::new(),
        };
        self.note(defect, &number);
        self.carry = Vec::new();
        self.state = State::Opaque;
    }
}
