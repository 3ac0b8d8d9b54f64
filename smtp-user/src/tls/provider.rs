//! The one provider of cryptography, aws-lc-rs, and the versions taken.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use rustls::crypto::{self, CryptoProvider};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, SupportedProtocolVersion};

use crate::tls::config::MinVersion;

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    let mut provider = crypto::aws_lc_rs::default_provider();
    // Both are beyond breaking. What goes with it, SHA-256, has instructions of its own on the CPUs of today, which SHA-384
    // has not, and a handshake hashes more than a session encrypts.
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    Arc::new(provider)
});

/// The provider.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::clone(&PROVIDER)
}

/// The versions from a lowest one on.
pub(crate) fn versions(min: MinVersion) -> &'static [&'static SupportedProtocolVersion] {
    match min {
        MinVersion::Tls12 => &BOTH,
        MinVersion::Tls13 => &ONLY_13,
    }
}

static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
static ONLY_13: [&SupportedProtocolVersion; 1] = [&TLS13];

/// SHA-256.
pub(crate) fn sha256(octets: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest(&SHA256, octets).as_ref());
    sum
}

/// SHA-512.
pub(crate) fn sha512(octets: &[u8]) -> [u8; 64] {
    let mut sum = [0; 64];
    sum.copy_from_slice(digest(&SHA512, octets).as_ref());
    sum
}
