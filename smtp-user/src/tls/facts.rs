//! What was negotiated on a leg, from the library's connection.

use rustls::{CommonState, HandshakeKind, ProtocolVersion, SupportedCipherSuite};

use crate::model::tls_facts::TlsFacts;

/// Version, cipher suite and resumption of a connection whose handshake is done.
pub(crate) fn negotiated(connection: &CommonState) -> TlsFacts {
    let cipher = connection.negotiated_cipher_suite().map(cipher_name).unwrap_or_default();
    TlsFacts {
        version: connection.protocol_version().map(version_name).unwrap_or_default(),
        key_bits: key_bits(&cipher),
        cipher,
        resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        ..TlsFacts::default()
    }
}

fn version_name(version: ProtocolVersion) -> String {
    match version {
        ProtocolVersion::TLSv1_2 => "TLSv1.2".to_owned(),
        ProtocolVersion::TLSv1_3 => "TLSv1.3".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The library says `TLS13_` where IANA says `TLS_`.
fn cipher_name(suite: SupportedCipherSuite) -> String {
    let name = format!("{:?}", suite.suite());
    match name.strip_prefix("TLS13_") {
        Some(rest) => format!("TLS_{rest}"),
        None => name,
    }
}

/// Every suite that the library has is AES-128, AES-256 or `ChaCha20` with 256 bits.
fn key_bits(cipher: &str) -> u16 {
    if cipher.is_empty() {
        0
    } else if cipher.contains("AES_128") {
        128
    } else {
        256
    }
}
