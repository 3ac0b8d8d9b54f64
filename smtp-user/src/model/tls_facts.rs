//! What is known of a leg's TLS.

use serde::{Deserialize, Serialize};

/// What was negotiated on one leg.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFacts {
    /// As in `TLSv1.3`.
    pub version: String,
    /// IANA's name of the cipher suite, as in `TLS_AES_128_GCM_SHA256`.
    pub cipher: String,
    /// Secret bits of the cipher.
    pub key_bits: u16,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// Server name that the client asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// The peer's certificate; on the client leg, the one that was shown to the originator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateFacts>,
    /// Whether the peer's certificate was verified, and if not, why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<String>,
}

/// What a record says of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFacts {
    /// Distinguished name of the subject.
    pub subject: String,
    /// Distinguished name of the issuer.
    pub issuer: String,
    /// Subject alternative names.
    pub names: Vec<String>,
    /// RFC 3339.
    pub not_before: String,
    /// RFC 3339.
    pub not_after: String,
    /// Of the DER octets, hexadecimal.
    pub sha256: String,
}
