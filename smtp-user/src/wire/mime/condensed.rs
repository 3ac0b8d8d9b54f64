//! A message without what no reader can take for structure, so that a second reader need not look at all of it.
//!
//! Every delimiter line begins with two hyphens (RFC 2046 §5.1.1), every field that MIME knows has one in its name, and
//! header sections end at an empty line. Where there is neither for long, there is the middle of a body, mostly base64: it is
//! left out but for its first and last octets, and what is found in the rest has its place in the message all the same.

/// Takes a message in blocks and keeps what may be structure.
#[derive(Debug, Default)]
pub struct Condensed {
    octets: Vec<u8>,
    /// Where octets were left out of [`octets`](Self::octets), and how many there and before.
    gaps: Vec<(u64, u64)>,
    /// Blocks without structure in a row, up to the last. The first of them ends within a line.
    quiet: u32,
    /// Where the last block begins in [`octets`](Self::octets).
    last: usize,
}

/// Octets of a block: of a long body, that many stay at its start and at its end, or twice as many.
pub const BLOCK: usize = 16 << 10;

impl Condensed {
    /// Takes the next octets as one block. It goes if it, the one before and the one behind it have no structure.
    pub fn push(&mut self, block: &[u8]) {
        let is_quiet = is_quiet(&self.octets, block);
        if is_quiet && self.quiet >= 2 {
            self.leave_out_last();
        }
        // Otherwise an empty line could come of what is left of two.
        let may_go_on = self.quiet > 0 || block.last().is_some_and(|octet| !octet.is_ascii_whitespace());
        self.quiet = if is_quiet && may_go_on { self.quiet + 1 } else { 0 };
        self.last = self.octets.len();
        self.octets.extend_from_slice(block);
    }

    fn leave_out_last(&mut self) {
        let more = (self.octets.len() - self.last) as u64;
        self.octets.truncate(self.last);
        let (at, before) = (self.last as u64, self.gaps.last().map_or(0, |(_, before)| *before));
        match self.gaps.last_mut() {
            Some(gap) if gap.0 == at => gap.1 += more,
            _ => self.gaps.push((at, before + more)),
        }
    }

    /// What is left.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// What is left, and where it was.
    pub fn into_parts(self) -> (Vec<u8>, Places) {
        (self.octets, Places(self.gaps))
    }
}

/// Where octets were in a message.
#[derive(Clone, Debug, Default)]
pub struct Places(Vec<(u64, u64)>);

impl Places {
    /// The place in the message of an octet of what is left.
    pub fn in_message(&self, place: u64) -> u64 {
        let before = self.0.partition_point(|(at, _)| *at <= place);
        let gap = before.checked_sub(1).and_then(|gap| self.0.get(gap));
        place + gap.map_or(0, |(_, octets)| *octets)
    }
}

/// Whether there is no hyphen, and no line that is empty or goes on with another one. The first line may have begun before.
fn is_quiet(before: &[u8], block: &[u8]) -> bool {
    let is_blank = |octet: Option<&u8>| octet.is_some_and(u8::is_ascii_whitespace);
    let at_line_start = before.ends_with(b"\n") || before.ends_with(b"\n\r");
    !(at_line_start && is_blank(block.first()))
        && memchr::memchr(b'-', block).is_none()
        && !memchr::memchr_iter(b'\n', block).any(|at| is_blank(block.get(at + 1)))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::{option, sample::select};

    use super::{BLOCK, Condensed};
    use crate::wire::mime::second_reader::{SeenPart, read};

    fn condensed(message: &[u8]) -> Condensed {
        let mut condensed = Condensed::default();
        message.chunks(BLOCK).for_each(|block| condensed.push(block));
        condensed
    }

    /// Lines of base64.
    fn lines(octets: usize) -> Vec<u8> {
        let line = [&[b'A'; 76][..], b"\r\n"].concat();
        line.iter().copied().cycle().take(octets).collect()
    }

    #[test]
    fn the_middle_of_a_long_body_goes_and_what_stays_has_its_place() {
        let message = [
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n".as_slice(),
            &lines(1 << 20),
            b"\r\n--b\r\n\r\n",
            &lines(2 << 20),
            b"\r\n--b--\r\n",
        ]
        .concat();
        let (octets, places) = condensed(&message).into_parts();
        assert!(octets.len() < 13 * BLOCK, "{}", octets.len());
        for hyphen in memchr::memchr_iter(b'-', &octets) {
            let place = usize::try_from(places.in_message(hyphen as u64)).unwrap();
            let some = &octets[hyphen..octets.len().min(hyphen + 8)];
            assert!(message[place..].starts_with(some), "{hyphen}");
        }
        assert_eq!(memchr::memchr_iter(b'-', &octets).count(), memchr::memchr_iter(b'-', &message).count());
        assert_eq!(places.in_message(octets.len() as u64), message.len() as u64);
    }

    #[test]
    fn whatever_may_be_structure_stays_where_it_is() {
        // At every place around the edges of the blocks.
        for what in ["-", "\r\n\r\n", "\n\n", "\n \n", "\n\tx"] {
            for at in (3 * BLOCK - 5..3 * BLOCK + 5).chain(5 * BLOCK - 5..5 * BLOCK + 5) {
                let mut message = lines(10 * BLOCK);
                message[at..at + what.len()].copy_from_slice(what.as_bytes());
                let (octets, places) = condensed(&message).into_parts();
                assert!(octets.len() < message.len());
                let found = memchr::memmem::find_iter(&octets, what)
                    .any(|found| places.in_message(found as u64) == at as u64);
                assert!(found, "{what:?} at {at}");
            }
        }
    }

    /// A part: its encoding, what it is, its octets, and those behind text that nearly is a delimiter.
    type Part = (usize, usize, usize, Option<usize>);

    fn message(parts: &[Part], end: &str) -> Vec<u8> {
        let mut message = b"Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n".to_vec();
        for (encoding, kind, octets, more) in parts {
            let encoding = ["base64", "7bit", "quoted-printable"][*encoding];
            message.extend(format!("--b\r\nContent-Transfer-Encoding: {encoding}\r\n").as_bytes());
            match kind {
                0 => message.extend(b"Content-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\n"),
                1 => message.extend([b"X-Long: ", vec![b'x'; 3 * BLOCK].as_slice(), b"\r\n\r\n"].concat()),
                _ => message.extend(b"\r\n"),
            }
            message.extend(lines(*octets));
            if let Some(octets) = more {
                message.extend(b"\r\nnearly --b\r\n\r\nand more\r\n");
                message.extend(lines(*octets));
            }
            message.extend(b"\r\n");
        }
        message.extend(end.as_bytes());
        message
    }

    proptest! {
        #[test]
        fn the_other_reader_sees_the_same_parts_in_what_is_left(
            parts in vec((0..3usize, 0..4usize, 0..12 * BLOCK, option::of(0..6 * BLOCK)), 1..4),
            end in select(&["", "--b--\r\n", "--b--\r\nbehind\r\n"][..]),
        ) {
            let message = message(&parts, end);
            let (octets, places) = condensed(&message).into_parts();
            let there = |place| places.in_message(place);
            let in_message = |part: SeenPart| SeenPart { body: there(part.body.start)..there(part.body.end) };
            let left: Option<Vec<_>> = read(&octets).map(|parts| parts.into_iter().map(in_message).collect());
            prop_assert_eq!(left, read(&message));
        }
    }

    #[test]
    fn what_is_short_or_restless_stays_whole() {
        let restless: Vec<u8> = b"well-known words\r\n".iter().copied().cycle().take(8 * BLOCK).collect();
        for message in [&b""[..], b"x", &lines(2 * BLOCK), &restless] {
            let (octets, places) = condensed(message).into_parts();
            assert_eq!(octets.len(), message.len());
            assert_eq!(places.in_message(message.len() as u64), message.len() as u64);
        }
    }
}
