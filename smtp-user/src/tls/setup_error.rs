//! What is wrong with certificates, keys and trust anchors when they are loaded.

/// Why TLS of a resource, or the inspection CA, cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsSetupError {
    /// Another file, or a key where the chain should be.
    #[error("there is no certificate in it")]
    NoCertificate,
    /// Another file, or the chain where the key should be.
    #[error("there is no private key in it")]
    NoKey,
    /// Not PEM, or cut short.
    #[error("it is not a readable PEM file")]
    Pem,
    /// Not DER within the PEM, or cut short.
    #[error("its certificate {number} cannot be read")]
    Certificate {
        /// Counted from 1.
        number: usize,
    },
    /// An encrypted key, or of a kind that TLS has no use for.
    #[error(
        "its private key cannot be used: it is encrypted, or neither RSA, ECDSA (P-256, P-384, P-521) nor Ed25519"
    )]
    Key,
    /// The files of two servers, or of two years.
    #[error("the private key does not belong to the certificate (the first one, if there are several)")]
    KeyMismatch,
    /// PKCS#12 with another password, or a damaged file.
    #[error("it is a PKCS#12 file that cannot be opened with the password given")]
    Pkcs12,
    /// A certificate that may not sign others.
    #[error("its certificate is not that of a CA")]
    NotCa,
    /// The system's folder of certificates is empty, and a resource is to be verified.
    #[error("the system has no trust anchors")]
    NoTrustAnchors,
    /// What the library says.
    #[error("the TLS library refuses it: {0}")]
    Library(String),
}
