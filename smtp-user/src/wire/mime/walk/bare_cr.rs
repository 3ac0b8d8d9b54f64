//! Delimiter lines behind a CR alone, which no mail on its way has, and a message within another may have.

/// Looks for them in octets that stream in.
#[derive(Debug, Default)]
pub(super) struct BareCr {
    last: [u8; 2],
    found: bool,
}

const MARK: &[u8] = b"\r--";

impl BareCr {
    /// Looks at the next octets.
    pub(super) fn push(&mut self, octets: &[u8]) {
        for octet in octets.iter().take(2) {
            let [first, second] = self.last;
            self.found |= [first, second, *octet] == MARK;
            self.last = [second, *octet];
        }
        self.found = self.found || memchr::memmem::find(octets, MARK).is_some();
        if let [.., first, second] = octets {
            self.last = [*first, *second];
        }
    }

    /// Whether there was one.
    pub(super) const fn found(&self) -> bool {
        self.found
    }
}
