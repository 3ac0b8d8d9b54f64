//! TLSA records (RFC 6698) as DNS has them, and what they ask of a next hop.

/// A TLSA record, whether or not anything can be made of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsaRecord {
    /// Whose certificate it is about: 2 a trust anchor's (DANE-TA), 3 the next hop's own (DANE-EE).
    pub usage: u8,
    /// Which part of it: 0 all, 1 the public key.
    pub selector: u8,
    /// In which form: 0 itself, 1 SHA-256, 2 SHA-512.
    pub matching: u8,
    /// The part in that form.
    pub data: Vec<u8>,
}

/// What a host's TLSA records, all of them vouched for, ask of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaneDemand {
    /// At least one.
    pub records: Vec<TlsaRecord>,
    /// The name that the records were found at, without port and protocol: what the host is asked for (RFC 7672 §8.1).
    pub base: String,
    /// Reference identifiers: one of these must be in a certificate that a trust anchor signed (RFC 7672 §3.2.2).
    pub names: Vec<String>,
}
