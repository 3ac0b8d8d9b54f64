//! Counts the hosts that a message went through: its `Received` fields (RFC 5321 §6.3), and those that a gateway took out of
//! it and left the number of. One that went through too many goes round in circles.

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
            if self.front.len() < FRONT {
                self.front.push(octet);
            }
        }
    }

    fn end_line(&mut self) {
        self.header_ended = self.line_octets == 0;
        let (is_received, _) = after(&self.front, RECEIVED);
        let (is_ours, number) = after(&self.front, TAKEN_OUT);
        let taken_out = std::str::from_utf8(number).ok().and_then(|number| number.trim().parse().ok());
        // Whoever forges one harms nobody else, and a number that is none counts as one host.
        let hosts = if is_ours { taken_out.unwrap_or(1) } else { u32::from(is_received) };
        self.count = self.count.saturating_add(hosts);
        self.front.clear();
        self.line_octets = 0;
    }

    /// How many there were.
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }
}

/// A line with so many `Received` fields fewer says so.
pub(crate) fn taken_out(count: usize) -> Vec<u8> {
    format!("{TAKEN_OUT} {count}\r\n").into_bytes()
}

/// Whether a line begins so, and what follows.
fn after<'l>(line: &'l [u8], field: &str) -> (bool, &'l [u8]) {
    let (front, rest) = line.split_at_checked(field.len()).unwrap_or((line, &[]));
    (front.eq_ignore_ascii_case(field.as_bytes()), rest)
}

const RECEIVED: &str = "Received:";
const TAKEN_OUT: &str = "X-Postern-Hops:";
/// Octets of a line that are looked at: the longer name and a number.
const FRONT: usize = 32;

#[cfg(test)]
mod tests {
    use super::{HopCounter, taken_out};

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

    #[test]
    fn fields_that_were_taken_out_still_count() {
        for (header, expected) in [
            ("X-Postern-Hops: 7\r\nReceived: a\r\n", 8),
            ("X-Postern-Hops: 7\r\nx-postern-hops:8\r\n", 15),
            ("X-Postern-Hops: many\r\n", 1),
            ("X-Postern-Hops: 99999999999\r\n", 1),
            ("X-Postern-Hops: 4294967295\r\nReceived: a\r\n", u32::MAX),
            (std::str::from_utf8(&taken_out(3)).unwrap(), 3),
        ] {
            let mut hops = HopCounter::default();
            hops.push(header.as_bytes());
            assert_eq!(hops.count(), expected, "{header}");
        }
    }
}
