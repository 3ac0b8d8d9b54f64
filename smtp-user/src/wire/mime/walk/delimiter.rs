//! Bodies of which some line may be a delimiter, and what a delimiter ends.

use super::body::{Body, Content, outside};
use super::line_end::{LineEnd, without_end};
use super::place::Place;
use super::shadow::Shadow;
use super::{Frame, PartSink, State, Walker};
use crate::wire::mime::boundary::{self, DelimiterMatch};
use crate::wire::mime::defect::Defect;
use crate::wire::mime::header_section::HeaderSection;
use crate::wire::mime::part_header::PartKind;

/// Octets of a delimiter line at most: the longest boundary and a line of padding.
const MAX_DELIMITER_LINE: usize = 1400;
/// Boundaries of ended multiparts that are remembered.
const MAX_ENDED: usize = 32;

impl Walker {
    pub(super) fn line_start<'i>(&mut self, input: &'i [u8], sink: &mut dyn PartSink) -> &'i [u8] {
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
        let end = self.position + line.len() as u64;
        self.line = end - (self.carry.len() + line.len()) as u64..end;
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
    pub(super) fn delimiter_candidate(&mut self, octets: &[u8], sink: &mut dyn PartSink) {
        let (line, end) = without_end(octets);
        if line.starts_with(b"--")
            && let Some((frame, close)) = self.delimiter(line)
        {
            let held = std::mem::replace(&mut self.held, LineEnd::None);
            let end = self.line.start - held.octets().len() as u64;
            self.end_part(frame, close, end, sink);
            return;
        }
        self.release(sink);
        self.emit(line, sink);
        (self.held, self.at_line_start) = (end, matches!(end, LineEnd::Lf | LineEnd::CrLf));
    }

    pub(super) fn mid_line<'i>(&mut self, input: &'i [u8], sink: &mut dyn PartSink) -> &'i [u8] {
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
    pub(super) fn delimiter(&mut self, line: &[u8]) -> Option<(usize, bool)> {
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

    /// A delimiter ends the part that is open, at a place, and every multipart within the delimited one.
    pub(super) fn end_part(&mut self, frame: usize, close: bool, end: u64, sink: &mut dyn PartSink) {
        self.close(end, sink);
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
                let place = Place::child(prefix, *parts, self.line.end);
                State::Header { section: HeaderSection::default(), place, in_digest: *digest }
            }
            _ => {
                let header = outside(&prefix_of_closed, PartKind::Epilogue);
                let number = header.number.clone();
                let shadow = Some(Shadow::of_outside());
                State::Body(Body { content: Content::Waiting(header), shadow, number, span: None })
            }
        };
    }
}
