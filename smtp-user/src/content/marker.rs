//! Octets that mark a container wherever they stand, looked for while content streams by.
//!
//! Most content is told by how it begins. What is listed here is told by something further in: an archive
//! behind a picture, a file written into a text. A mark alone proves nothing; it says that the whole is
//! worth a look.

use std::sync::LazyLock;

use aho_corasick::packed::Searcher;

/// Marks. None is shorter than four octets, so that chance seldom makes one.
const MARKS: [&[u8]; 23] = [
    // The end of a zip's directory.
    b"PK\x05\x06",
    b"Rar!\x1a\x07",
    b"7z\xbc\xaf\x27\x1c",
    b"MSCF\0\0\0\0",
    b"\nbegin ",
    b"\nbegin-base64 ",
    b"\n=ybegin ",
    b"\x01CD001\x01",
    b"\0BEA01\x01",
    b"-----BEGIN PGP MESSAGE",
    b"-----BEGIN PGP ARMORED",
    b"(This file must be converted with BinHex",
    // Scripts that make files, and files in addresses.
    b"createObjectURL",
    b"msSaveBlob",
    b"msSaveOrOpenBlob",
    b"new Blob",
    b"data:application/",
    b"data:text/",
    b"data:,",
    b";base64,",
    b"BASE64:",
    b"atob(",
    b"ENCODING=B",
];

/// Octets of the longest mark but one.
const SEAM: usize = 39;

static SEARCHER: LazyLock<Option<Searcher>> = LazyLock::new(|| Searcher::new(MARKS));

/// Looks for marks in octets that stream in.
#[derive(Clone, Debug)]
pub struct MarkMatcher {
    /// The last octets.
    last: [u8; SEAM],
    filled: usize,
    found: bool,
}

impl Default for MarkMatcher {
    fn default() -> Self {
        // The start counts as a start of a line.
        let mut last = [0; SEAM];
        if let Some(first) = last.first_mut() {
            *first = b'\n';
        }
        Self { last, filled: 1, found: false }
    }
}

impl MarkMatcher {
    /// Looks at the next octets.
    pub fn push(&mut self, octets: &[u8]) {
        if self.found || octets.is_empty() {
            return;
        }
        let mut seam = [0; 2 * SEAM];
        let new = octets.len().min(SEAM);
        let parts = (seam.get_mut(..self.filled), self.last.get(..self.filled));
        if let (Some(place), Some(last)) = parts {
            place.copy_from_slice(last);
        }
        if let (Some(place), Some(octets)) = (seam.get_mut(self.filled..self.filled + new), octets.get(..new))
        {
            place.copy_from_slice(octets);
        }
        let seam = seam.get(..self.filled + new).unwrap_or_default();
        self.found = has_mark(seam) || has_mark(octets);
        let tail = if octets.len() >= SEAM { octets } else { seam };
        let tail = tail.get(tail.len().saturating_sub(SEAM)..).unwrap_or_default();
        if let Some(place) = self.last.get_mut(..tail.len()) {
            place.copy_from_slice(tail);
        }
        self.filled = tail.len();
    }

    /// Whether there was one.
    pub const fn found(&self) -> bool {
        self.found
    }
}

/// Whether a mark is in octets that are there at once.
pub(super) fn is_marked(octets: &[u8]) -> bool {
    octets.starts_with(b"begin") || octets.starts_with(b"=ybegin ") || has_mark(octets)
}

fn has_mark(octets: &[u8]) -> bool {
    match &*SEARCHER {
        Some(searcher) => searcher.find(octets).is_some(),
        // Processors without the instructions for it.
        None => MARKS.iter().any(|mark| memchr::memmem::find(octets, mark).is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::{MARKS, MarkMatcher};

    #[test]
    fn marks_are_found_wherever_pieces_end() {
        for mark in MARKS {
            for before in [0, 1, 3, 50] {
                let text = [&b"x".repeat(before), mark, b"yz".as_slice()].concat();
                for step in 1..=text.len() {
                    let mut matcher = MarkMatcher::default();
                    text.chunks(step).for_each(|piece| matcher.push(piece));
                    assert!(matcher.found(), "{mark:?} {before} {step}");
                }
                let mut matcher = MarkMatcher::default();
                matcher.push(&text[..before + mark.len() - 1]);
                assert!(!matcher.found(), "{mark:?}");
            }
        }
    }

    #[test]
    fn a_text_may_begin_with_one() {
        let mut matcher = MarkMatcher::default();
        matcher.push(b"begin 644 a");
        assert!(matcher.found());
    }
}
