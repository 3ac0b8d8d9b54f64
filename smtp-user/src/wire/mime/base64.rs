//! Base64, RFC 2045 §6.8, decoded while it streams in.
//!
//! The reading is the most tolerant one: everything outside the alphabet is skipped and a new quantum begins
//! after padding. Readers that stop earlier see a prefix of it. Both oddities are told.

/// Octets that are worth the attempt to decode them at once.
const MANY: usize = 256;

/// Decodes one body.
#[derive(Debug, Default)]
pub struct Base64Decoder {
    /// The bits of the quantum that is not complete.
    bits: u32,
    /// Characters in it, 0 to 3.
    count: u8,
    padded: bool,
    junk: bool,
    after_padding: bool,
}

impl Base64Decoder {
    /// Decodes the next octets and adds them to `out`.
    pub fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let mut rest = input;
        // A quantum that has begun, or ended early, ends first.
        while (self.count > 0 || self.padded)
            && let Some((octet, after)) = rest.split_first()
        {
            self.one(*octet, out);
            rest = after;
        }
        if rest.len() < MANY || !self.whole_lines(rest, out) {
            self.with_care(rest, out);
        }
    }

    /// Decodes many octets at once if there are only lines of the alphabet; says whether it did.
    fn whole_lines(&mut self, input: &[u8], out: &mut Vec<u8>) -> bool {
        let (start, mut begin) = (out.len(), 0);
        for end in memchr::memchr_iter(b'\n', input).chain(std::iter::once(input.len())) {
            let line = input.get(begin..end).unwrap_or_default();
            out.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
            begin = end + 1;
        }
        let quanta = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<4>().0.as_flattened_mut();
        let (end, decoded) = (start + quanta.len(), base64_simd::STANDARD_NO_PAD.decode_inplace(quanta));
        let Ok(octets) = decoded.map(|octets| octets.len()) else {
            out.truncate(start);
            return false;
        };
        let (mut left, mut count) = ([0; 3], 0);
        for (place, octet) in left.iter_mut().zip(out.get(end..).unwrap_or_default()) {
            (*place, count) = (*octet, count + 1);
        }
        out.truncate(start + octets);
        left.iter().take(count).for_each(|octet| self.one(*octet, out));
        true
    }

    fn one(&mut self, octet: u8, out: &mut Vec<u8>) {
        let mut room = [0; 3];
        let left = self.character(octet, &mut room).len();
        out.extend(room.iter().take(3 - left));
    }

    fn with_care(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + (input.len() / 4 + 1) * 3, 0);
        let mut room = out.get_mut(start..).unwrap_or_default();
        let free = room.len();
        let mut rest = input;
        while !rest.is_empty() {
            if self.count == 0 && !self.padded {
                (rest, room) = whole_quanta(rest, room);
            }
            let Some((&octet, after)) = rest.split_first() else { break };
            rest = after;
            room = self.character(octet, room);
        }
        let used = free - room.len();
        out.truncate(start + used);
    }

    /// Ends the body: an incomplete quantum gives what it holds.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let mut rest = [0; 2];
        let left = self.partial(&mut rest).len();
        out.extend(rest.iter().take(2 - left));
        self.count = 0;
    }

    /// Whether characters that do not belong there were skipped.
    pub const fn saw_junk(&self) -> bool {
        self.junk
    }

    /// Whether something followed the padding: readers that stop there do not see it.
    pub const fn saw_text_after_padding(&self) -> bool {
        self.after_padding
    }

    fn character<'r>(&mut self, octet: u8, room: &'r mut [u8]) -> &'r mut [u8] {
        let value = FIRST.get(usize::from(octet)).map_or(INVALID, |value| value >> 18);
        match octet {
            b'\r' | b'\n' | b' ' | b'\t' => room,
            b'=' if self.padded => room,
            b'=' if self.count >= 2 => {
                self.padded = true;
                let room = self.partial(room);
                self.count = 0;
                room
            }
            _ if value > 63 => {
                self.junk = true;
                room
            }
            _ => {
                self.after_padding |= self.padded;
                self.padded = false;
                self.bits = (self.bits << 6) | value;
                self.count += 1;
                if self.count < 4 {
                    return room;
                }
                let [_, a, b, c] = self.bits.to_be_bytes();
                (self.bits, self.count) = (0, 0);
                put(room, &[a, b, c])
            }
        }
    }

    /// Writes the whole octets of an incomplete quantum.
    fn partial<'r>(&mut self, room: &'r mut [u8]) -> &'r mut [u8] {
        let bits = std::mem::take(&mut self.bits);
        match self.count {
            2 => put(room, &[(bits >> 4) as u8]),
            3 => put(room, &[(bits >> 10) as u8, (bits >> 2) as u8]),
            _ => room,
        }
    }
}

fn put<'r>(room: &'r mut [u8], octets: &[u8]) -> &'r mut [u8] {
    let Some((place, rest)) = room.split_at_mut_checked(octets.len()) else { return &mut [] };
    place.copy_from_slice(octets);
    rest
}

/// Decodes quanta until one has something else than four characters of the alphabet.
fn whole_quanta<'i, 'r>(input: &'i [u8], room: &'r mut [u8]) -> (&'i [u8], &'r mut [u8]) {
    let mut quanta = 0;
    for (quantum, place) in input.as_chunks::<4>().0.iter().zip(room.as_chunks_mut::<3>().0) {
        let bits = look_up(*quantum);
        if bits >= INVALID {
            break;
        }
        let [_, a, b, c] = bits.to_be_bytes();
        *place = [a, b, c];
        quanta += 1;
    }
    let input = input.get(quanta * 4..).unwrap_or_default();
    (input, room.get_mut(quanta * 3..).unwrap_or_default())
}

#[inline]
fn look_up([a, b, c, d]: [u8; 4]) -> u32 {
    let of =
        |table: &'static [u32; 256], octet: u8| table.get(usize::from(octet)).copied().unwrap_or(INVALID);
    of(&FIRST, a) | of(&SECOND, b) | of(&THIRD, c) | of(&FOURTH, d)
}

/// Set in a table for what is not in the alphabet.
const INVALID: u32 = 1 << 24;
static FIRST: [u32; 256] = table(18);
static SECOND: [u32; 256] = table(12);
static THIRD: [u32; 256] = table(6);
static FOURTH: [u32; 256] = table(0);

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which would refuse a wrong index")]
const fn table(shift: u32) -> [u32; 256] {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [INVALID; 256];
    let mut value = 0;
    while value < alphabet.len() {
        table[alphabet[value] as usize] = (value as u32) << shift;
        value += 1;
    }
    table
}

#[cfg(test)]
mod tests;
