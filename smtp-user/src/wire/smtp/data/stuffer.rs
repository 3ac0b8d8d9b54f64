//! Mail data toward a next hop: puts a dot before each line that begins with one, and writes the end.

use memchr::memmem;

/// Writer of one message's data, fed slices cut anywhere. The message must have no line ends but CRLF.
#[derive(Debug)]
pub struct DotStuffer {
    /// The next octet begins a line.
    line_start: bool,
    /// Nothing was written yet.
    empty: bool,
}

impl DotStuffer {
    /// At the beginning of a message.
    pub const fn new() -> Self {
        Self { line_start: true, empty: true }
    }

    /// Appends octets of the message to `out` as they are to be sent.
    pub fn stuff(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let Some(&last) = input.last() else { return };
        if self.line_start && input.first() == Some(&b'.') {
            out.push(b'.');
        }
        let mut copied = 0;
        for line_feed in memmem::find_iter(input, b"\n.") {
            let dot = line_feed + 1;
            out.extend_from_slice(input.get(copied..dot).unwrap_or_default());
            out.push(b'.');
            copied = dot;
        }
        out.extend_from_slice(input.get(copied..).unwrap_or_default());
        self.line_start = last == b'\n';
        self.empty = false;
    }

    /// Appends the end of the data, with a CRLF before it if the message has none at its end.
    pub fn finish(self, out: &mut Vec<u8>) {
        if !self.empty && !self.line_start {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
    }
}

impl Default for DotStuffer {
    fn default() -> Self {
        Self::new()
    }
}
