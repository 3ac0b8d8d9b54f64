//! Both legs in memory: an originator and a next hop of the library's own, and the gateway's contexts between.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::model::fault::Party;
use crate::model::leg::Leg;
use crate::model::tls_facts::TlsFacts;
use crate::tls::certificate_facts::is_signed_by;
use crate::tls::config::{Config, MinVersion, NextHopTls, OriginatorTls};
use crate::tls::context::{ClientTlsStream, ServerTlsStream, TlsContext};
use crate::tls::error::TlsError;
use crate::tls::next_hop_certificate::NextHopCertificate;
use crate::tls::provider::{provider, versions};
use crate::tls::test_certificates::{OtherCa, Pair, authority};

mod dane;
mod imported;
mod minted;
mod next_hop;
mod not_tls;
mod openssl;
mod resumption;
mod versions;

/// Room in a duplex pipe, octets.
const PIPE: usize = 64 * 1024;

fn context(originator: OriginatorTls, next_hop: NextHopTls) -> TlsContext {
    TlsContext::new(Config { originator, next_hop, min_version: MinVersion::Tls12 }).unwrap()
}

fn imported(pair: &Pair) -> TlsContext {
    context(OriginatorTls::Imported(pair.identity()), NextHopTls::default())
}

/// Toward a next hop whose name is known.
fn toward(ca: &OtherCa, name: &str, verify: bool) -> TlsContext {
    let server_name = Some(ServerName::try_from(name.to_owned()).unwrap());
    context(OriginatorTls::Off, NextHopTls { verify, trust: Some(ca.trust()), server_name })
}

fn next_hop_address() -> SocketAddr {
    "192.0.2.25:25".parse().unwrap()
}

/// A next hop with a certificate.
fn next_hop(pair: &Pair, versions: &[&'static SupportedProtocolVersion]) -> Arc<ServerConfig> {
    let identity = pair.identity();
    let resolver = rustls::sign::SingleCertAndKey::from(identity.certified().as_ref().clone());
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    Arc::new(config)
}

/// An originator that trusts a CA, and remembers sessions.
fn originator(ca_pem: &str, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let trust = crate::tls::trust::TrustAnchors::from_pem(ca_pem.as_bytes()).unwrap();
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::clone(trust.roots()), provider()).build().unwrap();
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_webpki_verifier(verifier)
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(32);
    Arc::new(config)
}

fn all() -> &'static [&'static SupportedProtocolVersion] {
    versions(MinVersion::Tls12)
}

type Called = Result<(ClientTlsStream<DuplexStream>, TlsFacts, NextHopCertificate), TlsError>;

/// The gateway calls a next hop, and an octet goes each way, which also brings the tickets.
async fn call(gateway: &TlsContext, server: &Arc<ServerConfig>) -> Called {
    let next_hop = next_hop_address();
    call_by(server, async |ours| gateway.connect(ours, next_hop).await).await
}

async fn call_by(server: &Arc<ServerConfig>, connect: impl AsyncFnOnce(DuplexStream) -> Called) -> Called {
    let (ours, theirs) = duplex(PIPE);
    let serve = async {
        let Ok(mut stream) = TlsAcceptor::from(Arc::clone(server)).accept(theirs).await else { return };
        let mut octet = [0];
        // Nothing comes when the gateway does not like the certificate.
        if stream.read_exact(&mut octet).await.is_ok() {
            stream.write_all(&octet).await.unwrap();
        }
    };
    let call = async {
        let (mut stream, facts, certificate) = connect(ours).await?;
        stream.write_all(b"x").await.unwrap();
        stream.read_exact(&mut [0]).await.unwrap();
        Ok((stream, facts, certificate))
    };
    tokio::join!(serve, call).1
}

/// What the originator saw of the gateway.
struct Seen {
    chain: Vec<Vec<u8>>,
    resumed: bool,
}

type Answered = (Result<(ServerTlsStream<DuplexStream>, TlsFacts), TlsError>, Result<Seen, std::io::Error>);

/// An originator calls the gateway under a name, and an octet goes each way.
async fn answer(
    gateway: &TlsContext,
    pattern: Option<&NextHopCertificate>,
    client: &Arc<ClientConfig>,
    name: &str,
) -> Answered {
    let (ours, theirs) = duplex(PIPE);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let call = async {
        let mut stream = TlsConnector::from(Arc::clone(client)).connect(name, theirs).await?;
        stream.write_all(b"x").await?;
        stream.read_exact(&mut [0]).await?;
        let connection = stream.get_ref().1;
        let chain = connection.peer_certificates().unwrap();
        Ok(Seen {
            chain: chain.iter().map(|c| c.to_vec()).collect(),
            resumed: connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
        })
    };
    let serve = async {
        let (mut stream, facts) = gateway.accept(ours, pattern).await?;
        stream.read_exact(&mut [0]).await.unwrap();
        stream.write_all(b"x").await.unwrap();
        Ok((stream, facts))
    };
    tokio::join!(serve, call)
}

fn party_and_reason(error: &TlsError) -> (Party, &'static str) {
    (error.party(), error.reason())
}
