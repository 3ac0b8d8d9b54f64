//! Whether a chain of certificates is what TLSA records say (RFC 6698, RFC 7671, RFC 7672 §3): a pure function.
//!
//! Records and chains are alternatives: one record that fits is enough. The certificates of public CAs mean nothing here.

use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::pki_types::{CertificateDer, Der, ServerName, TrustAnchor, UnixTime};
use rustls::server::ParsedCertificate;
use x509_parser::asn1_rs::Any;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};

use crate::model::tlsa::TlsaRecord;
use crate::tls::certificate_facts::validity;
use crate::tls::error::CertificateDefect;
use crate::tls::provider::{provider, sha256, sha512};

/// What fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DaneMatch {
    /// A record DANE-EE(3), the next hop's own certificate. Its names and its validity mean nothing (RFC 7672 §3.1.1).
    EndEntity,
    /// A record DANE-TA(2), a certificate that the next hop's own was signed with, for one of the names.
    TrustAnchor,
}

const DANE_TA: u8 = 2;
const DANE_EE: u8 = 3;
const WHOLE: u8 = 0;
const PUBLIC_KEY: u8 = 1;
const EXACT: u8 = 0;
const SHA256: u8 = 1;
const SHA512: u8 = 2;

/// Whether a record can be used at all. Those of the usages 0 and 1 cannot (RFC 7672 §3.1.3); if there are only such that
/// cannot, encryption is all that is asked.
pub fn is_usable(record: &TlsaRecord) -> bool {
    let of_mail = matches!(record.usage, DANE_TA | DANE_EE);
    let is_sound = match (record.selector, record.matching) {
        (WHOLE, EXACT) => X509Certificate::from_der(&record.data).is_ok_and(|(rest, _)| rest.is_empty()),
        (PUBLIC_KEY, EXACT) => {
            SubjectPublicKeyInfo::from_der(&record.data).is_ok_and(|(rest, _)| rest.is_empty())
        }
        (WHOLE | PUBLIC_KEY, SHA256) => record.data.len() == 32,
        (WHOLE | PUBLIC_KEY, SHA512) => record.data.len() == 64,
        _ => false,
    };
    of_mail && is_sound
}

/// Verifies a chain, the next hop's own certificate first, by records of which at least one is usable. `names` are those
/// of which one must be in a certificate that a trust anchor signed.
pub fn verify(
    records: &[TlsaRecord],
    chain: &[CertificateDer<'_>],
    names: &[String],
    now: UnixTime,
) -> Result<DaneMatch, CertificateDefect> {
    let Some((end_entity, issuers)) = chain.split_first() else { return Err(CertificateDefect::Malformed) };
    let records = strongest(records);
    if records.iter().any(|record| record.usage == DANE_EE && fits(record, end_entity)) {
        return Ok(DaneMatch::EndEntity);
    }
    let anchors: Vec<&TlsaRecord> =
        records.into_iter().filter(|record| record.usage == DANE_TA && !fits(record, end_entity)).collect();
    let roots = roots(&anchors, chain, now)?;
    verify_by_anchors(&roots, end_entity, issuers, names, now)?;
    Ok(DaneMatch::TrustAnchor)
}

/// The usable ones, without digests where the same is said by a stronger one (RFC 7671 §9).
fn strongest(records: &[TlsaRecord]) -> Vec<&TlsaRecord> {
    let usable: Vec<&TlsaRecord> = records.iter().filter(|record| is_usable(record)).collect();
    let is_beaten = |weak: &TlsaRecord| {
        weak.matching == SHA256
            && usable.iter().any(|strong| {
                strong.matching == SHA512 && strong.usage == weak.usage && strong.selector == weak.selector
            })
    };
    usable.iter().copied().filter(|record| !is_beaten(record)).collect()
}

/// Whether a record is about a certificate.
fn fits(record: &TlsaRecord, certificate: &[u8]) -> bool {
    let part = match record.selector {
        WHOLE => Some(certificate),
        PUBLIC_KEY => public_key_of(certificate),
        _ => None,
    };
    let Some(part) = part else { return false };
    match record.matching {
        EXACT => part == record.data,
        SHA256 => sha256(part).as_slice() == record.data,
        SHA512 => sha512(part).as_slice() == record.data,
        _ => false,
    }
}

/// `SubjectPublicKeyInfo` of a certificate, DER.
pub(crate) fn public_key_of(certificate: &[u8]) -> Option<&[u8]> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate.subject_pki.raw)
}

/// Whom the records say to believe: issuers in the chain that they are about, and what they have in full themselves.
fn roots(
    anchors: &[&TlsaRecord],
    chain: &[CertificateDer<'_>],
    now: UnixTime,
) -> Result<RootCertStore, CertificateDefect> {
    let mut roots = RootCertStore::empty();
    let mut defect = CertificateDefect::TlsaMismatch;
    let shown = chain.iter().skip(1).filter(|issuer| anchors.iter().any(|record| fits(record, issuer)));
    let told = anchors.iter().filter(|record| (record.selector, record.matching) == (WHOLE, EXACT));
    let told = told.map(|record| record.data.as_slice());
    for certificate in shown.map(AsRef::as_ref).chain(told) {
        match validity_defect(certificate, now) {
            // The library asks nothing of trust anchors, and these are no others' than the next hop's.
            Some(out_of_date) => defect = out_of_date,
            None if roots.add(CertificateDer::from(certificate.to_vec())).is_ok() => {}
            None => defect = CertificateDefect::Malformed,
        }
    }
    let keys = anchors.iter().filter(|record| (record.selector, record.matching) == (PUBLIC_KEY, EXACT));
    for key in keys {
        roots.roots.extend(chain.iter().filter_map(|signed| bare_anchor(&key.data, signed)));
    }
    if roots.is_empty() { Err(defect) } else { Ok(roots) }
}

fn validity_defect(certificate: &[u8], now: UnixTime) -> Option<CertificateDefect> {
    let Some((not_before, not_after)) = validity(certificate) else {
        return Some(CertificateDefect::Malformed);
    };
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < not_before {
        Some(CertificateDefect::NotYetValid)
    } else if now > not_after {
        Some(CertificateDefect::Expired)
    } else {
        None
    }
}

/// A trust anchor of which only the key is known: it has the name of whoever is said to have signed a certificate.
fn bare_anchor(key: &[u8], signed: &[u8]) -> Option<TrustAnchor<'static>> {
    let content = |der| Any::from_der(der).ok().map(|(_, any): (_, Any<'_>)| Der::from(any.data.to_vec()));
    let (_, signed) = X509Certificate::from_der(signed).ok()?;
    Some(TrustAnchor {
        subject: content(signed.issuer().as_raw())?,
        subject_public_key_info: content(key)?,
        name_constraints: None,
    })
}

fn verify_by_anchors(
    roots: &RootCertStore,
    end_entity: &CertificateDer<'_>,
    issuers: &[CertificateDer<'_>],
    names: &[String],
    now: UnixTime,
) -> Result<(), CertificateDefect> {
    let defect_of = |error: rustls::Error| match error {
        // Nobody whom a record is about signed it.
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            CertificateDefect::TlsaMismatch
        }
        rustls::Error::InvalidCertificate(error) => CertificateDefect::of(&error),
        _ => CertificateDefect::Malformed,
    };
    let parsed = ParsedCertificate::try_from(end_entity).map_err(defect_of)?;
    let algorithms = provider().signature_verification_algorithms.all;
    verify_server_cert_signed_by_trust_anchor(&parsed, roots, issuers, now, algorithms).map_err(defect_of)?;
    let mut names = names.iter().filter_map(|name| ServerName::try_from(name.as_str()).ok());
    if names.any(|name| verify_server_name(&parsed, &name).is_ok()) {
        Ok(())
    } else {
        Err(CertificateDefect::NameMismatch)
    }
}

#[cfg(test)]
mod tests;
