//! Chunked bodies (RFC 9112 §7.1), as they stream in.

/// Takes a chunked body apart.
#[derive(Clone, Debug, Default)]
pub struct ChunkReader {
    state: State,
    /// A line that is not complete.
    line: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Data(u64),
    DataEnd,
    Trailer,
    End,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkStep {
    /// More has to come.
    More,
    /// The body has ended, behind so many octets of what was given.
    End(usize),
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkDefect {
    /// No hexadecimal number where the length of a chunk should stand.
    #[error("a chunk without a length")]
    Length,
    /// Something between the end of a chunk and the end of its line.
    #[error("a chunk that is longer than it says")]
    Overrun,
    /// A line without an end.
    #[error("a line that is too long")]
    LongLine,
}

/// Octets of a line at most.
const MAX_LINE: usize = 4096;

impl ChunkReader {
    /// Takes the next octets; what is of the body goes to `sink`.
    pub fn feed(&mut self, mut octets: &[u8], mut sink: impl FnMut(&[u8])) -> Result<ChunkStep, ChunkDefect> {
        let all = octets.len();
        while self.state != State::End && !octets.is_empty() {
            if let State::Data(left) = self.state {
                let taken = octets.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let (data, rest) = octets.split_at_checked(taken).unwrap_or_default();
                sink(data);
                octets = rest;
                let left = left - taken as u64;
                self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                continue;
            }
            let taken = memchr::memchr(b'\n', octets).map_or(octets.len(), |at| at + 1);
            let (piece, rest) = octets.split_at_checked(taken).unwrap_or_default();
            self.line.extend_from_slice(piece);
            octets = rest;
            if self.line.len() > MAX_LINE {
                return Err(ChunkDefect::LongLine);
            }
            if self.line.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.state = self.line_ended(line.trim_ascii())?;
            }
        }
        Ok(if self.state == State::End { ChunkStep::End(all - octets.len()) } else { ChunkStep::More })
    }

    fn line_ended(&self, line: &[u8]) -> Result<State, ChunkDefect> {
        match self.state {
            State::Size => {
                let digits =
                    line.split(|octet| matches!(octet, b';' | b' ' | b'\t')).next().unwrap_or_default();
                let digits = std::str::from_utf8(digits).map_err(|_| ChunkDefect::Length)?;
                let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                let length = u64::from_str_radix(digits, 16).ok().filter(|_| plain);
                match length.ok_or(ChunkDefect::Length)? {
                    0 => Ok(State::Trailer),
                    length => Ok(State::Data(length)),
                }
            }
            State::DataEnd if line.is_empty() => Ok(State::Size),
            State::DataEnd => Err(ChunkDefect::Overrun),
            State::Trailer if line.is_empty() => Ok(State::End),
            state => Ok(state),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ChunkDefect, ChunkReader, ChunkStep};

    fn read(octets: &[u8], step: usize) -> (Result<ChunkStep, ChunkDefect>, Vec<u8>) {
        let (mut reader, mut body) = (ChunkReader::default(), Vec::new());
        let mut last = Ok(ChunkStep::More);
        for piece in octets.chunks(step) {
            last = reader.feed(piece, |data| body.extend_from_slice(data));
            if !matches!(last, Ok(ChunkStep::More)) {
                break;
            }
        }
        (last, body)
    }

    #[test]
    fn bodies_end_where_they_say_and_nowhere_else() {
        let body = b"5;ext=1\r\nhello\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nrest";
        for step in 1..body.len() {
            let (outcome, octets) = read(body, step);
            assert!(matches!(outcome, Ok(ChunkStep::End(_))), "{step} {outcome:?}");
            assert_eq!(octets, b"hello0123456789");
        }
        assert_eq!(read(body, usize::MAX).0, Ok(ChunkStep::End(body.len() - 4)));
        for (bad, defect) in [
            (&b"x\r\n"[..], ChunkDefect::Length),
            (b"\r\n", ChunkDefect::Length),
            (b"+5\r\nhello", ChunkDefect::Length),
            (b"10000000000000000\r\n", ChunkDefect::Length),
            (b"3\r\nhello\r\n", ChunkDefect::Overrun),
            (&[b'1'; 5000], ChunkDefect::LongLine),
        ] {
            assert_eq!(read(bad, 7).0, Err(defect), "{bad:?}");
        }
        assert_eq!(read(b"5\r\nhel", 2).0, Ok(ChunkStep::More));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..200), step in 1usize..50) {
            let _ = read(&octets, step);
        }
    }
}
