//! Walks over the parts of a message while it streams in: bounded memory, time in proportion to its octets.
//!
//! Lines end at LF; a CR before it belongs to the end. Delimiter lines, the line end before them and header
//! sections are no part's octets; everything else goes to the [`PartSink`], decoded.

use crate::wire::mime::boundary::{self, DelimiterMatch};
use crate::wire::mime::content_type::Structure;
use crate::wire::mime::defect::Defect;
use crate::wire::mime::header_section::{HeaderLine, HeaderSection, Headers, looks_like_mime_field};
use crate::wire::mime::part_header::{PartHeader, PartKind};
use crate::wire::mime::transfer_encoding::{Decoder, TransferEncoding};

/// Takes the parts of a message. One part is open at a time.
pub trait PartSink {
    /// A part begins.
    fn begin(&mut self, part: PartHeader);
    /// Decoded octets of the part, in one of its readings: an index into [`PartHeader::encodings`].
    fn data(&mut self, reading: usize, octets: &[u8]);
    /// The part ends.
    fn end(&mut self);
}

/// How far a walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkLimits {
    /// Multiparts and messages within each other.
    pub max_depth: usize,
    /// Parts, multiparts among them.
    pub max_parts: usize,
    /// Octets of a header section.
    pub max_header_octets: usize,
}

impl Default for WalkLimits {
    fn default() -> Self {
        Self { max_depth: 50, max_parts: 1000, max_header_octets: 256 << 10 }
    }
}

/// A walk over one message.
#[derive(Debug)]
pub struct Walker {
    limits: WalkLimits,
    state: State,
    stack: Vec<Frame>,
    /// Boundaries of multiparts that have ended, the last few.
    ended: Vec<Vec<u8>>,
    /// The start of a line that is not complete.
    carry: Vec<u8>,
    /// A line end that is not yet given away: it may belong to a delimiter.
    held: LineEnd,
    /// The next octet of a body begins a line.
    at_line_start: bool,
    parts: usize,
    /// Levels above this walk, and those of them that were encoded.
    depth: usize,
    encoded_depth: usize,
    /// The first of each kind, and the part.
    defects: Vec<(Defect, String)>,
    /// Room for decoded octets.
    room: Vec<u8>,
}

#[derive(Debug)]
enum State {
    Header {
        section: HeaderSection,
        place: Place,
        in_digest: bool,
    },
    Body(Body),
    /// A limit was met; nothing more is read.
    Opaque,
}

/// Numbers of what stands here.
#[derive(Clone, Debug)]
struct Place {
    /// Of a leaf.
    number: String,
    /// Before the numbers of the parts of a multipart.
    prefix: String,
}

impl Place {
    fn child(prefix: &str, index: u32) -> Self {
        let number = if prefix.is_empty() { index.to_string() } else { format!("{prefix}.{index}") };
        Self { prefix: number.clone(), number }
    }

    fn within_message(number: &str) -> Self {
        Self { number: format!("{number}.1"), prefix: number.to_owned() }
    }
}

#[derive(Debug)]
struct Body {
    content: Content,
    /// The header section ended at a line that is no field, and some readers go on to its empty line.
    shadow: Option<Vec<u8>>,
    /// For defects.
    number: String,
}

#[derive(Debug)]
enum Content {
    /// A part whose octets go to the sink.
    Open(Vec<Decoder>),
    /// A part that begins with its first octet that is no blank: text outside the parts.
    Waiting(PartHeader),
    /// A message in an encoding, with a walk of its own.
    Encoded(Decoder, Box<Walker>),
    /// Nothing of interest.
    Closed,
}

#[derive(Debug)]
enum Frame {
    Multipart { boundaries: Vec<Vec<u8>>, prefix: String, parts: u32, digest: bool },
    Message,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    None,
    Cr,
    Lf,
    CrLf,
}

impl LineEnd {
    const fn octets(self) -> &'static [u8] {
        match self {
            Self::None => b"",
            Self::Cr => b"\r",
            Self::Lf => b"\n",
            Self::CrLf => b"\r\n",
        }
    }
}

/// Octets looked at in one go, so that they stay in the processor's cache.
const PIECE: usize = 32 << 10;
/// Octets of a header line at most: RFC 5322 §2.1.1 says 998.
const MAX_HEADER_LINE: usize = 64 << 10;
/// Octets of a delimiter line at most: the longest boundary and a line of padding.
const MAX_DELIMITER_LINE: usize = 1400;
/// Boundaries of ended multiparts that are remembered.
const MAX_ENDED: usize = 32;
/// Encoded messages within each other; RFC 2046 §5.2.1 forbids even one.
const MAX_ENCODED_DEPTH: usize = 4;

impl Walker {
    /// Begins with the header section of a message.
    pub fn new(limits: WalkLimits) -> Self {
        let place = Place { number: "1".to_owned(), prefix: String::new() };
        Self::at(limits, place)
    }

    fn at(limits: WalkLimits, place: Place) -> Self {
        Self {
            limits,
            state: State::Header { section: HeaderSection::default(), place, in_digest: false },
            stack: Vec::new(),
            ended: Vec::new(),
            carry: Vec::new(),
            held: LineEnd::None,
            at_line_start: true,
            parts: 0,
            depth: 0,
            encoded_depth: 0,
            defects: Vec::new(),
            room: Vec::new(),
        }
    }

    /// Takes the next octets.
    pub fn push(&mut self, octets: &[u8], sink: &mut dyn PartSink) {
        for piece in octets.chunks(PIECE) {
            self.run(piece, sink);
        }
    }

    /// Ends the message. Parts that are open end too.
    pub fn finish(&mut self, sink: &mut dyn PartSink) {
        let rest = std::mem::take(&mut self.carry);
        if !rest.is_empty() {
            match self.state {
                State::Header { .. } => {
                    if !self.header_line(without_end(&rest).0, sink) {
                        self.emit(&rest, sink);
                    }
                }
                State::Body(_) => self.delimiter_candidate(&rest, sink),
                State::Opaque => {}
            }
        }
        // A message within a message may end before its header section does.
        while matches!(self.state, State::Header { .. }) {
            self.begin_body(false, sink);
        }
        self.release(sink);
        self.close(sink);
        self.state = State::Opaque;
    }

    /// What is wrong with the form: the first of each kind, and the number of its part.
    pub fn defects(&self) -> &[(Defect, String)] {
        &self.defects
    }

    fn run(&mut self, piece: &[u8], sink: &mut dyn PartSink) {
        let mut rest = piece;
        while !rest.is_empty() {
            rest = match self.state {
                State::Opaque => return,
                State::Header { .. } => self.header_octets(rest, sink),
                State::Body(_) if self.stack.is_empty() && self.ended.is_empty() => {
                    self.emit(rest, sink);
                    return;
                }
                State::Body(_) if self.at_line_start => self.line_start(rest, sink),
                State::Body(_) => self.mid_line(rest, sink),
            };
        }
    }

    // --- header sections ---

    fn header_octets<'i>(&mut self, input: &'i [u8], sink: &mut dyn PartSink) -> &'i [u8] {
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
        if self.carry.is_empty() {
            return if self.header_line(without_end(line).0, sink) { rest } else { input };
        }
        let mut whole = std::mem::take(&mut self.carry);
        whole.extend_from_slice(line);
        if !self.header_line(without_end(&whole).0, sink) {
            self.run(&whole, sink);
        }
        rest
    }

    /// Takes a line of a header section; `false` if it is the first of the body instead.
    fn header_line(&mut self, line: &[u8], sink: &mut dyn PartSink) -> bool {
        if line.starts_with(b"--")
            && let Some((frame, close)) = self.delimiter(line)
        {
            self.begin_body(false, sink);
            self.end_part(frame, close, sink);
            return true;
        }
        let State::Header { section, .. } = &mut self.state else { return false };
        match section.line(line, self.limits.max_header_octets) {
            HeaderLine::Within => true,
            HeaderLine::End => {
                self.begin_body(false, sink);
                true
            }
            HeaderLine::Body => {
                self.begin_body(true, sink);
                false
            }
            HeaderLine::TooLong => {
                self.give_up(Defect::HeaderTooLong);
                true
            }
        }
    }

    /// The header section is over. `cut`: at a line that is no field.
    fn begin_body(&mut self, cut: bool, sink: &mut dyn PartSink) {
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
        let content = match structure {
            Structure::Multipart { boundaries, digest } if !boundaries.is_empty() && !too_deep => {
                self.begin_multipart(&headers, boundaries, digest, &place)
            }
            Structure::Message if !too_deep => {
                let encoding = headers.encoding;
                sink.begin(part(&place.number, PartKind::Message, headers));
                sink.end();
                let inner = Place::within_message(&place.number);
                if encoding == TransferEncoding::Identity {
                    self.stack.push(Frame::Message);
                    let section = HeaderSection::default();
                    self.state = State::Header { section, place: inner, in_digest: false };
                    return;
                }
                self.begin_encoded(encoding, inner, &place.number)
            }
            structure => {
                if !matches!(structure, Structure::Leaf) && too_deep {
                    self.note(Defect::TooDeep, &place.number);
                }
                let header = part(&place.number, PartKind::Leaf, headers);
                open(header, sink)
            }
        };
        self.state = State::Body(Body { content, shadow: cut.then(Vec::new), number: place.number });
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
        self.stack.push(Frame::Multipart { boundaries, prefix, parts: 0, digest });
        Content::Waiting(header)
    }

    fn begin_encoded(&mut self, encoding: TransferEncoding, inner: Place, number: &str) -> Content {
        if self.encoded_depth == MAX_ENCODED_DEPTH {
            self.note(Defect::TooDeep, number);
            return Content::Closed;
        }
        let mut walker = Self::at(self.limits, inner);
        walker.parts = self.parts;
        walker.depth = self.depth + self.stack.len() + 1;
        walker.encoded_depth = self.encoded_depth + 1;
        Content::Encoded(Decoder::new(encoding), Box::new(walker))
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

    // --- bodies of which some line may be a delimiter ---

    fn line_start<'i>(&mut self, input: &'i [u8], sink: &mut dyn PartSink) -> &'i [u8] {
        if self.carry.is_empty() && input.first() != Some(&b'-') {
            self.at_line_start = false;
            self.release(sink);
            return input;
        }
        let room = MAX_DELIMITER_LINE.saturating_sub(self.carry.len());
        let window = input.get(..input.len().min(room)).unwrap_or_default();
        let line = match memchr::memchr(b'\n', window) {
            Some(at) => at + 1,
            None if input.len() >= room => room,
            None => {
                self.carry.extend_from_slice(input);
                return &[];
            }
        };
        let (line, rest) = input.split_at_checked(line).unwrap_or((input, &[]));
        if self.carry.is_empty() {
            self.delimiter_candidate(line, sink);
        } else {
            let mut whole = std::mem::take(&mut self.carry);
            whole.extend_from_slice(line);
            self.delimiter_candidate(&whole, sink);
            // Its room may be of use again, unless the line began something that carries on its own.
            if self.carry.is_empty() {
                whole.clear();
                self.carry = whole;
            }
        }
        rest
    }

    /// A line that begins with a hyphen, with its end if it has one and is not too long.
    fn delimiter_candidate(&mut self, octets: &[u8], sink: &mut dyn PartSink) {
        let (line, end) = without_end(octets);
        if line.starts_with(b"--")
            && let Some((frame, close)) = self.delimiter(line)
        {
            self.held = LineEnd::None;
            self.end_part(frame, close, sink);
            return;
        }
        self.release(sink);
        self.emit(line, sink);
        (self.held, self.at_line_start) = (end, matches!(end, LineEnd::Lf | LineEnd::CrLf));
    }

    fn mid_line<'i>(&mut self, input: &'i [u8], sink: &mut dyn PartSink) -> &'i [u8] {
        if self.held == LineEnd::Cr {
            if let Some(rest) = input.strip_prefix(b"\n") {
                (self.held, self.at_line_start) = (LineEnd::CrLf, true);
                return rest;
            }
            self.release(sink);
        }
        let (octets, rest) = match memchr::memmem::find(input, b"\n-") {
            Some(at) => input.split_at_checked(at + 1).unwrap_or((input, &[])),
            None => (input, [].as_slice()),
        };
        let (line, mut end) = without_end(octets);
        let line = match (end, line.split_last()) {
            (LineEnd::None, Some((b'\r', before))) => {
                end = LineEnd::Cr;
                before
            }
            _ => line,
        };
        self.emit(line, sink);
        (self.held, self.at_line_start) = (end, matches!(end, LineEnd::Lf | LineEnd::CrLf));
        rest
    }

    /// The frame that a line delimits, and whether it closes it. What only looks like it is noted.
    fn delimiter(&mut self, line: &[u8]) -> Option<(usize, bool)> {
        let mut with_text = false;
        for (index, frame) in self.stack.iter().enumerate().rev() {
            let Frame::Multipart { boundaries, .. } = frame else { continue };
            for boundary in boundaries {
                match boundary::compare(line, boundary) {
                    DelimiterMatch::Delimiter => return Some((index, false)),
                    DelimiterMatch::Close => return Some((index, true)),
                    DelimiterMatch::WithText => with_text = true,
                    DelimiterMatch::No => {}
                }
            }
        }
        let of_ended = |ended: &Vec<u8>| {
            matches!(boundary::compare(line, ended), DelimiterMatch::Delimiter | DelimiterMatch::Close)
        };
        let after_end = self.ended.iter().any(of_ended);
        if with_text || after_end {
            let number = match &self.state {
                State::Body(body) => body.number.clone(),
                State::Header { place, .. } => place.number.clone(),
                State::Opaque => String::new(),
            };
            if with_text {
                self.note(Defect::DelimiterWithText, &number);
            }
            if after_end {
                self.note(Defect::DelimiterAfterEnd, &number);
            }
        }
        None
    }

    /// A delimiter ends the part that is open, and every multipart within the delimited one.
    fn end_part(&mut self, frame: usize, close: bool, sink: &mut dyn PartSink) {
        self.close(sink);
        if matches!(self.state, State::Opaque) {
            return;
        }
        let keep = if close { frame } else { frame + 1 };
        let ended: Vec<Frame> = self.stack.drain(keep.min(self.stack.len())..).collect();
        let mut prefix_of_closed = String::new();
        for (index, ended) in ended.into_iter().enumerate() {
            if let Frame::Multipart { boundaries, prefix, .. } = ended {
                self.ended.extend(boundaries);
                if index == 0 {
                    prefix_of_closed = prefix;
                }
            }
        }
        let excess = self.ended.len().saturating_sub(MAX_ENDED);
        self.ended.drain(..excess);
        (self.held, self.at_line_start) = (LineEnd::None, true);
        self.state = match self.stack.last_mut() {
            Some(Frame::Multipart { prefix, parts, digest, .. }) if !close => {
                *parts += 1;
                let place = Place::child(prefix, *parts);
                State::Header { section: HeaderSection::default(), place, in_digest: *digest }
            }
            _ => {
                let header = outside(&prefix_of_closed, PartKind::Epilogue);
                let number = header.number.clone();
                State::Body(Body { content: Content::Waiting(header), shadow: None, number })
            }
        };
    }

    // --- octets of bodies ---

    /// Gives away the line end that was held back.
    fn release(&mut self, sink: &mut dyn PartSink) {
        let end = std::mem::replace(&mut self.held, LineEnd::None);
        self.emit(end.octets(), sink);
    }

    /// Gives octets of the body to where they belong.
    fn emit(&mut self, octets: &[u8], sink: &mut dyn PartSink) {
        let State::Body(body) = &mut self.state else { return };
        if octets.is_empty() {
            return;
        }
        if body.shadow.is_some() && look_in_shadow(&mut body.shadow, octets) {
            let number = body.number.clone();
            self.note(Defect::UncertainHeaderEnd, &number);
        }
        let State::Body(body) = &mut self.state else { return };
        let mut octets = octets;
        if let Content::Waiting(header) = &body.content {
            let blank = octets.iter().take_while(|octet| octet.is_ascii_whitespace()).count();
            octets = octets.get(blank..).unwrap_or_default();
            if octets.is_empty() {
                return;
            }
            body.content = open(header.clone(), sink);
        }
        match &mut body.content {
            Content::Open(decoders) => {
                for (reading, decoder) in decoders.iter_mut().enumerate() {
                    let decoded = decoder.decode(octets, &mut self.room);
                    if !decoded.is_empty() {
                        sink.data(reading, decoded);
                    }
                }
            }
            Content::Encoded(decoder, walker) => {
                let decoded = decoder.decode(octets, &mut self.room);
                walker.push(decoded, sink);
            }
            Content::Waiting(_) | Content::Closed => {}
        }
    }

    /// Ends the part that is open.
    fn close(&mut self, sink: &mut dyn PartSink) {
        let State::Body(body) = &mut self.state else { return };
        let mut defects = Vec::new();
        match std::mem::replace(&mut body.content, Content::Closed) {
            Content::Open(mut decoders) => {
                for (reading, decoder) in decoders.iter_mut().enumerate() {
                    let decoded = decoder.finish(&mut self.room);
                    if !decoded.is_empty() {
                        sink.data(reading, decoded);
                    }
                }
                sink.end();
                // With several readings the body is known to be uncertain, and junk in most of them.
                if let [decoder] = decoders.as_slice() {
                    defects.extend(decoder.defects().map(|defect| (defect, body.number.clone())));
                }
            }
            Content::Encoded(mut decoder, mut walker) => {
                let decoded = decoder.finish(&mut self.room);
                walker.push(decoded, sink);
                walker.finish(sink);
                self.parts = walker.parts;
                defects.extend(decoder.defects().map(|defect| (defect, body.number.clone())));
                defects.append(&mut walker.defects);
            }
            Content::Waiting(_) | Content::Closed => {}
        }
        for (defect, number) in defects {
            self.note(defect, &number);
        }
    }

    fn note(&mut self, defect: Defect, number: &str) {
        if !self.defects.iter().any(|(known, _)| *known == defect) {
            self.defects.push((defect, number.to_owned()));
        }
    }
}

impl Frame {
    fn has(&self, boundary: &[u8]) -> bool {
        match self {
            Self::Multipart { boundaries, .. } => boundaries.iter().any(|own| own == boundary),
            Self::Message => false,
        }
    }
}

/// Tells the sink of a part, and gives the decoders of its readings.
fn open(header: PartHeader, sink: &mut dyn PartSink) -> Content {
    let decoders = header.encodings.iter().map(|encoding| Decoder::new(*encoding)).collect();
    sink.begin(header);
    Content::Open(decoders)
}

fn part(number: &str, kind: PartKind, headers: Headers) -> PartHeader {
    let mut encodings = vec![headers.encoding];
    if headers.unsure {
        encodings.extend(TransferEncoding::ALL.iter().filter(|encoding| **encoding != headers.encoding));
    }
    PartHeader {
        number: number.to_owned(),
        kind,
        media_type: headers.content_type.media_type,
        encodings,
        names: headers.names,
    }
}

/// Text outside the parts of a multipart.
fn outside(prefix: &str, kind: PartKind) -> PartHeader {
    let word = if kind == PartKind::Preamble { "preamble" } else { "epilogue" };
    let number = if prefix.is_empty() { word.to_owned() } else { format!("{prefix}.{word}") };
    let media_type = "text/plain".to_owned();
    PartHeader { number, kind, media_type, encodings: vec![TransferEncoding::Identity], names: Vec::new() }
}

/// A line and its end.
fn without_end(octets: &[u8]) -> (&[u8], LineEnd) {
    match octets {
        [line @ .., b'\r', b'\n'] => (line, LineEnd::CrLf),
        [line @ .., b'\n'] => (line, LineEnd::Lf),
        _ => (octets, LineEnd::None),
    }
}

/// Reads on in a header section that has been cut, as some readers do; `true` if there is a MIME field in it.
fn look_in_shadow(shadow: &mut Option<Vec<u8>>, octets: &[u8]) -> bool {
    for piece in octets.split_inclusive(|octet| *octet == b'\n') {
        let Some(line) = shadow else { return false };
        let room = SHADOW_LINE.saturating_sub(line.len());
        line.extend_from_slice(piece.get(..piece.len().min(room)).unwrap_or_default());
        if !piece.ends_with(b"\n") {
            return false;
        }
        if line.iter().all(|octet| matches!(octet, b'\r' | b'\n')) {
            *shadow = None;
        } else if looks_like_mime_field(line) {
            *shadow = None;
            return true;
        } else {
            line.clear();
        }
    }
    false
}

/// Octets at the start of a line that tell a MIME field.
const SHADOW_LINE: usize = 128;

#[cfg(test)]
mod tests;
