//! Counts the `Received` fields of a message (RFC 5321 §6.3): one that has too many goes round in circles.

/// Counts fields while the octets of a message come by.
#[derive(Clone, Debug, Default)]
pub(crate) struct HopCounter {
    count: u32,
    /// The front of the line that is coming by.
    front: Vec<u8>,
    line_octets: usize,
    header_ended: bool,
}

impl HopCounter {
    /// Takes the next octets.
    pub(crate) fn push(&mut self, octets: &[u8]) {
        for &octet in octets {
            if self.header_ended {
                return;
            }
            if octet == b'\n' {
                self.end_line();
                continue;
            }
            if octet != b'\r' {
                self.line_octets += 1;
            }
            if self.front.len() < FIELD.len() {
                self.front.push(octet);
            }
        }
    }

    fn end_line(&mut self) {
        self.header_ended = self.line_octets == 0;
        self.count += u32::from(self.front.eq_ignore_ascii_case(FIELD));
        self.front.clear();
        self.line_octets = 0;
    }

    /// How many there were.
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }
}

const FIELD: &[u8] = b"Received:";

#[cfg(test)]
mod tests {
    use super::HopCounter;

    #[test]
    fn fields_of_the_header_count_however_the_octets_come() {
        let message =
            b"Received: a\r\n\tby b\r\nreceived:\r\nX-Received: c\r\nRECEIVED: d\r\n\r\nReceived: e\r\n";
        for piece in 1..=message.len() {
            let mut hops = HopCounter::default();
            message.chunks(piece).for_each(|octets| hops.push(octets));
            assert_eq!(hops.count(), 3, "{piece}");
        }
    }
}
