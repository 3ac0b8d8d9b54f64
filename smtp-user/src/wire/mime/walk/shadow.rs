//! Lines of a body that some readers take for a header section.

use crate::wire::mime::header_section::looks_like_mime_field;

/// Looks for MIME fields in lines of a body.
#[derive(Debug)]
pub(super) struct Shadow {
    line: Vec<u8>,
    /// To the end of the body, and not to the first empty line; a CR ends a line too.
    is_whole: bool,
}

impl Shadow {
    /// The header section was cut, and some readers go on to its empty line.
    pub(super) const fn of_header() -> Self {
        Self { line: Vec::new(), is_whole: false }
    }

    /// The body is text outside the parts, in which some readers see parts.
    pub(super) const fn of_outside() -> Self {
        Self { line: Vec::new(), is_whole: true }
    }

    /// Whether it goes to the end of the body.
    pub(super) const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Looks at the next octets: whether there is a MIME field, or that there is no more to look for.
    pub(super) fn look(&mut self, octets: &[u8]) -> Looked {
        let is_whole = self.is_whole;
        let ends = |octet: &u8| *octet == b'\n' || is_whole && *octet == b'\r';
        for piece in octets.split_inclusive(ends) {
            let room = SHADOW_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(piece.get(..piece.len().min(room)).unwrap_or_default());
            if !piece.last().is_some_and(ends) {
                return Looked::GoOn;
            }
            if !is_whole && self.line.iter().all(|octet| matches!(octet, b'\r' | b'\n')) {
                return Looked::Nothing;
            }
            if looks_like_mime_field(&self.line) {
                return Looked::Field;
            }
            self.line.clear();
        }
        Looked::GoOn
    }
}

/// What came of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// There is a field.
    Field,
    /// There is none, and no more to look at.
    Nothing,
    /// There is none so far.
    GoOn,
}

/// Octets at the start of a line that tell a MIME field.
const SHADOW_LINE: usize = 128;
