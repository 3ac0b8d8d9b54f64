//! Files with Unix line ends: mail programs send them with CRLF.

use std::borrow::Cow;

/// Follows the line ends of a message in a file. The first one says what kind of file it is.
#[derive(Debug, Default)]
pub(super) struct UnixLines {
    is_unix: Option<bool>,
    /// The last octet so far.
    last: u8,
}

impl UnixLines {
    /// The octets as a mail program sends them: in a file whose first line ends with LF alone, every LF becomes CRLF. Nothing
    /// else is changed: what is wrong with a file is for the gateway to refuse.
    pub(super) fn as_sent<'o>(&mut self, octets: &'o [u8]) -> Cow<'o, [u8]> {
        if self.is_unix.is_none()
            && let Some(at) = memchr::memchr(b'\n', octets)
        {
            let before = at.checked_sub(1).map_or(Some(self.last), |at| octets.get(at).copied());
            self.is_unix = Some(before != Some(b'\r'));
        }
        let mut last = self.last;
        self.last = octets.last().copied().unwrap_or(last);
        if self.is_unix != Some(true) {
            return Cow::Borrowed(octets);
        }
        let mut sent = Vec::with_capacity(octets.len() + octets.len() / 32);
        for &octet in octets {
            if octet == b'\n' && last != b'\r' {
                sent.push(b'\r');
            }
            sent.push(octet);
            last = octet;
        }
        Cow::Owned(sent)
    }

    /// Whether lines end with LF alone.
    pub(super) fn were_unix(&self) -> bool {
        self.is_unix == Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::UnixLines;

    fn sent(octets: &[u8], piece: usize) -> Vec<u8> {
        let mut lines = UnixLines::default();
        octets.chunks(piece).flat_map(|piece| lines.as_sent(piece).into_owned()).collect()
    }

    #[test]
    fn unix_files_are_sent_with_crlf_and_others_as_they_are() {
        for (file, expected) in [
            ("a\nb\n\n.c", "a\r\nb\r\n\r\n.c"),
            ("\na\r\n", "\r\na\r\n"),
            ("a\r\nb\r\n", "a\r\nb\r\n"),
            ("a\r\nb\nc\r\n", "a\r\nb\nc\r\n"),
            ("no end", "no end"),
            ("", ""),
        ] {
            for piece in 1..=8 {
                assert_eq!(sent(file.as_bytes(), piece), expected.as_bytes(), "{file:?} by {piece}");
            }
        }
    }
}
