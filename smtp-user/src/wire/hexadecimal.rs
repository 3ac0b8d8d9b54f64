//! Octets as hexadecimal digits: digests, keys and names in records, control files and messages.

use data_encoding::HEXLOWER;

/// Lower-case hexadecimal, two digits for each octet.
pub fn hexadecimal(octets: &[u8]) -> String {
    HEXLOWER.encode(octets)
}

#[cfg(test)]
mod tests {
    use super::hexadecimal;

    #[test]
    fn every_octet_has_two_digits() {
        assert_eq!(hexadecimal(&[]), "");
        assert_eq!(hexadecimal(&[0, 0x0f, 0xa0, 0xff]), "000fa0ff");
    }
}
