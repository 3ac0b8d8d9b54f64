//! Certificates for servers of the tests, and clients that look at any certificate.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate, and that of the authority if there is one.
    pub pem: String,
    /// Its private key.
    pub key_pem: String,
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Certificate {
    /// Makes an ECDSA P-256 certificate for a host, signed by itself.
    ///
    /// # Panics
    ///
    /// When the name is no DNS name.
    pub fn new(host: &str) -> Self {
        let key = new_key();
        let certificate = params(host).self_signed(&key).expect("the key signs");
        Self::of(&[certificate], &key)
    }

    /// The same, issued by an authority that nobody knows, whose certificate is shown with it.
    ///
    /// # Panics
    ///
    /// When the name is no DNS name.
    pub fn issued(host: &str) -> Self {
        let (authority_key, key) = (new_key(), new_key());
        let mut authority = params("authority.test");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let shown = authority.self_signed(&authority_key).expect("the key signs");
        let issuer = Issuer::new(authority, authority_key);
        let certificate = params(host).signed_by(&key, &issuer).expect("the authority signs");
        Self::of(&[certificate, shown], &key)
    }

    fn of(chain: &[rcgen::Certificate], key: &KeyPair) -> Self {
        Self {
            pem: chain.iter().map(rcgen::Certificate::pem).collect(),
            key_pem: key.serialize_pem(),
            chain: chain.iter().map(|certificate| certificate.der().clone()).collect(),
            key: key.serialize_der(),
        }
    }

    /// What a TLS server needs to show it.
    ///
    /// # Panics
    ///
    /// Never: certificate and key fit.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.server_config_with(aws_lc_rs::default_provider())
    }

    /// The same with other cryptography than the library's own choice.
    ///
    /// # Panics
    ///
    /// When the provider has no cipher suites.
    pub fn server_config_with(&self, provider: CryptoProvider) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has cipher suites")
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .expect("certificate and key fit");
        Arc::new(config)
    }

    /// The certificate as DER.
    ///
    /// # Panics
    ///
    /// Never: there is one.
    pub fn der(&self) -> &[u8] {
        self.chain.first().expect("a certificate")
    }

    /// That of the authority, or the certificate itself if it has none, as DER.
    ///
    /// # Panics
    ///
    /// Never: there is one.
    pub fn authority(&self) -> &[u8] {
        self.chain.last().expect("a certificate")
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key can be made")
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a DNS name");
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, "Example Mail");
    params
}

/// A TLS client that takes any certificate; what it was shown is looked at afterwards.
///
/// # Panics
///
/// Never: the provider has cipher suites.
pub fn curious_client() -> Arc<ClientConfig> {
    curious_client_with(aws_lc_rs::default_provider())
}

/// The same with other cryptography than the library's own choice.
///
/// # Panics
///
/// When the provider has no cipher suites.
pub fn curious_client_with(provider: CryptoProvider) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth();
    Arc::new(config)
}

#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
