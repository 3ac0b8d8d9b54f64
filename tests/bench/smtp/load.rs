//! The load generator: SMTP clients as tasks of one thread in the client's namespace.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::netns::NetNs;

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// To whom.
    pub(crate) target: SocketAddr,
    /// Connections at once.
    pub(crate) connections: usize,
    /// Messages in one connection; 0: the session ends after EHLO.
    pub(crate) messages_each: usize,
    /// Mail data on the wire, with the final dot.
    pub(crate) data: Arc<Vec<u8>>,
    /// STARTTLS with this, where it is wanted.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// Sessions a second; as many as can be when there is no number.
    pub(crate) rate: Option<f64>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Messages whose final reply was 250.
    pub(crate) messages: u64,
    /// Sessions that were carried to their end.
    pub(crate) sessions: u64,
    /// Sessions that were not, with the first reason.
    pub(crate) failed: u64,
    /// First reason.
    pub(crate) reason: Option<String>,
    /// By the clock, until the last session had ended.
    pub(crate) seconds: f64,
    /// From the call to the end of the session, one a session, sorted; from when it was due where there is a rate.
    pub(crate) latencies: Vec<Duration>,
}

impl Outcome {
    /// The latency that this share of the sessions keeps below.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        #[expect(clippy::cast_sign_loss, reason = "a share is not negative")]
        let index = (last as f64 * share) as usize;
        self.latencies.get(index).copied().unwrap_or_default()
    }
}

impl Load {
    /// Sends for a while from inside a namespace; sessions that were begun are brought to their end.
    pub(crate) fn run(&self, namespace: &NetNs, time: Duration) -> Result<Outcome> {
        let outcome = namespace.run(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(self.send(time)))
        })?;
        ensure!(
            outcome.failed == 0,
            "void: {} of {} sessions failed: {}",
            outcome.failed,
            outcome.failed + outcome.sessions,
            outcome.reason.unwrap_or_default()
        );
        ensure!(outcome.sessions > 0, "void: no session came to its end");
        Ok(outcome)
    }

    async fn send(&self, time: Duration) -> Outcome {
        let start = Instant::now();
        let tasks: Vec<_> = (0..self.connections)
            .map(|number| {
                let load = self.clone();
                tokio::spawn(async move { load.keep_sending(number, start, time).await })
            })
            .collect();
        let mut all = Outcome::default();
        for task in tasks {
            let Ok(outcome) = task.await else { continue };
            all.messages += outcome.messages;
            all.sessions += outcome.sessions;
            all.failed += outcome.failed;
            all.reason = all.reason.or(outcome.reason);
            all.latencies.extend(outcome.latencies);
        }
        all.seconds = start.elapsed().as_secs_f64();
        all.latencies.sort();
        all
    }

    async fn keep_sending(&self, number: usize, start: Instant, time: Duration) -> Outcome {
        let mut outcome = Outcome::default();
        let mut turn = number;
        while start.elapsed() < time && outcome.failed < 3 {
            let mut due = Instant::now();
            if let Some(rate) = self.rate {
                due = start + Duration::from_secs_f64(turn as f64 / rate);
                if due > start + time {
                    break;
                }
                turn += self.connections;
                tokio::time::sleep_until(due.into()).await;
            }
            match tokio::time::timeout(PATIENCE, self.session()).await {
                Ok(Ok(())) => {
                    outcome.sessions += 1;
                    outcome.messages += self.messages_each as u64;
                    outcome.latencies.push(due.elapsed());
                }
                Ok(Err(error)) => {
                    outcome.failed += 1;
                    outcome.reason.get_or_insert_with(|| format!("{error:#}"));
                }
                Err(_) => {
                    outcome.failed += 1;
                    outcome.reason.get_or_insert_with(|| "a session took too long".to_owned());
                }
            }
        }
        outcome
    }

    /// One session.
    async fn session(&self) -> Result<()> {
        let mut line = Vec::with_capacity(512);
        let mut stream = self.greeted(&mut line).await?;
        let Some(tls) = &self.tls else {
            return self.transactions(&mut stream, &mut line).await;
        };
        let mut stream = upgraded(stream, tls, &mut line).await?;
        self.transactions(&mut stream, &mut line).await
    }

    /// Connects and says EHLO.
    async fn greeted(&self, line: &mut Vec<u8>) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(self.target).await?;
        stream.set_nodelay(true)?;
        reply(&mut stream, line, b'2').await?;
        say(&mut stream, b"EHLO src.test\r\n", line, b'2').await?;
        Ok(stream)
    }

    async fn transactions<S>(&self, stream: &mut S, line: &mut Vec<u8>) -> Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        for _ in 0..self.messages_each {
            say(stream, b"MAIL FROM:<a@src.test>\r\n", line, b'2').await?;
            say(stream, b"RCPT TO:<b@dst.test>\r\n", line, b'2').await?;
            say(stream, b"DATA\r\n", line, b'3').await?;
            say(stream, &self.data, line, b'2').await?;
        }
        say(stream, b"QUIT\r\n", line, b'2').await
    }

    /// Opens idle sessions, in TLS where there is TLS, and holds them while `look` runs.
    pub(crate) fn hold<T: Send>(
        &self,
        namespace: &NetNs,
        count: usize,
        look: impl FnOnce() -> Result<T> + Send,
    ) -> Result<T> {
        namespace.run(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let mut held: Vec<Box<dyn std::any::Any>> = Vec::with_capacity(count);
            runtime.block_on(async {
                let mut line = Vec::new();
                for _ in 0..count {
                    let stream = self.greeted(&mut line).await?;
                    match &self.tls {
                        None => held.push(Box::new(stream)),
                        Some(tls) => held.push(Box::new(upgraded(stream, tls, &mut line).await?)),
                    }
                }
                anyhow::Ok(())
            })?;
            look()
        })
    }
}

type TlsStream = tokio_rustls::client::TlsStream<TcpStream>;

async fn upgraded(mut stream: TcpStream, tls: &Arc<ClientConfig>, line: &mut Vec<u8>) -> Result<TlsStream> {
    say(&mut stream, b"STARTTLS\r\n", line, b'2').await?;
    let name = ServerName::try_from("server.test")?;
    let mut stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?;
    say(&mut stream, b"EHLO src.test\r\n", line, b'2').await?;
    Ok(stream)
}

async fn say<S>(stream: &mut S, octets: &[u8], line: &mut Vec<u8>, class: u8) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(octets).await?;
    stream.flush().await?;
    reply(stream, line, class).await
}

/// Reads a whole reply; the server says nothing unasked, so that nothing is left over.
async fn reply<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>, class: u8) -> Result<()> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if !buffer.ends_with(b"\r\n") {
            continue;
        }
        let last =
            buffer[..buffer.len() - 2].iter().rposition(|&octet| octet == b'\n').map_or(0, |at| at + 1);
        if buffer.get(last + 3) == Some(&b'-') {
            continue;
        }
        if buffer[last] != class {
            return Err(anyhow!("the server said {:?}", String::from_utf8_lossy(buffer).trim_end()));
        }
        return Ok(());
    }
}

/// Longest time for one session.
const PATIENCE: Duration = Duration::from_secs(30);
