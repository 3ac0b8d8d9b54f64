//! TLS toward the originator.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{Acceptor as HelloReader, NoServerSessionStorage};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::model::leg::Leg;
use crate::model::tls_facts::{CertificateFacts, TlsFacts};
use crate::tls::authority::Authority;
use crate::tls::bounded_cache::BoundedCache;
use crate::tls::certificate_facts::certificate_facts;
use crate::tls::config::{MinVersion, OriginatorTls};
use crate::tls::error::TlsError;
use crate::tls::facts::negotiated;
use crate::tls::next_hop_certificate::NextHopCertificate;
use crate::tls::provider::{provider, versions};
use crate::tls::setup_error::TlsSetupError;

/// Leaves that a resource remembers. Around 4 KiB each.
const MAX_LEAVES: usize = 1024;

/// Answers originators for one resource.
#[derive(Debug)]
pub(crate) enum Acceptor {
    Off,
    Imported(Arc<Shown>),
    Mint { authority: Arc<Authority>, min_version: MinVersion, leaves: BoundedCache<LeafKey, Arc<Shown>> },
}

/// Which leaf: SHA-256 of the next hop's certificate, and its address, which is a name of last resort.
type LeafKey = ([u8; 32], Option<IpAddr>);

/// A certificate that is shown. Its tickets are its own: no other resource, and no other certificate of this one,
/// takes them.
#[derive(Debug)]
pub(crate) struct Shown {
    config: Arc<ServerConfig>,
    facts: CertificateFacts,
}

impl Acceptor {
    pub(crate) fn new(settings: OriginatorTls, min_version: MinVersion) -> Result<Self, TlsSetupError> {
        Ok(match settings {
            OriginatorTls::Off => Self::Off,
            OriginatorTls::Imported(identity) => {
                let shown = Shown::new(CertifiedKey::clone(identity.certified()), min_version)
                    .map_err(|error| TlsSetupError::Library(error.to_string()))?;
                Self::Imported(Arc::new(shown))
            }
            OriginatorTls::Mint(authority) => {
                Self::Mint { authority, min_version, leaves: BoundedCache::new(MAX_LEAVES) }
            }
        })
    }

    pub(crate) async fn accept<S>(
        &self,
        stream: S,
        pattern: Option<&NextHopCertificate>,
    ) -> Result<(TlsStream<S>, TlsFacts), TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let shown = self.shown(pattern)?;
        let failed = |error| TlsError::of(Leg::Client, error);
        // Two steps, so that what is not even a hello is told from a handshake that fails.
        let start = LazyConfigAcceptor::new(HelloReader::default(), stream).await.map_err(failed)?;
        let stream = start.into_stream(Arc::clone(&shown.config)).await.map_err(failed)?;
        let (_, connection) = stream.get_ref();
        let mut facts = negotiated(connection);
        facts.server_name = connection.server_name().map(str::to_owned);
        facts.certificate = Some(shown.facts.clone());
        Ok((stream, facts))
    }

    fn shown(&self, pattern: Option<&NextHopCertificate>) -> Result<Arc<Shown>, TlsError> {
        match self {
            Self::Off => Err(TlsError::Off),
            Self::Imported(shown) => Ok(Arc::clone(shown)),
            Self::Mint { authority, min_version, leaves } => {
                let pattern = pattern.ok_or(TlsError::NoPattern)?;
                let key = (*pattern.sha256(), pattern.address());
                if let Some(shown) = leaves.get(&key) {
                    return Ok(shown);
                }
                let leaf = authority.mint(pattern).map_err(|detail| TlsError::Mint { detail })?;
                let shown = Shown::new(leaf, *min_version)
                    .map_err(|source| TlsError::Handshake { leg: Leg::Client, source })?;
                Ok(leaves.add(key, Arc::new(shown)))
            }
        }
    }
}

impl Shown {
    fn new(certified: CertifiedKey, min_version: MinVersion) -> Result<Self, rustls::Error> {
        let facts = certificate_facts(certified.end_entity_cert()?);
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions(min_version))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        // Tickets hold the whole state, so that an idle resource holds none.
        config.ticketer = Ticketer::new()?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        // One is enough: an originator that comes again uses it up and gets the next.
        config.send_tls13_tickets = 1;
        config.max_early_data_size = 0;
        config.ignore_client_order = true;
        Ok(Self { config: Arc::new(config), facts })
    }
}
