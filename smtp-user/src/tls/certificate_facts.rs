//! What a record says of a certificate, read from its DER.

use std::net::{Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use x509_parser::asn1_rs::Any;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::model::tls_facts::CertificateFacts;
use crate::tls::provider::{provider, sha256};
use crate::wire::hexadecimal::hexadecimal;

/// Alternative names told of one certificate, at most.
pub const MAX_NAMES: usize = 100;
/// Characters of one name told, at most.
pub const MAX_NAME_CHARS: usize = 1000;

/// Reads a certificate. One that cannot be read has a fingerprint all the same.
pub fn certificate_facts(der: &[u8]) -> CertificateFacts {
    let sha256 = hexadecimal(&sha256(der));
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return CertificateFacts { sha256, ..CertificateFacts::default() };
    };
    CertificateFacts {
        subject: bounded(&certificate.subject().to_string()),
        issuer: bounded(&certificate.issuer().to_string()),
        names: alternative_names(&certificate),
        not_before: time(certificate.validity().not_before.timestamp()),
        not_after: time(certificate.validity().not_after.timestamp()),
        sha256,
    }
}

/// Begin and end of a certificate's validity, seconds since 1970.
pub fn validity(der: &[u8]) -> Option<(i64, i64)> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some((certificate.validity().not_before.timestamp(), certificate.validity().not_after.timestamp()))
}

/// Whether a certificate was signed with the key of another one, both DER. Validity and purpose are not looked at.
pub fn is_signed_by(certificate: &[u8], issuer: &[u8]) -> bool {
    let (Ok((_, certificate)), Ok((_, issuer))) =
        (X509Certificate::from_der(certificate), X509Certificate::from_der(issuer))
    else {
        return false;
    };
    let key = issuer.public_key();
    // The algorithm's name is the content of the first sequence in the key's own.
    let content = |der| Any::from_der(der).map(|(_, any): (_, Any<'_>)| any.data);
    let Ok(name) = content(key.raw).and_then(content) else { return false };
    let signed = certificate.tbs_certificate.as_ref();
    provider().signature_verification_algorithms.all.iter().any(|algorithm| {
        algorithm.public_key_alg_id().as_ref() == name
            && algorithm
                .verify_signature(&key.subject_public_key.data, signed, &certificate.signature_value.data)
                .is_ok()
    })
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(bounded(name)),
        GeneralName::RFC822Name(mailbox) => Some(bounded(mailbox)),
        GeneralName::URI(uri) => Some(bounded(uri)),
        GeneralName::IPAddress(octets) => address(octets),
        _ => None,
    });
    names.take(MAX_NAMES).collect()
}

fn address(octets: &[u8]) -> Option<String> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return Some(Ipv4Addr::from(octets).to_string());
    }
    <[u8; 16]>::try_from(octets).ok().map(|octets| Ipv6Addr::from(octets).to_string())
}

fn time(seconds: i64) -> String {
    Timestamp::from_second(seconds).map(|time| time.to_string()).unwrap_or_default()
}

fn bounded(text: &str) -> String {
    text.chars().take(MAX_NAME_CHARS).map(|c| if c.is_control() { '?' } else { c }).collect()
}
