//! Whose certificates are believed.

use std::sync::{Arc, LazyLock};

use rustls::RootCertStore;

use crate::tls::identity::certificates;
use crate::tls::setup_error::TlsSetupError;

/// Certificates of CAs.
#[derive(Clone, Debug)]
pub struct TrustAnchors {
    roots: Arc<RootCertStore>,
}

static SYSTEM: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    // Certificates that cannot be read are those of others; what can be read counts.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Arc::new(roots)
});

impl TrustAnchors {
    /// Of PEM text.
    pub fn from_pem(text: &[u8]) -> Result<Self, TlsSetupError> {
        let mut roots = RootCertStore::empty();
        for (i, certificate) in certificates(text)?.into_iter().enumerate() {
            roots.add(certificate).map_err(|_| TlsSetupError::Certificate { number: i + 1 })?;
        }
        Ok(Self { roots: Arc::new(roots) })
    }

    /// The system's, read once in the life of the process.
    pub fn system() -> Self {
        Self { roots: Arc::clone(&SYSTEM) }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    pub(crate) const fn roots(&self) -> &Arc<RootCertStore> {
        &self.roots
    }
}
