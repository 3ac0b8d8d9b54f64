//! Command lines out of octets that arrive in pieces (RFC 5321 §2.3.8): strict CRLF, bounded.
//!
//! A CR without LF, an LF without CR and a NUL are defects, never line ends: whoever takes them for line
//! ends sees other commands than whoever does not.

use memchr::memchr3;

use crate::limits::OVERLONG_LINE_OCTETS;

/// Why a line is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum LineDefect {
    /// Longer than the limit. It was thrown away up to its CRLF; the next line can be read.
    #[error("line too long")]
    TooLong,
    /// Much longer than the limit, with no end in sight. Nothing behind it can be read.
    #[error("line without end")]
    Endless,
    /// CR without LF.
    #[error("bare CR")]
    BareCr,
    /// LF without CR.
    #[error("bare LF")]
    BareLf,
    /// A zero octet.
    #[error("NUL")]
    Nul,
    /// The first octets are those of a TLS handshake: the peer takes this port for one with implicit TLS.
    #[error("TLS handshake on a plaintext port")]
    TlsHello,
}

impl LineDefect {
    /// The word used in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooLong => "line_too_long",
            Self::Endless => "line_without_end",
            Self::BareCr => "bare_cr",
            Self::BareLf => "bare_lf",
            Self::Nul => "nul",
            Self::TlsHello => "tls_hello_in_plaintext",
        }
    }

    /// Whether lines behind it can be read.
    pub const fn is_recoverable(self) -> bool {
        matches!(self, Self::TooLong)
    }
}

/// What came of feeding octets.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub enum LineOutcome<'a> {
    /// The line is not complete; all octets were taken.
    More,
    /// A line, without its CRLF.
    Line(&'a [u8]),
    /// No line.
    Defect(LineDefect),
}

/// What came of feeding octets, and how many of them were taken.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct LineStep<'a> {
    /// Octets taken from the front of the input.
    pub consumed: usize,
    /// What they made.
    pub outcome: LineOutcome<'a>,
}

/// Receiver of lines; holds at most its limit.
#[derive(Debug)]
pub struct LineReader {
    line: Vec<u8>,
    limit: usize,
    state: State,
    /// No line was read yet.
    first: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In a line.
    Text,
    /// Behind its CR.
    Cr,
    /// In a line that is too long, of which so many octets were thrown away.
    Overlong(usize),
    /// Behind the CR of such a line.
    OverlongCr,
    /// The line was handed out.
    Done,
    /// Nothing can be read any more.
    Broken(LineDefect),
}

impl LineReader {
    /// For lines of at most `limit` octets without their CRLF.
    pub fn new(limit: usize) -> Self {
        Self { line: Vec::new(), limit, state: State::Text, first: true }
    }

    /// Takes octets up to the end of a line, or all of them. Call again with the rest.
    pub fn feed<'a>(&'a mut self, input: &[u8]) -> LineStep<'a> {
        if matches!(self.state, State::Done) {
            self.line.clear();
            self.state = State::Text;
        }
        let begins = self.first && self.line.is_empty() && matches!(self.state, State::Text);
        if begins && input.first() == Some(&TLS_HANDSHAKE) {
            self.state = State::Broken(LineDefect::TlsHello);
        }
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let next = rest.first().copied();
            match (self.state, next) {
                (State::Broken(defect), _) => return step(input.len(), LineOutcome::Defect(defect)),
                (_, None) => return step(at, LineOutcome::More),
                (State::Cr, Some(b'\n')) => {
                    self.state = State::Done;
                    self.first = false;
                    return step(at + 1, LineOutcome::Line(&self.line));
                }
                (State::OverlongCr, Some(b'\n')) => {
                    self.state = State::Done;
                    self.first = false;
                    return step(at + 1, LineOutcome::Defect(LineDefect::TooLong));
                }
                (State::Cr | State::OverlongCr, Some(_)) => {
                    self.state = State::Broken(LineDefect::BareCr);
                }
                (State::Text | State::Overlong(_) | State::Done, Some(_)) => at += self.text(rest),
            }
        }
    }

    /// Takes text, and the CR or the defect behind it.
    fn text(&mut self, rest: &[u8]) -> usize {
        let end = memchr3(b'\r', b'\n', 0, rest).unwrap_or(rest.len());
        let text = rest.get(..end).unwrap_or_default();
        let thrown = match self.state {
            State::Overlong(thrown) => Some(thrown + text.len()),
            _ if self.line.len() + text.len() > self.limit => Some(self.line.len() + text.len()),
            _ => None,
        };
        match thrown {
            Some(thrown) => {
                self.line.clear();
                self.state = State::Overlong(thrown);
                if thrown > self.limit.saturating_add(OVERLONG_LINE_OCTETS) {
                    self.state = State::Broken(LineDefect::Endless);
                    return end;
                }
            }
            None => self.line.extend_from_slice(text),
        }
        let Some(&special) = rest.get(end) else { return end };
        self.state = match (special, thrown) {
            (b'\r', None) => State::Cr,
            (b'\r', Some(_)) => State::OverlongCr,
            (b'\n', _) => State::Broken(LineDefect::BareLf),
            _ => State::Broken(LineDefect::Nul),
        };
        end + 1
    }
}

const fn step(consumed: usize, outcome: LineOutcome<'_>) -> LineStep<'_> {
    LineStep { consumed, outcome }
}

/// Content type of a TLS handshake record (RFC 8446 §5.1); no command begins with it.
const TLS_HANDSHAKE: u8 = 0x16;

#[cfg(test)]
mod tests;
