//! A connection that may be upgraded to TLS once, at either end.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};

/// A connection.
#[derive(Debug)]
pub enum Channel {
    /// Without TLS.
    Plain(TcpStream),
    /// TLS, and this end is the server.
    Server(Box<StreamOwned<ServerConnection, TcpStream>>),
    /// TLS, and this end is the client.
    Client(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Channel {
    /// Whether TLS has begun.
    pub fn is_tls(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }

    /// The TCP connection below.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Server(stream) => &stream.sock,
            Self::Client(stream) => &stream.sock,
        }
    }

    /// Begins TLS as the server; the handshake goes on with the first read or write.
    pub fn accept_tls(&mut self, config: &Arc<ServerConfig>) -> io::Result<()> {
        let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        let socket = self.socket().try_clone()?;
        *self = Self::Server(Box::new(StreamOwned::new(connection, socket)));
        Ok(())
    }

    /// Begins TLS as the client and carries the handshake out.
    pub fn start_tls(&mut self, config: &Arc<ClientConfig>, name: &str) -> io::Result<()> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        let mut stream = Box::new(StreamOwned::new(connection, self.socket().try_clone()?));
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        *self = Self::Client(stream);
        Ok(())
    }

    /// What the other end showed in the handshake.
    pub fn peer_certificates(&self) -> Vec<CertificateDer<'static>> {
        let shown = match self {
            Self::Client(stream) => stream.conn.peer_certificates(),
            Self::Plain(_) | Self::Server(_) => None,
        };
        shown.unwrap_or_default().to_vec()
    }
}

impl Read for Channel {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Server(stream) => stream.read(buffer),
            Self::Client(stream) => stream.read(buffer),
        }
    }
}

impl Write for Channel {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(octets),
            Self::Server(stream) => stream.write(octets),
            Self::Client(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Server(stream) => stream.flush(),
            Self::Client(stream) => stream.flush(),
        }
    }
}
