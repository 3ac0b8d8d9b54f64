//! TLS toward the next hop.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::{ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::model::leg::Leg;
use crate::model::tls_demand::TlsDemand;
use crate::model::tls_facts::TlsFacts;
use crate::model::tlsa::DaneDemand;
use crate::tls::bounded_cache::BoundedCache;
use crate::tls::config::{MinVersion, NextHopTls};
use crate::tls::dane;
use crate::tls::error::{CertificateDefect, TlsError};
use crate::tls::facts::negotiated;
use crate::tls::next_hop_certificate::NextHopCertificate;
use crate::tls::provider::{provider, versions};
use crate::tls::setup_error::TlsSetupError;
use crate::tls::trust::TrustAnchors;
use crate::tls::verifier::Verifier;

/// Next hops whose sessions and certificates a resource remembers. Around 10 KiB each.
const MAX_NEXT_HOPS: usize = 1024;
/// Sessions kept for one next hop: the library counts so, and keeps up to 8 tickets.
const SESSIONS: usize = 8;

/// Calls next hops for one resource.
#[derive(Debug)]
pub(crate) struct Connector {
    settings: NextHopTls,
    trust: TrustAnchors,
    min_version: MinVersion,
    next_hops: BoundedCache<(SocketAddr, ServerName<'static>, bool), Arc<NextHop>>,
}

/// What is remembered of one next hop: its sessions and its certificates. Nothing of it serves another one.
#[derive(Debug)]
struct NextHop {
    config: Arc<ClientConfig>,
    verifier: Arc<Verifier>,
    name: ServerName<'static>,
}

impl Connector {
    pub(crate) fn new(settings: NextHopTls, min_version: MinVersion) -> Result<Self, TlsSetupError> {
        let trust = settings.trust.as_deref().cloned().unwrap_or_else(TrustAnchors::system);
        if settings.verify && trust.is_empty() {
            return Err(TlsSetupError::NoTrustAnchors);
        }
        Ok(Self { settings, trust, min_version, next_hops: BoundedCache::new(MAX_NEXT_HOPS) })
    }

    pub(crate) async fn connect<S>(
        &self,
        stream: S,
        address: SocketAddr,
        known_as: Option<ServerName<'static>>,
        demand: &TlsDemand,
    ) -> Result<(TlsStream<S>, TlsFacts, NextHopCertificate), TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let next_hop = match demand {
            TlsDemand::Dane(dane) => self.next_hop_of_dane(dane)?,
            // The name that DNS has for it must be proven, not one that the resource has.
            TlsDemand::MtaSts => {
                self.next_hop(address, known_as.unwrap_or_else(|| address.ip().into()), true)?
            }
            TlsDemand::None => {
                let name = self.settings.server_name.clone().or(known_as);
                self.next_hop(address, name.unwrap_or_else(|| address.ip().into()), self.settings.verify)?
            }
        };
        let connector = TlsConnector::from(Arc::clone(&next_hop.config));
        let stream = connector
            .connect(next_hop.name.clone(), stream)
            .await
            .map_err(|error| TlsError::of(Leg::Server, error))?;
        let (_, connection) = stream.get_ref();
        // A resumed session has the chain of the one it resumes; it is verified anew when that was long ago.
        let chain = connection.peer_certificates().unwrap_or_default();
        let known = next_hop
            .verifier
            .examine(chain, UnixTime::now())
            .map_err(|error| TlsError::of_library(Leg::Server, error))?;
        let mut facts = negotiated(connection);
        if let ServerName::DnsName(name) = &next_hop.name {
            facts.server_name = Some(name.as_ref().to_owned());
        }
        facts.certificate = Some(known.facts.clone());
        facts.verified =
            Some(known.verified.map_or_else(CertificateDefect::word, |()| "verified").to_owned());
        let certificate = known.certificate.clone().of(address.ip());
        Ok((stream, facts, certificate))
    }

    fn next_hop(
        &self,
        address: SocketAddr,
        name: ServerName<'static>,
        verify: bool,
    ) -> Result<Arc<NextHop>, TlsError> {
        let key = (address, name.clone(), verify);
        if let Some(next_hop) = self.next_hops.get(&key) {
            return Ok(next_hop);
        }
        let verifier = Verifier::new(&self.trust, name.clone(), verify)
            .map_err(|_| TlsError::Certificate { defect: CertificateDefect::NoTrustAnchors })?;
        let next_hop = Arc::new(self.remembering(Arc::new(verifier), name, SESSIONS)?);
        Ok(self.next_hops.add(key, next_hop))
    }

    /// One that is verified by its TLSA records. Those may be others the next time, so nothing is kept.
    fn next_hop_of_dane(&self, dane: &Arc<DaneDemand>) -> Result<Arc<NextHop>, TlsError> {
        let name = ServerName::try_from(dane.base.clone())
            .map_err(|_| TlsError::Certificate { defect: CertificateDefect::NameMismatch })?;
        if !dane.records.iter().any(dane::is_usable) {
            // Somebody is to be there, whoever it is (RFC 7672 §2.2).
            let verifier = Verifier::new(&self.trust, name.clone(), false)
                .map_err(|_| TlsError::Certificate { defect: CertificateDefect::NoTrustAnchors })?;
            return Ok(Arc::new(self.remembering(Arc::new(verifier), name, 0)?));
        }
        let verifier = Verifier::of_dane(dane, name.clone());
        Ok(Arc::new(self.remembering(Arc::new(verifier), name, 0)?))
    }

    /// One that remembers so many sessions.
    fn remembering(
        &self,
        verifier: Arc<Verifier>,
        name: ServerName<'static>,
        sessions: usize,
    ) -> Result<NextHop, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider());
        let mut config = builder
            .with_protocol_versions(versions(self.min_version))
            .map_err(|source| TlsError::Handshake { leg: Leg::Server, source })?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as _)
            .with_no_client_auth();
        config.resumption = match sessions {
            0 => Resumption::disabled(),
            sessions => Resumption::in_memory_sessions(sessions),
        };
        Ok(NextHop { config: Arc::new(config), verifier, name })
    }
}
