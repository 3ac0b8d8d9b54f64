//! Replies out of octets that arrive in pieces.

use crate::limits::{REPLY_LINE_OCTETS, REPLY_LINES};
use crate::wire::smtp::line::{LineDefect, LineOutcome, LineReader};

use super::{Reply, ReplyCode, ReplyError, push_clean};

/// What came of feeding octets.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub enum ReplyOutcome {
    /// The reply is not complete; all octets were taken.
    More,
    /// A reply.
    Reply(Reply),
    /// No reply.
    Defect(ReplyError),
}

/// What came of feeding octets, and how many of them were taken.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct ReplyStep {
    /// Octets taken from the front of the input.
    pub consumed: usize,
    /// What they made.
    pub outcome: ReplyOutcome,
}

/// Receiver of replies; holds at most one, bounded in lines and octets.
#[derive(Debug)]
pub struct ReplyReader {
    reader: LineReader,
    /// Code of the lines so far, and how many there are.
    begun: Option<(ReplyCode, usize)>,
    text: String,
}

impl ReplyReader {
    /// At the beginning of a connection.
    pub fn new() -> Self {
        Self { reader: LineReader::new(REPLY_LINE_OCTETS), begun: None, text: String::new() }
    }

    /// Takes octets up to the end of a reply, or all of them. Call again with the rest.
    pub fn feed(&mut self, input: &[u8]) -> ReplyStep {
        let mut consumed = 0;
        loop {
            let step = self.reader.feed(input.get(consumed..).unwrap_or_default());
            consumed += step.consumed;
            let outcome = match step.outcome {
                LineOutcome::More => ReplyOutcome::More,
                LineOutcome::Defect(defect) => ReplyOutcome::Defect(defect.into()),
                LineOutcome::Line(line) => match one_line(line, self.begun, &mut self.text) {
                    Err(error) => ReplyOutcome::Defect(error),
                    Ok((begun, false)) => {
                        self.begun = Some(begun);
                        continue;
                    }
                    Ok(((code, _), true)) => {
                        self.begun = None;
                        ReplyOutcome::Reply(Reply { code, text: std::mem::take(&mut self.text) })
                    }
                },
            };
            return ReplyStep { consumed, outcome };
        }
    }
}

impl Default for ReplyReader {
    fn default() -> Self {
        Self::new()
    }
}

impl From<LineDefect> for ReplyError {
    fn from(defect: LineDefect) -> Self {
        match defect {
            LineDefect::TooLong | LineDefect::Endless => Self::LineTooLong,
            LineDefect::BareCr | LineDefect::BareLf => Self::BareLineEnd,
            LineDefect::Nul => Self::Nul,
            LineDefect::TlsHello => Self::NoCode,
        }
    }
}

/// Reads one line of a reply. Gives its code with the number of lines so far, and whether it is the last.
fn one_line(
    line: &[u8],
    begun: Option<(ReplyCode, usize)>,
    text: &mut String,
) -> Result<((ReplyCode, usize), bool), ReplyError> {
    let (digits, rest) = line.split_first_chunk::<3>().ok_or(ReplyError::NoCode)?;
    let [first @ b'2'..=b'5', second @ b'0'..=b'9', third @ b'0'..=b'9'] = *digits else {
        return Err(ReplyError::NoCode);
    };
    let value = |digit: u8| u16::from(digit - b'0');
    let code = ReplyCode(value(first) * 100 + value(second) * 10 + value(third));
    let (last, rest) = match rest.split_first() {
        None => (true, rest),
        Some((b' ', rest)) => (true, rest),
        Some((b'-', rest)) => (false, rest),
        Some(_) => return Err(ReplyError::NoCode),
    };
    let lines = match begun {
        Some((other, _)) if other != code => return Err(ReplyError::CodesDiffer),
        Some((_, lines)) if lines >= REPLY_LINES => return Err(ReplyError::TooManyLines),
        Some((_, lines)) => {
            text.push('\n');
            lines + 1
        }
        None => 1,
    };
    push_clean(rest, text);
    Ok(((code, lines), last))
}
