//! Chunks (RFC 3030): the argument of BDAT, and the octets behind it.
//!
//! Chunks are counted, so nothing in them ends them. Their line ends are looked at all the same: without
//! BINARYMIME, which is never offered, a message is lines (RFC 3030 §3), and what leaves the gateway is CRLF.

use memchr::memchr3;

use super::data::{DataDefect, LineEnds};

/// Argument of BDAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Octets that follow the command.
    pub octets: u64,
    /// It is the message's last.
    pub last: bool,
}

/// The argument of BDAT is not `size` or `size LAST`, and so nobody can tell where its octets end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("BDAT needs a size of at most 19 digits, and nothing but LAST behind it")]
pub struct InvalidChunk;

impl Chunk {
    /// Reads what stands behind `BDAT` and one space.
    pub fn parse(argument: &[u8]) -> Result<Self, InvalidChunk> {
        let mut words = argument.split(|&octet| octet == b' ');
        let size = words.next().unwrap_or_default();
        let last = match words.next() {
            None => false,
            Some(word) if word.eq_ignore_ascii_case(b"LAST") => true,
            Some(_) => return Err(InvalidChunk),
        };
        if words.next().is_some() || size.is_empty() || size.len() > 19 {
            return Err(InvalidChunk);
        }
        let mut octets = 0_u64;
        for &digit in size {
            if !digit.is_ascii_digit() {
                return Err(InvalidChunk);
            }
            // 19 digits always fit.
            octets = octets * 10 + u64::from(digit - b'0');
        }
        Ok(Self { octets, last })
    }
}

/// Receiver of one message's chunks, fed slices cut anywhere. Holds a CR at most.
#[derive(Debug)]
pub struct ChunkReceiver {
    line_ends: LineEnds,
    limit: u64,
    octets: u64,
    /// The last octet was a CR, not yet handed on.
    cr: bool,
    defect: Option<DataDefect>,
}

impl ChunkReceiver {
    /// For a message of at most `limit` octets.
    pub const fn new(limit: u64, line_ends: LineEnds) -> Self {
        Self { line_ends, limit, octets: 0, cr: false, defect: None }
    }

    /// Octets handed on so far.
    pub const fn octets(&self) -> u64 {
        self.octets
    }

    /// Takes octets of chunks, and appends them to `out`. Gives the first defect of the message when it meets it;
    /// octets are thrown away from there on.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> Option<DataDefect> {
        if self.defect.is_some() {
            return None;
        }
        let mut at = 0;
        while self.defect.is_none() {
            let rest = input.get(at..).unwrap_or_default();
            let Some(&next) = rest.first() else { break };
            at += match (self.cr, next) {
                (true, b'\n') => {
                    self.cr = false;
                    self.emit(b"\r\n", out);
                    1
                }
                (true, _) => {
                    self.bare(DataDefect::BareCr, out);
                    0
                }
                (false, _) => self.text(rest, out),
            };
        }
        self.defect
    }

    /// Ends the message. Gives a defect if it ends in the middle of a line end.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Option<DataDefect> {
        if self.defect.is_some() || !self.cr {
            return None;
        }
        self.bare(DataDefect::BareCr, out);
        self.defect
    }

    /// Takes whole lines in one go, and then one octet that could mean something.
    fn text(&mut self, rest: &[u8], out: &mut Vec<u8>) -> usize {
        let mut end = 0;
        loop {
            let tail = rest.get(end..).unwrap_or_default();
            let Some(length) = memchr3(b'\r', b'\n', 0, tail) else {
                self.emit(rest, out);
                return rest.len();
            };
            end += length;
            match (tail.get(length), tail.get(length + 1)) {
                (Some(b'\r'), Some(b'\n')) => end += 2,
                (special, _) => {
                    self.emit(rest.get(..end).unwrap_or_default(), out);
                    match special {
                        Some(b'\r') => self.cr = true,
                        Some(b'\n') => self.bare(DataDefect::BareLf, out),
                        _ => self.defect = self.defect.or(Some(DataDefect::Nul)),
                    }
                    return end + 1;
                }
            }
        }
    }

    fn bare(&mut self, defect: DataDefect, out: &mut Vec<u8>) {
        self.cr = false;
        match self.line_ends {
            LineEnds::Refuse => self.defect = self.defect.or(Some(defect)),
            LineEnds::Normalise => self.emit(b"\r\n", out),
        }
    }

    fn emit(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let length = octets.len() as u64;
        if self.octets.saturating_add(length) > self.limit {
            self.defect = self.defect.or(Some(DataDefect::TooLarge));
        }
        if self.defect.is_none() {
            self.octets += length;
            out.extend_from_slice(octets);
        }
    }
}

#[cfg(test)]
mod tests;
