//! An imported certificate with its key.

use std::sync::Arc;

use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::model::tls_facts::CertificateFacts;
use crate::tls::certificate_facts::{certificate_facts, validity};
use crate::tls::provider::provider;
use crate::tls::setup_error::TlsSetupError;

/// A certificate chain and the key that belongs to it.
#[derive(Debug)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
}

impl Identity {
    /// Of PEM text: the chain, the server's own certificate first, and the key, which may stand in the same text.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsSetupError> {
        let chain = certificates(chain)?;
        Self::new(chain, private_key(key)?)
    }

    /// Of a PKCS#12 file.
    pub fn from_pkcs12(octets: &[u8], password: &str) -> Result<Self, TlsSetupError> {
        let store = KeyStore::from_pkcs12(octets, password, Pkcs12ImportPolicy::Relaxed)
            .map_err(|_| TlsSetupError::Pkcs12)?;
        let (_, entry) = store.private_key_chain().ok_or(TlsSetupError::NoKey)?;
        let chain = entry.certs().iter().map(|c| CertificateDer::from(c.as_der().to_vec())).collect();
        let key = PrivatePkcs8KeyDer::from(entry.key().as_der().to_vec());
        Self::new(chain, key.into())
    }

    /// Whether a file is PKCS#12 rather than PEM: it begins with a DER sequence.
    pub fn is_pkcs12(octets: &[u8]) -> bool {
        octets.first() == Some(&0x30) && !octets.starts_with(b"0 ")
    }

    pub(crate) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsSetupError> {
        if chain.is_empty() {
            return Err(TlsSetupError::NoCertificate);
        }
        for (i, certificate) in chain.iter().enumerate() {
            if X509Certificate::from_der(certificate).is_err() {
                return Err(TlsSetupError::Certificate { number: i + 1 });
            }
        }
        let key = provider().key_provider.load_private_key(key).map_err(|_| TlsSetupError::Key)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(Error::InconsistentKeys(_)) => return Err(TlsSetupError::KeyMismatch),
            Err(_) => return Err(TlsSetupError::Certificate { number: 1 }),
        }
        Ok(Self { certified: Arc::new(certified) })
    }

    pub(crate) const fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// The certificate that is shown, DER.
    pub fn certificate(&self) -> &[u8] {
        self.certified.cert.first().map_or(&[], |certificate| certificate.as_ref())
    }

    /// What a record says of it.
    pub fn facts(&self) -> CertificateFacts {
        certificate_facts(self.certificate())
    }

    /// Begin and end of its validity, seconds since 1970.
    pub fn validity(&self) -> Option<(i64, i64)> {
        validity(self.certificate())
    }
}

/// The certificates in a PEM text.
pub(crate) fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsSetupError> {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().map_err(|_| TlsSetupError::Pem)?;
    if chain.is_empty() {
        return Err(TlsSetupError::NoCertificate);
    }
    Ok(chain)
}

/// The first private key in a PEM text.
pub(crate) fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, TlsSetupError> {
    use rustls::pki_types::pem::Error as PemError;
    if text.windows(ENCRYPTED.len()).any(|part| part == ENCRYPTED) {
        return Err(TlsSetupError::Key);
    }
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        PemError::NoItemsFound => TlsSetupError::NoKey,
        _ => TlsSetupError::Pem,
    })
}

/// The mark of an encrypted PKCS#8 key (RFC 7468 §11).
const ENCRYPTED: &[u8] = b"BEGIN ENCRYPTED PRIVATE KEY";
