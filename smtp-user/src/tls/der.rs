//! Writes the little DER (X.690) that a certificate needs. Nothing is read here.

/// Universal and context tags used in certificates.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    /// `[0]` around other DER.
    pub(crate) const EXPLICIT_0: u8 = 0xa0;
    /// `[3]` around other DER.
    pub(crate) const EXPLICIT_3: u8 = 0xa3;
}

/// Object identifiers, with tag and length.
pub(crate) mod oid {
    pub(crate) const ECDSA_WITH_SHA256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    pub(crate) const ECDSA_WITH_SHA384: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
    pub(crate) const ECDSA_WITH_SHA512: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4];
    pub(crate) const RSA_WITH_SHA256: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
    pub(crate) const ED25519: &[u8] = &[0x06, 3, 0x2b, 0x65, 0x70];
    pub(crate) const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x06, 3, 0x55, 0x1d, 14];
    pub(crate) const KEY_USAGE: &[u8] = &[0x06, 3, 0x55, 0x1d, 15];
    pub(crate) const SUBJECT_ALT_NAME: &[u8] = &[0x06, 3, 0x55, 0x1d, 17];
    pub(crate) const BASIC_CONSTRAINTS: &[u8] = &[0x06, 3, 0x55, 0x1d, 19];
    pub(crate) const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x06, 3, 0x55, 0x1d, 35];
    pub(crate) const EXTENDED_KEY_USAGE: &[u8] = &[0x06, 3, 0x55, 0x1d, 37];
    pub(crate) const SERVER_AUTH: &[u8] = &[0x06, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
}

/// NULL, with tag and length.
pub(crate) const NULL: &[u8] = &[0x05, 0];

/// One value: tag, length, content.
pub(crate) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    out.push(tag);
    let length = content.len().to_be_bytes();
    let significant = length.iter().skip_while(|&&octet| octet == 0);
    if content.len() < 0x80 {
        out.push(content.len() as u8);
    } else {
        out.push(0x80 | significant.clone().count() as u8);
        out.extend(significant);
    }
    out.extend_from_slice(content);
    out
}

/// One value around others.
pub(crate) fn around(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    value(tag, &parts.concat())
}

/// A SEQUENCE.
pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    around(tag::SEQUENCE, parts)
}

/// A BIT STRING of whole octets.
pub(crate) fn bit_string(octets: &[u8]) -> Vec<u8> {
    around(tag::BIT_STRING, &[&[0], octets])
}

/// A positive INTEGER of big-endian octets; the first must not be zero.
pub(crate) fn positive_integer(octets: &[u8]) -> Vec<u8> {
    let sign: &[u8] = if octets.first().is_some_and(|octet| octet & 0x80 != 0) { &[0] } else { &[] };
    around(tag::INTEGER, &[sign, octets])
}

/// An X.509 extension.
pub(crate) fn extension(oid: &[u8], critical: bool, content: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[tag::BOOLEAN, 1, 0xff] } else { &[] };
    sequence(&[oid, critical, &value(tag::OCTET_STRING, content)])
}

#[cfg(test)]
mod tests {
    use super::{bit_string, positive_integer, sequence, value};

    #[test]
    fn lengths_have_the_shortest_form() {
        assert_eq!(value(4, &[7]), [4, 1, 7]);
        assert_eq!(value(4, &[0; 127])[..2], [4, 127]);
        assert_eq!(value(4, &[0; 128])[..3], [4, 0x81, 128]);
        assert_eq!(value(4, &[0; 256])[..4], [4, 0x82, 1, 0]);
        assert_eq!(value(4, &vec![0; 65_536])[..5], [4, 0x83, 1, 0, 0]);
    }

    #[test]
    fn numbers_stay_positive() {
        assert_eq!(positive_integer(&[0x7f]), [2, 1, 0x7f]);
        assert_eq!(positive_integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(sequence(&[&bit_string(&[5]), &[5, 0]]), [0x30, 6, 3, 2, 0, 5, 5, 0]);
    }
}
