//! Ends of lines.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    None,
    Cr,
    Lf,
    CrLf,
}

impl LineEnd {
    pub(super) const fn octets(self) -> &'static [u8] {
        match self {
            Self::None => b"",
            Self::Cr => b"\r",
            Self::Lf => b"\n",
            Self::CrLf => b"\r\n",
        }
    }
}

/// A line and its end.
pub(super) fn without_end(octets: &[u8]) -> (&[u8], LineEnd) {
    match octets {
        [line @ .., b'\r', b'\n'] => (line, LineEnd::CrLf),
        [line @ .., b'\n'] => (line, LineEnd::Lf),
        _ => (octets, LineEnd::None),
    }
}
