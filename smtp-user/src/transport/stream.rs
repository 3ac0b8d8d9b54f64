//! One leg's octet stream: plain TCP, or TLS in either role.
//!
//! It never mixes the two: a stream is taken apart for the upgrade only while it is plain, and only when nothing has
//! been sent ahead of the handshake (RFC 3207 §6).

use std::io::{self, IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::ConnectionCommon;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{client, server};

/// One leg's octet stream.
#[derive(Debug)]
pub enum Stream {
    /// Without TLS.
    Plain(TcpStream),
    /// TLS toward the next hop, where the gateway is the client.
    ClientTls(Box<client::TlsStream<TcpStream>>),
    /// TLS toward the originator, where the gateway is the server.
    ServerTls(Box<server::TlsStream<TcpStream>>),
}

/// Why a stream cannot be handed over to the handshake.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// There is TLS on it.
    #[error("the stream is in TLS")]
    InTls,
    /// The peer sent octets that belong to no handshake: an injection (CVE-2011-0411), or it does not wait.
    #[error("octets came in plaintext ahead of the handshake")]
    Extra,
    /// The peer is gone.
    #[error("the peer closed the connection ahead of the handshake")]
    Closed,
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Stream {
    /// Whether there is TLS on it.
    pub const fn is_tls(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }

    /// Gives the TCP connection back for the handshake. Whether octets of plaintext wait on it is for
    /// [`nothing_waits`] to say, before the peer is told to begin: afterwards they may be the handshake's own.
    pub fn into_plain(self) -> Result<TcpStream, UpgradeError> {
        match self {
            Self::Plain(tcp) => Ok(tcp),
            Self::ClientTls(_) | Self::ServerTls(_) => Err(UpgradeError::InTls),
        }
    }

    /// Gathers the last octets and TLS's own word for the end (RFC 8446 §6.1), to be flushed together. Gives how many
    /// octets of them there was room for: all, of a few replies; none where there is no TLS, which has no such word.
    pub fn end_with(&mut self, octets: &[u8]) -> usize {
        match self {
            Self::Plain(_) => 0,
            Self::ClientTls(tls) => end_with(tls.get_mut().1, octets),
            Self::ServerTls(tls) => end_with(tls.get_mut().1, octets),
        }
    }

    /// The TCP connection below.
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::ClientTls(tls) => tls.get_ref().0,
            Self::ServerTls(tls) => tls.get_ref().0,
        }
    }
}

fn end_with<Data>(connection: &mut ConnectionCommon<Data>, octets: &[u8]) -> usize {
    // It only gathers, and takes what it has room for.
    let taken = connection.writer().write(octets).unwrap_or(0);
    connection.send_close_notify();
    taken
}

/// Whether the socket's receive buffer is empty. Asked of the kernel, since the runtime's readiness may lag.
pub fn nothing_waits(tcp: &TcpStream) -> Result<(), UpgradeError> {
    let mut octet = [MaybeUninit::uninit()];
    match SockRef::from(tcp).peek(&mut octet) {
        Ok(0) => Err(UpgradeError::Closed),
        Ok(_) => Err(UpgradeError::Extra),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Self::ClientTls(tls) => Pin::new(tls.as_mut()).poll_read(cx, buffer),
            Self::ServerTls(tls) => Pin::new(tls.as_mut()).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, octets),
            Self::ClientTls(tls) => Pin::new(tls.as_mut()).poll_write(cx, octets),
            Self::ServerTls(tls) => Pin::new(tls.as_mut()).poll_write(cx, octets),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            Self::ClientTls(tls) => Pin::new(tls.as_mut()).poll_write_vectored(cx, slices),
            Self::ServerTls(tls) => Pin::new(tls.as_mut()).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::ClientTls(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
            Self::ServerTls(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::ClientTls(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
            Self::ServerTls(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests;
