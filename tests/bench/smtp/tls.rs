//! TLS of generator and sink: one certificate, with and without resumption, and the key exchanges of Debian 12's OpenSSL.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use harness::certificate::{Certificate, curious_client_with};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::server::NoServerSessionStorage;
use rustls::{ClientConfig, ServerConfig};

/// Certificate of server and gateway, and how both ends treat sessions.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    /// For the generator.
    pub(crate) client: Arc<ClientConfig>,
    /// For the sink.
    pub(crate) server: Arc<ServerConfig>,
}

impl Tls {
    /// With or without resumption.
    pub(crate) fn new(certificate: &Certificate, resume: bool) -> Self {
        let mut provider = aws_lc_rs::default_provider();
        // OpenSSL 3.0 has no hybrid with ML-KEM; the gateway offers one all the same.
        provider.kx_groups = vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
        let mut client = ClientConfig::clone(&curious_client_with(provider.clone()));
        let mut server = ServerConfig::clone(&certificate.server_config_with(provider));
        if !resume {
            client.resumption = Resumption::disabled();
            server.send_tls13_tickets = 0;
            server.session_storage = Arc::new(NoServerSessionStorage {});
        }
        Self { client: Arc::new(client), server: Arc::new(server) }
    }
}

/// Writes certificate and key into a folder, for programs.
pub(crate) fn write(certificate: &Certificate, folder: &Path) -> Result<(PathBuf, PathBuf)> {
    use std::os::unix::fs::PermissionsExt as _;
    let (pem, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&pem, &certificate.pem)?;
    std::fs::write(&key, &certificate.key_pem)?;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600))?;
    Ok((pem, key))
}
