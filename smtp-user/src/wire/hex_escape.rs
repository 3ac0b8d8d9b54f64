//! Octets written as a mark and two hexadecimal digits: `%41` in addresses (RFC 3986 §2.1) and parameters (RFC 2231 §4),
//! `+41` in xtext (RFC 3461 §4).

/// Every escape becomes its octet. A mark that no two digits follow stays as it is.
pub fn decode(mark: u8, text: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((&octet, behind)) = rest.split_first() {
        let digits = behind.split_first_chunk::<2>().filter(|_| octet == mark);
        let escaped = digits.and_then(|(digits, behind)| Some((of_digits(*digits)?, behind)));
        let (octet, behind) = escaped.unwrap_or((octet, behind));
        out.push(octet);
        rest = behind;
    }
    out
}

fn of_digits([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn escapes_become_octets_and_the_rest_stays() {
        for (mark, text, expected) in [
            (b'%', "", ""),
            (b'%', "a%62%63d", "abcd"),
            (b'%', "%4a%4A%00", "JJ\0"),
            (b'%', "100%", "100%"),
            (b'%', "%4", "%4"),
            (b'%', "%%41", "%A"),
            (b'%', "%zz%4z%41", "%zz%4zA"),
            (b'+', "a+3Db+2B%41", "a=b+%41"),
        ] {
            assert_eq!(decode(mark, text.as_bytes()), expected.as_bytes(), "{text}");
        }
        assert_eq!(decode(b'%', b"%ff"), [0xff]);
    }

    #[test]
    fn a_sign_is_no_digit() {
        assert_eq!(decode(b'%', b"%+5%-1"), b"%+5%-1");
        assert_eq!(decode(b'+', b"++4"), b"++4");
    }
}
