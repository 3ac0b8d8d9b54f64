//! Real TCP and UDP between the hosts: echo servers, and clients that check what comes back.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::deadline::SOON;
use crate::netns::NetNs;
use crate::topology::{Family, Topology};

/// A server that sends back whatever it gets; it ends on drop.
#[derive(Debug)]
pub struct EchoServer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The span within which a server notices that it shall end.
const NOTICE: Duration = Duration::from_millis(20);

impl EchoServer {
    /// TCP.
    ///
    /// # Panics
    ///
    /// When the address cannot be bound.
    pub fn tcp(namespace: &NetNs, address: SocketAddr) -> Self {
        let listener = listen(namespace, address);
        listener.set_nonblocking(true).expect("the listener can be made not to block");
        Self::serve(move |stop| {
            while !stop.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let stop = Arc::clone(stop);
                        std::thread::spawn(move || echo(stream, &stop));
                    }
                    Err(_) => std::thread::park_timeout(Duration::from_millis(1)),
                }
            }
        })
    }

    /// UDP.
    ///
    /// # Panics
    ///
    /// When the address cannot be bound.
    pub fn udp(namespace: &NetNs, address: SocketAddr) -> Self {
        let socket = namespace.enter(|| UdpSocket::bind(address).expect("the address can be bound"));
        socket.set_read_timeout(Some(NOTICE)).expect("a read time-out");
        Self::serve(move |stop| {
            let mut buffer = [0; 2048];
            while !stop.load(Ordering::Relaxed) {
                if let Ok((length, peer)) = socket.recv_from(&mut buffer) {
                    // The peer may be gone; it will tell what it misses.
                    let _ = socket.send_to(&buffer[..length], peer);
                }
            }
        })
    }

    fn serve(run: impl FnOnce(&Arc<AtomicBool>) + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        Self { stop, thread: Some(std::thread::spawn(move || run(&flag))) }
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn echo(mut stream: TcpStream, stop: &AtomicBool) {
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(NOTICE));
    let mut buffer = [0; 16_384];
    while !stop.load(Ordering::Relaxed) {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                if stream.write_all(&buffer[..length]).is_err() {
                    return;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
    }
}

/// A listener inside a namespace.
///
/// # Panics
///
/// When the address cannot be bound.
pub fn listen(namespace: &NetNs, address: SocketAddr) -> TcpListener {
    namespace.enter(|| listen_here(address))
}

/// The same in the namespace that the thread is in.
pub(crate) fn listen_here(address: SocketAddr) -> TcpListener {
    let socket =
        Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)).expect("a TCP socket");
    socket.set_reuse_address(true).expect("addresses can be used again");
    socket.bind(&SockAddr::from(address)).expect("the address can be bound");
    socket.listen(128).expect("the socket can listen");
    socket.into()
}

/// Connects from inside a namespace; what the kernel says when it cannot.
pub fn connect(namespace: &NetNs, address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
    connect_from(namespace, None, address, limit)
}

/// Connects from a local address of one's choice.
pub fn connect_from(
    namespace: &NetNs,
    local: Option<SocketAddr>,
    address: SocketAddr,
    limit: Duration,
) -> io::Result<TcpStream> {
    namespace.enter(|| {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if let Some(local) = local {
            socket.bind(&SockAddr::from(local))?;
        }
        socket.connect_timeout(&SockAddr::from(address), limit)?;
        socket.set_tcp_nodelay(true)?;
        socket.set_read_timeout(Some(SOON))?;
        socket.set_write_timeout(Some(SOON))?;
        Ok(socket.into())
    })
}

/// An echo server, and a TCP connection from the client to it that has carried octets both ways.
///
/// # Panics
///
/// When it cannot be connected, or something is lost.
#[track_caller]
pub fn tcp_flow(topology: &Topology, server: SocketAddr) -> (EchoServer, TcpStream) {
    let echo = EchoServer::tcp(&topology.server, server);
    let stream = connect(&topology.client, server, SOON).expect("TCP connects");
    exchange(&stream, 1_000);
    (echo, stream)
}

/// An echo server, and a UDP socket of the client's that is connected to it and has sent nothing yet.
///
/// # Panics
///
/// When an address cannot be bound.
#[track_caller]
pub fn udp_flow(topology: &Topology, server: SocketAddr) -> (EchoServer, UdpProbe) {
    let echo = EchoServer::udp(&topology.server, server);
    let family = if server.is_ipv4() { Family::V4 } else { Family::V6 };
    (echo, UdpProbe::new(&topology.client, SocketAddr::new(family.client(), 0), server))
}

/// Sends a pattern over a TCP connection to an echo server and checks what comes back.
///
/// # Panics
///
/// When something is lost, changed or late.
#[track_caller]
pub fn exchange(stream: &TcpStream, octets: usize) {
    if let Err(error) = try_exchange(stream, octets) {
        panic!("{octets} octets did not come back: {error}");
    }
}

/// As [`exchange`], for use while something else may go wrong.
pub fn try_exchange(stream: &TcpStream, octets: usize) -> io::Result<()> {
    let pattern: Vec<u8> = (0..octets).map(|i| (i % 251) as u8).collect();
    let mut echoed = vec![0; octets];
    std::thread::scope(|scope| {
        let mut writer = stream;
        let writing = scope.spawn({
            let pattern = &pattern;
            move || writer.write_all(pattern)
        });
        let mut reader = stream;
        let read = reader.read_exact(&mut echoed);
        let written = writing.join().unwrap_or_else(|_| Err(io::Error::other("the writer panicked")));
        read.and(written)
    })?;
    if echoed == pattern { Ok(()) } else { Err(io::Error::other("other octets came back")) }
}

/// A UDP socket inside a namespace, connected to a server.
#[derive(Debug)]
pub struct UdpProbe {
    socket: UdpSocket,
}

impl UdpProbe {
    /// A probe with a local address of one's choice (port 0: any).
    ///
    /// # Panics
    ///
    /// When the kernel refuses.
    pub fn new(namespace: &NetNs, local: SocketAddr, server: SocketAddr) -> Self {
        let socket = namespace.enter(|| {
            let socket = UdpSocket::bind(local).expect("the address can be bound");
            socket.connect(server).expect("the socket can be connected");
            socket
        });
        Self { socket }
    }

    /// The address it sends from.
    ///
    /// # Panics
    ///
    /// Never: the socket is bound.
    pub fn local(&self) -> SocketAddr {
        self.socket.local_addr().expect("the socket is bound")
    }

    /// Sends a datagram and waits for it to come back.
    pub fn echoes(&self, octets: &[u8], limit: Duration) -> bool {
        if self.socket.send(octets).is_err() {
            return false;
        }
        let end = Instant::now() + limit;
        let mut buffer = [0; 2048];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.socket.set_read_timeout(Some(left)).is_err() {
                return false;
            }
            match self.socket.recv(&mut buffer) {
                Ok(length) if &buffer[..length] == octets => return true,
                // A late answer to an earlier datagram, or the kernel's word that nobody listens.
                _ => {}
            }
        }
    }
}
