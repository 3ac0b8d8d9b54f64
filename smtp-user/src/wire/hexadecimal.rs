//! Octets as hexadecimal digits, and back: digests, keys and names in records, control files, lists and messages.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

/// Lower-case hexadecimal, two digits for each octet.
pub fn hexadecimal(octets: &[u8]) -> String {
    HEXLOWER.encode(octets)
}

/// The octets of hexadecimal digits in either case; `None` if they are anything else, or an odd number.
pub fn from_hexadecimal(digits: &str) -> Option<Vec<u8>> {
    HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::{from_hexadecimal, hexadecimal};

    #[test]
    fn every_octet_has_two_digits() {
        assert_eq!(hexadecimal(&[]), "");
        assert_eq!(hexadecimal(&[0, 0x0f, 0xa0, 0xff]), "000fa0ff");
    }

    #[test]
    fn digits_are_read_in_either_case_and_nothing_else_is() {
        assert_eq!(from_hexadecimal("000fA0fF"), Some(vec![0, 0x0f, 0xa0, 0xff]));
        for wrong in ["0", "0g", "+f", " 0f", "0f\n"] {
            assert_eq!(from_hexadecimal(wrong), None, "{wrong:?}");
        }
    }
}
