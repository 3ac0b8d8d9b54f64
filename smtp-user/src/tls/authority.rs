//! The inspection CA: mints leaves that look like the next hop's certificate and are signed by us.

use std::sync::{Arc, OnceLock};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::model::tls_facts::CertificateFacts;
use crate::tls::identity::{Identity, certificates, private_key};
use crate::tls::mint::{Issuer, LeafKey, leaf};
use crate::tls::next_hop_certificate::NextHopCertificate;
use crate::tls::provider::provider;
use crate::tls::setup_error::TlsSetupError;

/// The inspection CA: its certificate, its key, and the one key pair of the leaves that it mints.
#[derive(Debug)]
pub struct Authority {
    identity: Identity,
    issuer: Issuer,
    leaf_key: LeafKey,
    /// What is sent behind a leaf: the chain up to the self-signed certificate, which the originator must have.
    intermediates: Vec<CertificateDer<'static>>,
}

impl Authority {
    /// Of PEM text: the CA's certificate, followed by its own issuers if there are any, and its key.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsSetupError> {
        let chain = certificates(chain)?;
        let identity = Identity::new(chain.clone(), private_key(key)?)?;
        let issuer = issuer(identity.certificate(), Arc::clone(&identity.certified().key))?;
        let intermediates = chain.into_iter().filter(|certificate| !is_self_issued(certificate)).collect();
        Ok(Self { identity, issuer, leaf_key: leaf_key()?, intermediates })
    }

    /// What a record says of its certificate.
    pub fn facts(&self) -> CertificateFacts {
        self.identity.facts()
    }

    /// The CA's certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        self.identity.certificate()
    }

    /// Begin and end of its validity, seconds since 1970.
    pub fn validity(&self) -> Option<(i64, i64)> {
        self.identity.validity()
    }

    /// Mints a leaf with the subject, names and validity of the next hop's certificate. The error says what is
    /// wrong with that one.
    pub(crate) fn mint(&self, pattern: &NextHopCertificate) -> Result<CertifiedKey, &'static str> {
        let mut serial = [0; SERIAL_OCTETS];
        provider().secure_random.fill(&mut serial).map_err(|_| "the system gives no random numbers")?;
        let end_entity = pattern.end_entity().ok_or("it has no certificate")?;
        let leaf = leaf(end_entity, pattern.address(), &self.issuer, &self.leaf_key, serial)?;
        let mut chain = Vec::with_capacity(1 + self.intermediates.len());
        chain.push(CertificateDer::from(leaf));
        chain.extend(self.intermediates.iter().cloned());
        Ok(CertifiedKey::new(chain, Arc::clone(&self.leaf_key.key)))
    }
}

/// A new CA as PEM text: certificate and key, ECDSA P-256.
#[derive(Debug)]
pub struct NewAuthority {
    /// The certificate.
    pub certificate: String,
    /// The key, PKCS#8.
    pub key: String,
}

impl NewAuthority {
    /// Makes one that is valid from yesterday (clocks differ) for a number of days.
    pub fn generate(common_name: &str, days: u16) -> Result<Self, TlsSetupError> {
        let refused = |error: rcgen::Error| TlsSetupError::Library(error.to_string());
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(refused)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let out_of_range = |_| TlsSetupError::Library("its validity would end too late".to_owned());
        let first = today.yesterday().map_err(out_of_range)?;
        let last = today.checked_add(jiff::Span::new().days(i64::from(days))).map_err(out_of_range)?;
        let moment = |day: jiff::civil::Date| {
            date_time_ymd(day.year().into(), day.month().unsigned_abs(), day.day().unsigned_abs())
        };
        params.not_before = moment(first);
        params.not_after = moment(last);
        let certificate = params.self_signed(&key).map_err(refused)?;
        Ok(Self { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// The key pair of every leaf in the life of the process: making one for each would cost more than signing.
static LEAF_KEY: OnceLock<LeafKey> = OnceLock::new();

fn leaf_key() -> Result<LeafKey, TlsSetupError> {
    if let Some(key) = LEAF_KEY.get() {
        return Ok(key.clone());
    }
    let key = new_leaf_key()?;
    Ok(LEAF_KEY.get_or_init(|| key).clone())
}

fn new_leaf_key() -> Result<LeafKey, TlsSetupError> {
    let refused = |error: &dyn std::fmt::Display| TlsSetupError::Library(error.to_string());
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| refused(&error))?;
    let der = PrivatePkcs8KeyDer::from(pair.serialize_der());
    let key = provider().key_provider.load_private_key(der.into()).map_err(|error| refused(&error))?;
    LeafKey::new(key).ok_or(TlsSetupError::Key)
}

fn issuer(certificate: &[u8], key: Arc<dyn SigningKey>) -> Result<Issuer, TlsSetupError> {
    let malformed = TlsSetupError::Certificate { number: 1 };
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| malformed)?;
    let may_sign = match certificate.key_usage() {
        Ok(Some(usage)) => usage.value.key_cert_sign(),
        Ok(None) => true,
        Err(_) => false,
    };
    if !certificate.is_ca() || !may_sign {
        return Err(TlsSetupError::NotCa);
    }
    let key_id = certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
        _ => None,
    });
    Ok(Issuer { name: certificate.subject().as_raw().to_vec(), key_id, key })
}

fn is_self_issued(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, c)| c.subject().as_raw() == c.issuer().as_raw())
}

/// RFC 5280 §4.1.2.2 allows 20 octets; 16 of chance are enough to be unique.
pub(crate) const SERIAL_OCTETS: usize = 16;
