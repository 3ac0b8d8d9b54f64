//! The sink: a mail server that takes everything and keeps nothing but counts. It offers what Postfix and Exim offer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::netns::NetNs;

/// A running sink; it ends on drop.
#[derive(Debug)]
pub(crate) struct Sink {
    counts: Arc<Counts>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Counts {
    messages: AtomicU64,
    resumed: AtomicU64,
    handshakes: AtomicU64,
}

impl Sink {
    /// Listens inside a namespace; offers STARTTLS when there is a TLS configuration.
    pub(crate) fn start(
        namespace: &NetNs,
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
    ) -> Result<Self> {
        let counts = Arc::new(Counts::default());
        let (stop, stopped) = oneshot::channel();
        let listener = namespace.run(|| {
            let socket = socket2::Socket::new(
                socket2::Domain::for_address(address),
                socket2::Type::STREAM,
                Some(socket2::Protocol::TCP),
            )?;
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&address.into()).context("binding the sink")?;
            socket.listen(4096)?;
            Ok(std::net::TcpListener::from(socket))
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::clone(&counts);
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                let acceptor = tls.map(TlsAcceptor::from);
                tokio::select! {
                    () = accept(&listener, acceptor.as_ref(), &shared) => {}
                    _ = stopped => {}
                }
            });
        });
        Ok(Self { counts, stop: Some(stop), thread: Some(thread) })
    }

    /// Messages taken so far.
    pub(crate) fn messages(&self) -> u64 {
        self.counts.messages.load(Ordering::Relaxed)
    }

    /// Handshakes so far, and how many of them resumed a session.
    pub(crate) fn handshakes(&self) -> (u64, u64) {
        (self.counts.handshakes.load(Ordering::Relaxed), self.counts.resumed.load(Ordering::Relaxed))
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: &TcpListener, acceptor: Option<&TlsAcceptor>, counts: &Arc<Counts>) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { continue };
        let (acceptor, counts) = (acceptor.cloned(), Arc::clone(counts));
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            // A connection that breaks shows as a message that is missing.
            let _: io::Result<()> = async {
                stream.write_all(b"220 sink.test ESMTP\r\n").await?;
                let Some(acceptor) = acceptor else {
                    return dialogue(&mut stream, false, &counts).await.map(|_| ());
                };
                if dialogue(&mut stream, true, &counts).await? == End::Upgrade {
                    let mut stream = acceptor.accept(stream).await?;
                    counts.handshakes.fetch_add(1, Ordering::Relaxed);
                    if stream.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed) {
                        counts.resumed.fetch_add(1, Ordering::Relaxed);
                    }
                    dialogue(&mut stream, false, &counts).await?;
                    stream.shutdown().await?;
                }
                Ok(())
            }
            .await;
        });
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Upgrade,
    Closed,
}

async fn dialogue<S>(stream: &mut S, starttls: bool, counts: &Counts) -> io::Result<End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer: Vec<u8> = Vec::with_capacity(16 << 10);
    // Replies to commands that came together go out together, as those of real servers do (RFC 2920 §3.2).
    let mut replies: Vec<u8> = Vec::with_capacity(256);
    loop {
        while let Some(end) = buffer.iter().position(|&octet| octet == b'\n') {
            let verb = buffer.get(..4).unwrap_or_default().to_ascii_uppercase();
            let reply: &[u8] = match verb.as_slice() {
                b"EHLO" if starttls => {
                    b"250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-CHUNKING\r\n250-SIZE 0\r\n250 STARTTLS\r\n"
                }
                b"EHLO" => {
                    b"250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-CHUNKING\r\n250 SIZE 0\r\n"
                }
                b"BDAT" => {
                    let line: Vec<u8> = buffer.drain(..=end).collect();
                    chunk(stream, &mut buffer, &mut replies, &line).await?;
                    counts.messages.fetch_add(1, Ordering::Relaxed);
                    replies.extend_from_slice(b"250 2.0.0 taken\r\n");
                    continue;
                }
                b"STAR" => b"220 2.0.0 go ahead\r\n",
                b"DATA" => b"354 go on\r\n",
                b"QUIT" => b"221 2.0.0 bye\r\n",
                _ => b"250 2.0.0 OK\r\n",
            };
            buffer.drain(..=end);
            replies.extend_from_slice(reply);
            match verb.as_slice() {
                b"DATA" => {
                    say(stream, &mut replies).await?;
                    data(stream, &mut buffer).await?;
                    counts.messages.fetch_add(1, Ordering::Relaxed);
                    replies.extend_from_slice(b"250 2.0.0 taken\r\n");
                }
                b"STAR" => return say(stream, &mut replies).await.map(|()| End::Upgrade),
                b"QUIT" => return say(stream, &mut replies).await.map(|()| End::Closed),
                _ => {}
            }
        }
        say(stream, &mut replies).await?;
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(End::Closed);
        }
    }
}

/// Says what there is to be said.
async fn say<S: AsyncWrite + Unpin>(stream: &mut S, replies: &mut Vec<u8>) -> io::Result<()> {
    if !replies.is_empty() {
        stream.write_all(replies).await?;
        stream.flush().await?;
        replies.clear();
    }
    Ok(())
}

/// Reads a message that comes as one chunk, as `BDAT n LAST` says; says what there is to be said before it waits.
async fn chunk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    buffer: &mut Vec<u8>,
    replies: &mut Vec<u8>,
    line: &[u8],
) -> io::Result<()> {
    let count = line.split(|octet| *octet == b' ').nth(1).and_then(|digits| str::from_utf8(digits).ok());
    let octets: usize = count.and_then(|digits| digits.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let mut left = octets.saturating_sub(buffer.len());
    buffer.drain(..octets.min(buffer.len()));
    if left == 0 {
        return Ok(());
    }
    say(stream, replies).await?;
    let mut large = vec![0; left.min(65_536)];
    while left > 0 {
        let room = left.min(large.len());
        let length = stream.read(&mut large[..room]).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= length;
    }
    Ok(())
}

/// Reads up to the final dot. Nobody sends behind it before the reply, but for a QUIT, so it is looked for at the end only.
async fn data<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> io::Result<()> {
    const FINAL: &[u8] = b"\r\n.\r\n";
    const QUIT: &[u8] = b"\r\n.\r\nQUIT\r\n";
    let mut tail = vec![b'\r', b'\n'];
    let mut chunk = std::mem::take(buffer);
    let mut large = vec![0; if chunk.is_empty() { 65_536 } else { 0 }];
    loop {
        tail.extend_from_slice(&chunk[chunk.len().saturating_sub(QUIT.len())..]);
        if tail.ends_with(QUIT) {
            buffer.extend_from_slice(&QUIT[FINAL.len()..]);
            return Ok(());
        }
        if tail.ends_with(FINAL) {
            return Ok(());
        }
        let excess = tail.len().saturating_sub(QUIT.len());
        tail.drain(..excess);
        if large.is_empty() {
            large.resize(65_536, 0);
        }
        let length = stream.read(&mut large).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        chunk.clear();
        chunk.extend_from_slice(&large[length.saturating_sub(QUIT.len())..length]);
    }
}
