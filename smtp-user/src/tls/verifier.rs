//! Verification of the next hop's certificate: enforced, or only recorded (RFC 7435). Signatures of the handshake
//! are verified in either case, so that the certificate shown is the peer's.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use x509_parser::asn1_rs::Any;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo};

use crate::model::tls_facts::CertificateFacts;
use crate::model::tlsa::DaneDemand;
use crate::tls::bounded_cache::BoundedCache;
use crate::tls::certificate_facts::{certificate_facts, validity};
use crate::tls::dane::{self, public_key_of};
use crate::tls::error::CertificateDefect;
use crate::tls::next_hop_certificate::NextHopCertificate;
use crate::tls::provider::{provider, sha256};
use crate::tls::setup_error::TlsSetupError;
use crate::tls::trust::TrustAnchors;

/// Chains of one next hop that are remembered: one, or a few while it changes or is a cluster.
const MAX_CHAINS: usize = 8;
/// A result is used for this long before the same chain is verified again.
const MAX_AGE: Duration = Duration::from_mins(10);

/// Verifies the certificates of one next hop and remembers what it found.
#[derive(Debug)]
pub(crate) struct Verifier {
    judge: Judge,
    algorithms: WebPkiSupportedAlgorithms,
    name: ServerName<'static>,
    enforce: bool,
    known: BoundedCache<[u8; 32], Arc<KnownChain>>,
}

/// Who says whether a chain is the next hop's.
#[derive(Debug)]
enum Judge {
    /// Trust anchors; missing where there are none.
    Anchors(Option<Arc<WebPkiServerVerifier>>),
    /// The next hop's TLSA records, at least one of them usable.
    Dane(Arc<DaneDemand>),
}

/// A chain that the next hop showed.
#[derive(Debug)]
pub(crate) struct KnownChain {
    pub(crate) certificate: NextHopCertificate,
    pub(crate) facts: CertificateFacts,
    pub(crate) verified: Result<(), CertificateDefect>,
    /// Until when the result holds.
    until: UnixTime,
}

impl Verifier {
    /// Of one next hop.
    pub(crate) fn new(
        trust: &TrustAnchors,
        name: ServerName<'static>,
        enforce: bool,
    ) -> Result<Self, TlsSetupError> {
        let chains = if trust.is_empty() {
            None
        } else {
            let builder = WebPkiServerVerifier::builder_with_provider(Arc::clone(trust.roots()), provider());
            Some(builder.build().map_err(|error| TlsSetupError::Library(error.to_string()))?)
        };
        if enforce && chains.is_none() {
            return Err(TlsSetupError::NoTrustAnchors);
        }
        Ok(Self::by(Judge::Anchors(chains), name, enforce))
    }

    /// Of a next hop with TLSA records of which one is usable at least. What they say is enforced.
    pub(crate) fn of_dane(demand: &Arc<DaneDemand>, name: ServerName<'static>) -> Self {
        Self::by(Judge::Dane(Arc::clone(demand)), name, true)
    }

    fn by(judge: Judge, name: ServerName<'static>, enforce: bool) -> Self {
        let algorithms = provider().signature_verification_algorithms;
        Self { judge, algorithms, name, enforce, known: BoundedCache::new(MAX_CHAINS) }
    }

    /// What is known of a chain, verified again if the last time is too long ago. The error is the library's own.
    pub(crate) fn examine(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Arc<KnownChain>, Error> {
        let key = digest_of(chain);
        if let Some(known) = self.known.get(&key).filter(|known| now < known.until) {
            return Ok(known);
        }
        let Some((end_entity, intermediates)) = chain.split_first() else {
            return Err(Error::NoCertificatesPresented);
        };
        let result = self.verify(end_entity, intermediates, now);
        let verified = match result {
            Ok(()) => Ok(()),
            Err(error) if self.enforce => return Err(error),
            Err(error) => Err(defect_of(&error)),
        };
        let owned: Arc<[_]> = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
        let known = Arc::new(KnownChain {
            certificate: NextHopCertificate::new(owned, sha256(end_entity)),
            facts: certificate_facts(end_entity),
            verified,
            until: holds_until(end_entity, now),
        });
        self.known.put(key, Arc::clone(&known));
        Ok(known)
    }

    /// Whether a certificate that the library does not read may be one that proves no name anyway: of version 1,
    /// as `openssl x509 -req` makes it, or with extensions nobody knows. Its key still signs the handshake.
    const fn may_be_odd(&self, error: &Error) -> bool {
        let about_reading = matches!(
            error,
            Error::InvalidCertificate(CertificateError::BadEncoding | CertificateError::Other(_))
        );
        // What DANE-EE(3) is about need not prove a name either; what DANE-TA(2) is about was read by the library.
        about_reading && (!self.enforce || matches!(self.judge, Judge::Dane(_)))
    }

    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let chains = match &self.judge {
            Judge::Anchors(Some(chains)) => chains,
            Judge::Anchors(None) => return Err(CertificateDefect::NoTrustAnchors.into()),
            Judge::Dane(demand) => {
                let chain: Vec<_> = std::iter::once(end_entity).chain(intermediates).cloned().collect();
                dane::verify(&demand.records, &chain, &demand.names, now)?;
                return Ok(());
            }
        };
        chains.verify_server_cert(end_entity, intermediates, &self.name, &[], now).map(|_| ())
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain: Vec<CertificateDer<'_>> = std::iter::once(end_entity)
            .chain(intermediates)
            .map(|c| CertificateDer::from(c.as_ref()))
            .collect();
        self.examine(&chain, now).map(|_| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match verify_tls12_signature(message, cert, dss, &self.algorithms) {
            Err(error) if self.may_be_odd(&error) => {
                let der = public_key_of(cert).ok_or(error)?;
                verify_with_key(message, der, dss, &self.algorithms)
            }
            result => result,
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match verify_tls13_signature(message, cert, dss, &self.algorithms) {
            Err(error) if self.may_be_odd(&error) => {
                let der = SubjectPublicKeyInfoDer::from(public_key_of(cert).ok_or(error)?);
                verify_tls13_signature_with_raw_key(message, &der, dss, &self.algorithms)
            }
            result => result,
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Verifies a signature of TLS 1.2 with a bare key.
fn verify_with_key(
    message: &[u8],
    public_key: &[u8],
    dss: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let bad = Error::InvalidCertificate(CertificateError::BadSignature);
    let (_, key) = SubjectPublicKeyInfo::from_der(public_key).map_err(|_| bad.clone())?;
    // The algorithm's name is the content of the first sequence in the outer one.
    let content = |der| Any::from_der(der).map(|(_, any)| any.data);
    let name = content(public_key).and_then(content).map_err(|_| bad.clone())?;
    let candidates = algorithms.mapping.iter().filter(|(scheme, _)| *scheme == dss.scheme);
    let fits = candidates.flat_map(|(_, list)| list.iter()).any(|algorithm| {
        algorithm.public_key_alg_id().as_ref() == name
            && algorithm.verify_signature(&key.subject_public_key.data, message, dss.signature()).is_ok()
    });
    if fits { Ok(HandshakeSignatureValid::assertion()) } else { Err(bad) }
}

fn defect_of(error: &Error) -> CertificateDefect {
    match error {
        Error::InvalidCertificate(error) => CertificateDefect::of(error),
        _ => CertificateDefect::Malformed,
    }
}

/// Of the whole chain, so that a result belongs to exactly what was verified.
fn digest_of(chain: &[CertificateDer<'_>]) -> [u8; 32] {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for certificate in chain {
        context.update(&certificate.len().to_be_bytes());
        context.update(certificate);
    }
    let mut sum = [0; 32];
    sum.copy_from_slice(context.finish().as_ref());
    sum
}

/// A result never outlives a boundary of the certificate's own validity.
fn holds_until(end_entity: &CertificateDer<'_>, now: UnixTime) -> UnixTime {
    let latest = now.as_secs() + MAX_AGE.as_secs();
    let (not_before, not_after) = validity(end_entity).unwrap_or_default();
    let boundaries = [not_before, not_after.saturating_add(1)];
    let next =
        boundaries.iter().filter_map(|&at| u64::try_from(at).ok()).filter(|&at| at > now.as_secs()).min();
    UnixTime::since_unix_epoch(Duration::from_secs(next.unwrap_or(latest).min(latest)))
}
