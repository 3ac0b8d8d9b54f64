//! Thousands of connections at once: clients that get so far in the dialogue and no further, and a next hop for them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;

use crate::netns::NetNs;

/// A thread with a runtime of its own inside a namespace; it ends on drop.
#[derive(Debug)]
struct Inside {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Inside {
    fn run<F: Future<Output = ()>>(namespace: &NetNs, work: impl FnOnce() -> F + Send + 'static) -> Self {
        let (stop, stopped) = oneshot::channel();
        let path = namespace.path();
        let thread = std::thread::spawn(move || {
            let file = std::fs::File::open(path).expect("the namespace's file can be opened");
            nix::sched::setns(file, nix::sched::CloneFlags::CLONE_NEWNET)
                .expect("the namespace can be entered");
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    () = work() => {}
                    _ = stopped => {}
                }
            });
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A next hop that agrees to everything, keeps nothing, and answers HELP at length.
#[derive(Debug)]
pub struct Sink(#[expect(dead_code, reason = "it ends on drop")] Inside);

impl Sink {
    /// Listens inside a namespace.
    ///
    /// # Panics
    ///
    /// When the address cannot be bound.
    pub fn start(namespace: &NetNs, address: SocketAddr) -> Self {
        let listener = namespace.enter(|| {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))
                .expect("a TCP socket");
            socket.set_reuse_address(true).expect("addresses can be used again");
            socket.set_nonblocking(true).expect("the socket can be made not to block");
            socket.bind(&address.into()).expect("the address can be bound");
            socket.listen(4096).expect("the socket can listen");
            std::net::TcpListener::from(socket)
        });
        Self(Inside::run(namespace, move || async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    // A connection that breaks is missed by the other end, if by anybody.
                    tokio::spawn(async move { drop(agree(stream).await) });
                }
            }
        }))
    }
}

async fn agree(stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::with_capacity(512, stream);
    stream.write_all(b"220 sink.test ESMTP\r\n").await?;
    let mut line = Vec::new();
    let mut in_data = false;
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        if in_data {
            if line == b".\r\n" {
                in_data = false;
                stream.write_all(b"250 2.0.0 taken\r\n").await?;
            }
            continue;
        }
        in_data = line.starts_with(b"DATA");
        let long;
        let reply: &[u8] = match line.get(..4).unwrap_or_default() {
            b"EHLO" => b"250-sink.test\r\n250-PIPELINING\r\n250 SIZE 0\r\n",
            b"DATA" => b"354 go on\r\n",
            b"QUIT" => b"221 2.0.0 bye\r\n",
            b"HELP" => {
                long = format!("214-{}\r\n", "x".repeat(74)).repeat(HELP_LINES) + "214 that is all\r\n";
                long.as_bytes()
            }
            _ => b"250 2.0.0 ok\r\n",
        };
        stream.write_all(reply).await?;
    }
}

/// Lines of 80 octets in the answer to HELP.
const HELP_LINES: usize = 200;

/// How far a slow client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slowness {
    /// It says EHLO, and then an octet of a command now and then.
    Command,
    /// It begins a message and sends none.
    Data,
    /// It is told to begin TLS, and does not.
    Handshake,
    /// It asks for much and reads nothing.
    Replies,
}

/// Slow clients. They hold on until they are dropped, whatever the server does.
#[derive(Debug)]
pub struct Crowd {
    _inside: Inside,
    ready: Arc<AtomicU32>,
    failed: Arc<AtomicU32>,
}

/// Clients that connect at the same time.
const CALLING: usize = 200;
/// How often an octet of a command is sent.
const DRIP: Duration = Duration::from_secs(3);

impl Crowd {
    /// Begins to call a server from inside a namespace: each client from its address.
    pub fn call(namespace: &NetNs, server: SocketAddr, clients: Vec<(IpAddr, Slowness)>) -> Self {
        let (ready, failed) = (Arc::<AtomicU32>::default(), Arc::<AtomicU32>::default());
        let counts = (Arc::clone(&ready), Arc::clone(&failed));
        let inside = Inside::run(namespace, move || async move {
            let calling = Arc::new(tokio::sync::Semaphore::new(CALLING));
            for (address, slowness) in clients {
                let permit = Arc::clone(&calling).acquire_owned().await;
                let (ready, failed) = (Arc::clone(&counts.0), Arc::clone(&counts.1));
                tokio::spawn(async move {
                    let got_there = get_there(address, server, slowness).await;
                    drop(permit);
                    match got_there {
                        Ok(stream) => {
                            ready.fetch_add(1, Ordering::Relaxed);
                            hold(stream, slowness).await;
                        }
                        Err(_) => drop(failed.fetch_add(1, Ordering::Relaxed)),
                    }
                });
            }
            std::future::pending::<()>().await;
        });
        Self { _inside: inside, ready, failed }
    }

    /// How many got as far as they wanted, and how many were turned away.
    pub fn counts(&self) -> (u32, u32) {
        (self.ready.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }
}

async fn get_there(own: IpAddr, server: SocketAddr, slowness: Slowness) -> io::Result<BufReader<TcpStream>> {
    let socket = if own.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if slowness == Slowness::Replies {
        socket.set_recv_buffer_size(4096)?;
    }
    socket.bind(SocketAddr::new(own, 0))?;
    let mut stream = BufReader::with_capacity(512, socket.connect(server).await?);
    expect(&mut stream, b"220").await?;
    say(&mut stream, b"EHLO slow.test\r\n", b"250").await?;
    match slowness {
        Slowness::Command => {}
        Slowness::Data => {
            say(&mut stream, b"MAIL FROM:<a@client.test>\r\n", b"250").await?;
            say(&mut stream, b"RCPT TO:<b@server.test>\r\n", b"250").await?;
            say(&mut stream, b"DATA\r\n", b"354").await?;
        }
        Slowness::Handshake => say(&mut stream, b"STARTTLS\r\n", b"220").await?,
        Slowness::Replies => stream.write_all(&b"HELP\r\n".repeat(90)).await?,
    }
    Ok(stream)
}

async fn say(stream: &mut BufReader<TcpStream>, line: &[u8], code: &[u8]) -> io::Result<()> {
    stream.write_all(line).await?;
    expect(stream, code).await
}

/// Reads a reply to its last line.
async fn expect(stream: &mut BufReader<TcpStream>, code: &[u8]) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        stream.read_until(b'\n', &mut line).await?;
        if !line.starts_with(code) {
            return Err(io::Error::other(String::from_utf8_lossy(&line).into_owned()));
        }
        if line.get(3) == Some(&b' ') {
            return Ok(());
        }
    }
}

async fn hold(mut stream: BufReader<TcpStream>, slowness: Slowness) {
    if slowness != Slowness::Command {
        return std::future::pending().await;
    }
    let mut octet = [0; 64];
    loop {
        tokio::select! {
            read = stream.read(&mut octet) => if !matches!(read, Ok(1..)) { return },
            () = tokio::time::sleep(DRIP) => {}
        }
        let _ = stream.write_all(b"N").await;
    }
}
