//! Calls the next hop, from the originator's own address and port where that is wanted and possible.

use std::io;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Whom the next hop sees as the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// This address and port, which are somebody else's; needs the right to be transparent.
    Originator(SocketAddr),
    /// The gateway, by its own routing.
    Gateway,
}

/// A call that was answered.
#[derive(Debug)]
pub struct Dialled {
    /// The connection; small writes leave at once.
    pub stream: TcpStream,
    /// What the next hop sees as the other end.
    pub local: SocketAddr,
    /// Whether the originator's own port was taken, so that another one of its address is used.
    pub other_port: bool,
}

/// Why a call was not answered.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The next hop took too long.
    #[error("the next hop did not answer in time")]
    TimedOut,
    /// Nobody listens there.
    #[error("the next hop refused the connection")]
    Refused,
    /// No route, or its end says so.
    #[error("the next hop cannot be reached: {0}")]
    Unreachable(io::Error),
    /// The gateway may not use the originator's address: no right to, or an address of another kind.
    #[error("cannot call from the originator's address: {0}")]
    Source(io::Error),
    /// Something is wrong here: no descriptors, no memory.
    #[error("cannot call the next hop: {0}")]
    Local(io::Error),
}

impl DialError {
    /// The word used in records.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::Refused => "connection_refused",
            Self::Unreachable(_) => "unreachable",
            Self::Source(_) => "source_address",
            Self::Local(_) => "local_error",
        }
    }
}

/// Calls the next hop.
pub async fn dial(next_hop: SocketAddr, source: Source, limit: Duration) -> Result<Dialled, DialError> {
    match timeout(limit, connect(next_hop, source)).await {
        Ok(dialled) => dialled,
        Err(_) => Err(DialError::TimedOut),
    }
}

async fn connect(next_hop: SocketAddr, source: Source) -> Result<Dialled, DialError> {
    let Source::Originator(originator) = source else {
        let stream = call(open(next_hop)?, next_hop).await?;
        return finish(stream, 0);
    };
    match call(bound(next_hop, originator)?, next_hop).await {
        // An earlier connection between the same two ends still lingers.
        Err(DialError::Local(error)) if is_taken(&error) => {}
        answered => return finish(answered?, originator.port()),
    }
    let any_port = SocketAddr::new(originator.ip(), 0);
    let stream = call(bound(next_hop, any_port)?, next_hop).await?;
    finish(stream, originator.port())
}

fn open(next_hop: SocketAddr) -> Result<Socket, DialError> {
    // Non-blocking and close-on-exec from the start.
    let socket = Socket::new(Domain::for_address(next_hop), Type::STREAM.nonblocking(), Some(Protocol::TCP))
        .map_err(DialError::Local)?;
    socket.set_tcp_nodelay(true).map_err(DialError::Local)?;
    Ok(socket)
}

/// A socket with somebody else's address; if a listener here has that port, with another port of it.
fn bound(next_hop: SocketAddr, source: SocketAddr) -> Result<Socket, DialError> {
    let socket = open(next_hop)?;
    let transparent = if source.is_ipv4() {
        socket.set_ip_transparent_v4(true)
    } else {
        socket.set_ip_transparent_v6(true)
    };
    // Loopback and the gateway's own addresses need no right; then binding works, and its failure tells.
    let not_transparent = transparent.err();
    // Connections of one originator's port to several next hops share it.
    socket.set_reuse_address(true).map_err(DialError::Local)?;
    match socket.bind(&source.into()) {
        Ok(()) => Ok(socket),
        Err(error) if is_taken(&error) && not_transparent.is_none() => {
            if source.port() == 0 {
                return Err(DialError::Source(error));
            }
            bound(next_hop, SocketAddr::new(source.ip(), 0))
        }
        Err(error) => Err(DialError::Source(not_transparent.unwrap_or(error))),
    }
}

async fn call(socket: Socket, next_hop: SocketAddr) -> Result<TcpStream, DialError> {
    let socket = TcpSocket::from_std_stream(StdStream::from(socket));
    socket.connect(next_hop).await.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => DialError::Refused,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => DialError::Unreachable(error),
        io::ErrorKind::TimedOut => DialError::TimedOut,
        _ => DialError::Local(error),
    })
}

fn finish(stream: TcpStream, wanted_port: u16) -> Result<Dialled, DialError> {
    let local = stream.local_addr().map_err(DialError::Local)?;
    Ok(Dialled { stream, local, other_port: wanted_port != 0 && local.port() != wanted_port })
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable)
}

#[cfg(test)]
mod tests;
