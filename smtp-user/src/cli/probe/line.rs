//! The connection of a command with a mail server: called, greeted, put into TLS, and talked over line by line.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::model::tls_facts::TlsFacts;
use crate::tls::config::{Config, MinVersion, NextHopTls, OriginatorTls};
use crate::tls::context::TlsContext;
use crate::tls::next_hop_certificate::NextHopCertificate;
use crate::wire::smtp::reply::{Reply, ReplyOutcome, ReplyReader};

/// Whom to ask, and how.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// `HOST:PORT`.
    pub server: &'a str,
    /// TLS from the first octet on.
    pub implicit_tls: bool,
    /// Name that the certificate should prove.
    pub name: Option<&'a str>,
    /// How long each step may take.
    pub step: Duration,
}

/// The addresses of a server's name.
pub async fn look_up(target: &Target<'_>) -> Result<Vec<SocketAddr>, String> {
    Ok(step(target, "the look-up of the name", lookup_host(target.server)).await?.collect())
}

/// The first address that answers.
pub async fn connect(target: &Target<'_>, addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    let mut last = Err(format!("{} has no address", target.server));
    for address in addresses {
        match step(target, &format!("the connection to {address}"), TcpStream::connect(address)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Err(error),
        }
    }
    last
}

/// TLS with whatever certificate the server shows; what that is worth is among the facts.
pub async fn start_tls<S: AsyncRead + AsyncWrite + Unpin>(
    target: &Target<'_>,
    stream: S,
    address: SocketAddr,
) -> Result<(impl AsyncRead + AsyncWrite + Unpin + use<S>, TlsFacts, NextHopCertificate), String> {
    let host = target.server.rsplit_once(':').map_or(target.server, |(host, _)| host);
    let name = target.name.unwrap_or(host);
    // An address in HOST is what the connector takes by itself.
    let server_name = match name.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(_) => None,
        Err(_) => Some(
            ServerName::try_from(name.to_owned()).map_err(|_| format!("`{name}` is no name of a server"))?,
        ),
    };
    let config = Config {
        originator: OriginatorTls::Off,
        next_hop: NextHopTls { verify: false, trust: None, server_name },
        min_version: MinVersion::default(),
    };
    let context = TlsContext::new(config).map_err(|error| error.to_string())?;
    step(target, "the TLS handshake", context.connect(stream, address)).await
}

/// The greeting with its code, if it is a welcome.
pub async fn greeting<S: AsyncRead + AsyncWrite + Unpin>(line: &mut Line<'_, S>) -> Result<String, String> {
    let reply = line.reply("the greeting").await?;
    let text = format!("{} {}", reply.code(), reply.first_line());
    if reply.code().is_completion() { Ok(text) } else { Err(format!("the greeting was {text}")) }
}

/// EHLO with the address that is called from (RFC 5321 §4.1.3): a probe has no name.
pub fn hello(own: IpAddr) -> String {
    match own.to_canonical() {
        IpAddr::V4(address) => format!("EHLO [{address}]"),
        IpAddr::V6(address) => format!("EHLO [IPv6:{address}]"),
    }
}

/// A connection on which lines are said and replies are heard.
pub struct Line<'t, S> {
    /// What it goes over.
    pub stream: S,
    target: &'t Target<'t>,
    reader: ReplyReader,
    /// What came behind the last reply.
    pub unread: Vec<u8>,
}

/// Octets read at once.
const READ_OCTETS: usize = 4096;

impl<'t, S: AsyncRead + AsyncWrite + Unpin> Line<'t, S> {
    /// With nothing said yet.
    pub fn new(stream: S, target: &'t Target<'t>) -> Self {
        Self { stream, target, reader: ReplyReader::new(), unread: Vec::new() }
    }

    /// Says a line and hears the reply.
    pub async fn ask(&mut self, command: &str) -> Result<Reply, String> {
        let verb = command.split(' ').next().unwrap_or_default();
        self.say(verb, format!("{command}\r\n").as_bytes()).await?;
        self.reply(&format!("the answer to {verb}")).await
    }

    /// Sends octets.
    pub async fn say(&mut self, what: &str, octets: &[u8]) -> Result<(), String> {
        step(self.target, what, self.stream.write_all(octets)).await?;
        step(self.target, what, self.stream.flush()).await
    }

    /// Hears a reply.
    pub async fn reply(&mut self, what: &str) -> Result<Reply, String> {
        timeout(self.target.step, self.read_reply(what))
            .await
            .unwrap_or_else(|_| Err(format!("{what} did not come within {:?}", self.target.step)))
    }

    async fn read_reply(&mut self, what: &str) -> Result<Reply, String> {
        loop {
            let fed = self.reader.feed(&self.unread);
            self.unread.drain(..fed.consumed.min(self.unread.len()));
            match fed.outcome {
                ReplyOutcome::Reply(reply) => return Ok(reply),
                ReplyOutcome::Defect(error) => return Err(format!("{what} is no SMTP: {error}")),
                ReplyOutcome::More => {}
            }
            let mut octets = [0; READ_OCTETS];
            let count = self.stream.read(&mut octets).await.map_err(|error| format!("{what}: {error}"))?;
            if count == 0 {
                return Err(format!("the server closed the connection before {what}"));
            }
            self.unread.extend_from_slice(octets.get(..count).unwrap_or_default());
        }
    }

    /// Takes its leave. Nothing hangs on the answer.
    pub async fn quit(&mut self) {
        let _ = self.ask("QUIT").await;
    }
}

/// A step with its time-out, and what it was when it fails.
async fn step<T, E: std::fmt::Display>(
    target: &Target<'_>,
    what: &str,
    future: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    match timeout(target.step, future).await {
        Ok(result) => result.map_err(|error| format!("{what}: {error}")),
        Err(_) => Err(format!("{what} took longer than {:?}", target.step)),
    }
}
