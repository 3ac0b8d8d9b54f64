//! Walks over the parts of a message while it streams in: bounded memory, time in proportion to its octets.
//!
//! Lines end at LF; a CR before it belongs to the end. Delimiter lines, the line end before them and header
//! sections are no part's octets; everything else goes to the [`PartSink`], decoded.

mod bare_cr;
mod body;
mod delimiter;
mod header;
mod line_end;
mod place;
mod shadow;

use std::ops::Range;

use self::bare_cr::BareCr;
use self::body::Body;
use self::line_end::{LineEnd, without_end};
use self::place::Place;
use crate::wire::mime::defect::Defect;
use crate::wire::mime::header_section::HeaderSection;
use crate::wire::mime::part_header::{PartHeader, PartSpan};

/// Takes the parts of a message. One part is open at a time.
pub trait PartSink {
    /// A part begins.
    fn begin(&mut self, part: PartHeader);
    /// Decoded octets of the part, in one of its readings: an index into [`PartHeader::encodings`].
    fn data(&mut self, reading: usize, octets: &[u8]);
    /// The part ends.
    fn end(&mut self);
    /// Where the body part stands that ends next. Not told of text outside the parts, nor of what stands within
    /// something encoded.
    fn span(&mut self, span: PartSpan) {
        let _ = span;
    }
    /// Where the encoded message stands that has ended.
    fn encoded_span(&mut self, span: PartSpan) {
        let _ = span;
    }
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
    /// Where the next octet stands.
    position: u64,
    /// Where the line stands that is looked at.
    line: Range<u64>,
    parts: usize,
    /// Levels above this walk, and those of them that were encoded.
    depth: usize,
    encoded_depth: usize,
    /// The first of each kind, and the part.
    defects: Vec<(Defect, String)>,
    /// Looks for what only a message within another may have.
    bare_cr: Option<BareCr>,
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

#[derive(Debug)]
enum Frame {
    Multipart { boundaries: Vec<Vec<u8>>, prefix: String, parts: u32, digest: bool, signed: bool },
    Message,
}

/// Octets looked at in one go, so that they stay in the processor's cache.
const PIECE: usize = 32 << 10;

impl Walker {
    /// Begins with the header section of a message.
    pub fn new(limits: WalkLimits) -> Self {
        let place = Place { number: "1".to_owned(), prefix: String::new(), header_at: 0, is_message: true };
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
            position: 0,
            line: 0..0,
            parts: 0,
            depth: 0,
            encoded_depth: 0,
            defects: Vec::new(),
            bare_cr: None,
            room: Vec::new(),
        }
    }

    /// For octets that did not come as mail does, and may have lines that end in CR alone.
    #[must_use]
    pub fn of_any_octets(mut self) -> Self {
        self.bare_cr = Some(BareCr::default());
        self
    }

    /// Takes the next octets.
    pub fn push(&mut self, octets: &[u8], sink: &mut dyn PartSink) {
        if let Some(bare_cr) = &mut self.bare_cr {
            bare_cr.push(octets);
        }
        for piece in octets.chunks(PIECE) {
            self.run(piece, sink);
        }
    }

    /// Ends the message. Parts that are open end too.
    pub fn finish(&mut self, sink: &mut dyn PartSink) {
        let rest = std::mem::take(&mut self.carry);
        if !rest.is_empty() {
            self.line = self.position - rest.len() as u64..self.position;
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
            self.begin_body(false, self.position, sink);
        }
        self.release(sink);
        self.close(self.position, sink);
        self.state = State::Opaque;
        let is_divided = !(self.stack.is_empty() && self.ended.is_empty());
        if is_divided && self.bare_cr.as_ref().is_some_and(BareCr::found) {
            self.note(Defect::BareCr, "1");
        }
    }

    /// What is wrong with the form: the first of each kind, and the number of its part.
    pub fn defects(&self) -> &[(Defect, String)] {
        &self.defects
    }

    fn run(&mut self, piece: &[u8], sink: &mut dyn PartSink) {
        let end = self.position + piece.len() as u64;
        let mut rest = piece;
        while !rest.is_empty() {
            self.position = end - rest.len() as u64;
            rest = match self.state {
                State::Opaque => break,
                State::Header { .. } => self.header_octets(rest, sink),
                State::Body(_) if self.stack.is_empty() && self.ended.is_empty() => {
                    self.emit(rest, sink);
                    break;
                }
                State::Body(_) if self.at_line_start => self.line_start(rest, sink),
                State::Body(_) => self.mid_line(rest, sink),
            };
        }
        self.position = end;
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

    const fn is_signed(&self) -> bool {
        matches!(self, Self::Multipart { signed: true, .. })
    }
}

#[cfg(test)]
mod tests;
