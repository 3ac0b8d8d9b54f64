//! Replies (RFC 5321 §4.2): out of octets that arrive in pieces, and back.
//!
//! What a next hop says is shown to an originator and written to records, so control characters and octets
//! that are no UTF-8 are replaced when a reply is read. Nothing after that needs to look again.

mod reader;

pub use reader::{ReplyOutcome, ReplyReader, ReplyStep};

use std::fmt;

/// Three digits, the first 2 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplyCode(u16);

impl ReplyCode {
    /// 421: the service ends the connection.
    pub const UNAVAILABLE: Self = Self(421);

    /// Of a number, if it is one of 200 to 599.
    pub const fn new(code: u16) -> Option<Self> {
        if matches!(code, 200..=599) { Some(Self(code)) } else { None }
    }

    /// As a number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// 2yz: done.
    pub const fn is_completion(self) -> bool {
        self.0 / 100 == 2
    }

    /// 3yz: go on.
    pub const fn is_intermediate(self) -> bool {
        self.0 / 100 == 3
    }

    /// 4yz: not now.
    pub const fn is_transient(self) -> bool {
        self.0 / 100 == 4
    }

    /// 5yz: no.
    pub const fn is_permanent(self) -> bool {
        self.0 / 100 == 5
    }

    /// 4yz or 5yz.
    pub const fn is_negative(self) -> bool {
        self.is_transient() || self.is_permanent()
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

/// A reply: a code and at least one line of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: ReplyCode,
    /// Lines with `\n` between them.
    text: String,
}

impl Reply {
    /// Of a code and text, whose lines are separated by `\n`. Control characters become `?`.
    pub fn new(code: ReplyCode, text: &str) -> Self {
        let mut clean = String::with_capacity(text.len());
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                clean.push('\n');
            }
            push_clean(line.as_bytes(), &mut clean);
        }
        Self { code, text: clean }
    }

    /// Its code.
    pub const fn code(&self) -> ReplyCode {
        self.code
    }

    /// Its lines, without code and line ends.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.text.split('\n')
    }

    /// Its first line, without code and line end.
    pub fn first_line(&self) -> &str {
        self.text.split('\n').next().unwrap_or_default()
    }

    /// Appends it to `out`, as it is sent.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut lines = self.lines().peekable();
        out.reserve(self.text.len() + 8);
        while let Some(line) = lines.next() {
            let digits = self.code.0;
            let separator = if lines.peek().is_some() { b'-' } else { b' ' };
            let digit = |value: u16| b'0' + u8::try_from(value % 10).unwrap_or(0);
            out.extend_from_slice(&[digit(digits / 100), digit(digits / 10), digit(digits), separator]);
            out.extend_from_slice(line.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }

    /// As it is sent.
    pub fn to_octets(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        self.write(&mut octets);
        octets
    }
}

/// Why what a next hop sent is no reply. Nothing behind it can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ReplyError {
    /// It does not begin with three digits, of which the first is 2 to 5, and then a space, a hyphen or nothing.
    #[error("no reply code")]
    NoCode,
    /// Lines of one reply have different codes.
    #[error("reply lines with different codes")]
    CodesDiffer,
    /// A line is longer than `limits::REPLY_LINE_OCTETS`.
    #[error("reply line too long")]
    LineTooLong,
    /// It has more lines than `limits::REPLY_LINES`.
    #[error("too many reply lines")]
    TooManyLines,
    /// CR without LF, or LF without CR.
    #[error("bare CR or LF in a reply")]
    BareLineEnd,
    /// A zero octet.
    #[error("NUL in a reply")]
    Nul,
}

impl ReplyError {
    /// The word used in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoCode => "reply_without_code",
            Self::CodesDiffer => "reply_codes_differ",
            Self::LineTooLong => "reply_line_too_long",
            Self::TooManyLines => "reply_too_many_lines",
            Self::BareLineEnd => "reply_bare_line_end",
            Self::Nul => "reply_nul",
        }
    }
}

/// Appends a line with whatever is not printable replaced.
fn push_clean(line: &[u8], clean: &mut String) {
    if line.iter().all(|octet| matches!(octet, b' '..=b'~')) {
        // ASCII is UTF-8.
        clean.push_str(std::str::from_utf8(line).unwrap_or_default());
        return;
    }
    for piece in line.utf8_chunks() {
        clean.extend(piece.valid().chars().map(|c| if c.is_control() { '?' } else { c }));
        clean.extend(piece.invalid().iter().map(|_| '?'));
    }
}

#[cfg(test)]
mod tests;
