//! Quoted-printable, RFC 2045 §6.7, decoded while it streams in.
//!
//! What is no escape stays as it is: readers that drop it see less, and the raw octets are looked at anyway.
//! Blanks at the end of a line stay too; some readers delete them (§6.7 rule 3) and others do not, and what
//! is looked for has none.

/// Decodes one body.
#[derive(Debug, Default)]
pub struct QuotedPrintableDecoder {
    /// An escape that is not complete, from its `=` on.
    escape: Vec<u8>,
}

impl QuotedPrintableDecoder {
    /// Decodes the next octets and adds them to `out`.
    pub fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let mut rest = input;
        loop {
            if self.escape.is_empty() {
                let Some(at) = memchr::memchr(b'=', rest) else {
                    out.extend_from_slice(rest);
                    return;
                };
                let (plain, from) = rest.split_at(at);
                out.extend_from_slice(plain);
                if let [_, high, low, after @ ..] = from
                    && let (Some(high), Some(low)) = (digit(*high), digit(*low))
                {
                    out.push((high << 4) | low);
                    rest = after;
                    continue;
                }
                self.escape.push(b'=');
                rest = from.get(1..).unwrap_or_default();
            }
            let Some((&octet, after)) = rest.split_first() else { return };
            if self.take(octet, out) {
                rest = after;
            }
        }
    }

    /// Ends the body. A `=` at its end is a soft line break.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.escape.get(1).is_some_and(|octet| digit(*octet).is_some()) {
            out.append(&mut self.escape);
        }
        self.escape.clear();
    }

    /// Takes an octet of an escape; `false` if it does not belong to one any more.
    fn take(&mut self, octet: u8, out: &mut Vec<u8>) -> bool {
        match (self.escape.as_slice(), octet) {
            ([_, high], low) if digit(*high).is_some() && digit(low).is_some() => {
                out.extend(digit(*high).zip(digit(low)).map(|(high, low)| (high << 4) | low));
                self.escape.clear();
                true
            }
            ([_], _) if digit(octet).is_some() => {
                self.escape.push(octet);
                true
            }
            ([_, blanks @ ..], b' ' | b'\t' | b'\r')
                // Where the last is one, all are: each octet is looked at once.
                if blanks.len() < MAX_PADDING && blanks.last().is_none_or(|last| matches!(last, b' ' | b'\t')) =>
            {
                self.escape.push(octet);
                true
            }
            ([_, padding @ ..], b'\n')
                if padding.iter().all(|octet| matches!(octet, b' ' | b'\t' | b'\r')) =>
            {
                self.escape.clear();
                true
            }
            _ => {
                out.append(&mut self.escape);
                false
            }
        }
    }
}

/// Blanks between `=` and the line's end that still make a soft line break.
const MAX_PADDING: usize = 1000;

const fn digit(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
