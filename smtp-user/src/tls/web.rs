//! TLS toward web servers, which always prove their names to a certification authority.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::model::leg::Leg;
use crate::tls::config::MinVersion;
use crate::tls::error::{CertificateDefect, TlsError};
use crate::tls::provider::{provider, versions};
use crate::tls::setup_error::TlsSetupError;
use crate::tls::trust::TrustAnchors;

/// Calls web servers. Cheap to clone.
#[derive(Clone)]
pub struct WebTls {
    connector: TlsConnector,
}

impl std::fmt::Debug for WebTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebTls").finish_non_exhaustive()
    }
}

impl WebTls {
    /// That believes these authorities.
    pub fn new(trust: &TrustAnchors) -> Result<Self, TlsSetupError> {
        if trust.is_empty() {
            return Err(TlsSetupError::NoTrustAnchors);
        }
        let library = |error: &dyn std::error::Error| TlsSetupError::Library(error.to_string());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(trust.roots()), provider())
            .build()
            .map_err(|error| library(&error))?;
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions(MinVersion::Tls12))
            .map_err(|error| library(&error))?
            .with_webpki_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { connector: TlsConnector::from(Arc::new(config)) })
    }

    /// Starts TLS with a server of this name.
    pub async fn connect(&self, stream: TcpStream, name: &str) -> Result<TlsStream<TcpStream>, TlsError> {
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| TlsError::Certificate { defect: CertificateDefect::NameMismatch })?;
        self.connector.connect(name, stream).await.map_err(|error| TlsError::of(Leg::Server, error))
    }
}
