//! TLS of one resource, on both legs.

use std::net::SocketAddr;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::{client, server};

use crate::model::tls_demand::TlsDemand;
use crate::model::tls_facts::TlsFacts;
use crate::tls::acceptor::Acceptor;
use crate::tls::config::Config;
use crate::tls::connector::Connector;
use crate::tls::error::TlsError;
use crate::tls::next_hop_certificate::NextHopCertificate;
use crate::tls::setup_error::TlsSetupError;

/// A TLS connection to the next hop; plaintext is read and written.
pub type ClientTlsStream<S = TcpStream> = client::TlsStream<S>;
/// A TLS connection with the originator; plaintext is read and written.
pub type ServerTlsStream<S = TcpStream> = server::TlsStream<S>;

/// TLS of one resource. Made once when the configuration is loaded, shared in an `Arc` by its sessions.
///
/// No time-outs here: the caller has those, and drops the future. A leg whose handshake failed is closed.
#[derive(Debug)]
pub struct TlsContext {
    acceptor: Acceptor,
    connector: Connector,
}

impl TlsContext {
    /// Sets TLS of a resource up.
    pub fn new(config: Config) -> Result<Self, TlsSetupError> {
        Ok(Self {
            acceptor: Acceptor::new(config.originator, config.min_version)?,
            connector: Connector::new(config.next_hop, config.min_version)?,
        })
    }

    /// Whether there is TLS toward the originator: STARTTLS may be offered.
    pub const fn serves(&self) -> bool {
        !matches!(self.acceptor, Acceptor::Off)
    }

    /// Whether [`accept`](Self::accept) needs the next hop's certificate.
    pub const fn mints(&self) -> bool {
        matches!(self.acceptor, Acceptor::Mint { .. })
    }

    /// Starts TLS toward the next hop. The name it must prove is the resource's `server_name`, else its address.
    pub async fn connect<S>(
        &self,
        stream: S,
        next_hop: SocketAddr,
    ) -> Result<(ClientTlsStream<S>, TlsFacts, NextHopCertificate), TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.connector.connect(stream, next_hop, None, &TlsDemand::None).await
    }

    /// The same with a next hop that was looked for by name: that is what it must prove, if the resource has no
    /// `server_name`, unless its own side demands something else.
    pub async fn connect_as<S>(
        &self,
        stream: S,
        next_hop: SocketAddr,
        name: &str,
        demand: &TlsDemand,
    ) -> Result<(ClientTlsStream<S>, TlsFacts, NextHopCertificate), TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(name.to_owned()).ok();
        self.connector.connect(stream, next_hop, name, demand).await
    }

    /// Starts TLS toward the originator, with the imported certificate, or with a leaf minted after `pattern`.
    pub async fn accept<S>(
        &self,
        stream: S,
        pattern: Option<&NextHopCertificate>,
    ) -> Result<(ServerTlsStream<S>, TlsFacts), TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.acceptor.accept(stream, pattern).await
    }
}
