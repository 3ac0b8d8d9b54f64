//! Mail data from an originator: finds its end and takes off the dots that were put before dots.

use memchr::{memchr2, memchr3};

use super::{DataDefect, DataStep, LineEnds};

/// Receiver of one message's data, fed slices cut anywhere. Holds no octets.
#[derive(Debug)]
pub struct DataReceiver {
    state: State,
    line_ends: LineEnds,
    limit: u64,
    octets: u64,
    /// The message is too large; it is read to its end and thrown away.
    discard: bool,
}

/// What the last octets were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Anything that begins nothing.
    Text,
    /// CR, not yet handed on.
    Cr,
    /// CRLF, or nothing yet: RFC 5321 §4.1.1.4 counts the CRLF of the DATA command.
    CrLf,
    /// CRLF and a dot; the dot is not handed on.
    CrLfDot,
    /// CRLF, a dot, and CR, not yet handed on.
    CrLfDotCr,
    /// The data has a defect and nothing behind it will be read as a command, so whatever the sender may
    /// have meant as its end will do.
    Refused(Tail),
}

/// Position within what a careless sender may take for the end of its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    Text,
    LineEnd,
    Dot,
}

impl DataReceiver {
    /// For a message of at most `limit` octets.
    pub fn new(limit: u64, line_ends: LineEnds) -> Self {
        Self { state: State::CrLf, line_ends, limit, octets: 0, discard: false }
    }

    /// Octets handed on so far.
    pub const fn octets(&self) -> u64 {
        self.octets
    }

    /// Takes octets up to the end of the data, or all of them, and appends the message's own to `out`.
    #[expect(clippy::match_same_arms, reason = "every state stands with what may follow it")]
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> DataStep {
        let mut feed = Feed { input, out, at: 0, copied: 0, defect: None };
        // A CR that ended the last slice was not handed on. As part of a CRLF it is now.
        if self.state == State::Cr && input.first() == Some(&b'\n') {
            self.emit(b"\r", &mut feed);
        }
        let end = loop {
            let Some(&next) = input.get(feed.at) else { break false };
            match (self.state, next) {
                (State::Text, _) => self.text(&mut feed),
                (State::Cr, b'\n') => self.advance(State::CrLf, &mut feed),
                (State::Cr, _) => self.bare_cr(&mut feed),
                (State::CrLf, b'.') => {
                    self.copy(&mut feed);
                    self.advance(State::CrLfDot, &mut feed);
                    feed.copied = feed.at;
                }
                (State::CrLf, _) => self.state = State::Text,
                (State::CrLfDot, b'\r') => self.advance(State::CrLfDotCr, &mut feed),
                (State::CrLfDot, b'\n') if self.refuses() => {
                    feed.defect = Some(DataDefect::BareLf);
                    feed.at += 1;
                    break true;
                }
                (State::CrLfDot, _) => self.state = State::Text,
                (State::CrLfDotCr, b'\n') => {
                    feed.at += 1;
                    break true;
                }
                (State::CrLfDotCr, _) if self.refuses() => {
                    feed.defect = Some(DataDefect::BareCr);
                    break true;
                }
                (State::CrLfDotCr, _) => self.bare_cr(&mut feed),
                (State::Refused(tail), _) => {
                    if self.refused(tail, &mut feed) {
                        break true;
                    }
                }
            }
        };
        if !end && !matches!(self.state, State::Refused(_)) {
            self.copy_to_end(&mut feed);
        }
        DataStep { consumed: feed.at, end, defect: feed.defect }
    }

    /// Whether a bare CR or LF here makes the message refused: not if it is thrown away anyway.
    const fn refuses(&self) -> bool {
        matches!(self.line_ends, LineEnds::Refuse) && !self.discard
    }

    /// Passes over text to the next octet that could mean something.
    fn text(&mut self, feed: &mut Feed<'_>) {
        let rest = feed.input.get(feed.at..).unwrap_or_default();
        let Some(length) = memchr3(b'\r', b'\n', 0, rest) else {
            feed.at = feed.input.len();
            return;
        };
        feed.at += length;
        match rest.get(length) {
            Some(b'\r') => self.advance(State::Cr, feed),
            Some(b'\n') if self.refuses() => {
                self.refuse(DataDefect::BareLf, Tail::LineEnd, feed);
                feed.at += 1;
            }
            Some(b'\n') => {
                self.copy(feed);
                self.emit(b"\r\n", feed);
                feed.at += 1;
                feed.copied = feed.at;
            }
            _ if self.discard => feed.at += 1,
            _ => {
                self.refuse(DataDefect::Nul, Tail::Text, feed);
                feed.at += 1;
            }
        }
    }

    /// The octet before this one was a CR, and this one is no LF.
    fn bare_cr(&mut self, feed: &mut Feed<'_>) {
        if self.refuses() {
            return self.refuse(DataDefect::BareCr, Tail::LineEnd, feed);
        }
        self.copy_up_to(feed.at.saturating_sub(1), feed);
        self.emit(b"\r\n", feed);
        feed.copied = feed.at;
        self.state = State::Text;
    }

    fn refuse(&mut self, defect: DataDefect, tail: Tail, feed: &mut Feed<'_>) {
        feed.defect = Some(defect);
        self.state = State::Refused(tail);
    }

    /// Looks for anything a sender may have meant as the end. True when it is there.
    fn refused(&mut self, tail: Tail, feed: &mut Feed<'_>) -> bool {
        let rest = feed.input.get(feed.at..).unwrap_or_default();
        let next = rest.first().copied();
        let tail = match (tail, next) {
            (Tail::Text, _) => {
                let length = memchr2(b'\r', b'\n', rest);
                feed.at += length.map_or(rest.len(), |length| length + 1);
                if length.is_some() { Tail::LineEnd } else { Tail::Text }
            }
            (Tail::Dot, Some(b'\r')) => {
                feed.at += if rest.get(1) == Some(&b'\n') { 2 } else { 1 };
                return true;
            }
            (Tail::Dot, Some(b'\n')) => {
                feed.at += 1;
                return true;
            }
            (Tail::LineEnd, Some(b'\r' | b'\n')) => {
                feed.at += 1;
                Tail::LineEnd
            }
            (Tail::LineEnd, Some(b'.')) => {
                feed.at += 1;
                Tail::Dot
            }
            (Tail::LineEnd | Tail::Dot, _) => Tail::Text,
        };
        self.state = State::Refused(tail);
        false
    }

    fn advance(&mut self, state: State, feed: &mut Feed<'_>) {
        self.state = state;
        feed.at += 1;
    }

    /// Hands on what was passed over up to here.
    fn copy(&mut self, feed: &mut Feed<'_>) {
        self.copy_up_to(feed.at, feed);
    }

    /// Hands on what was passed over, less a CR that may still turn out to be part of something.
    fn copy_to_end(&mut self, feed: &mut Feed<'_>) {
        let held = usize::from(matches!(self.state, State::Cr | State::CrLfDotCr));
        self.copy_up_to(feed.at.saturating_sub(held), feed);
    }

    fn copy_up_to(&mut self, end: usize, feed: &mut Feed<'_>) {
        let octets = feed.input.get(feed.copied..end).unwrap_or_default();
        feed.copied = end.max(feed.copied);
        self.emit(octets, feed);
    }

    fn emit(&mut self, octets: &[u8], feed: &mut Feed<'_>) {
        if self.discard || octets.is_empty() {
            return;
        }
        let length = octets.len() as u64;
        if self.octets.saturating_add(length) > self.limit {
            self.discard = true;
            feed.defect = feed.defect.or(Some(DataDefect::TooLarge));
            return;
        }
        self.octets += length;
        feed.out.extend_from_slice(octets);
    }
}

/// One slice on its way through the receiver.
struct Feed<'a> {
    input: &'a [u8],
    out: &'a mut Vec<u8>,
    /// Octets taken.
    at: usize,
    /// Octets handed on, or left out on purpose.
    copied: usize,
    defect: Option<DataDefect>,
}
