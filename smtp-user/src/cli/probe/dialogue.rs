//! The dialogue of a probe: greeting, EHLO, STARTTLS, EHLO again, QUIT. Never MAIL.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustls::pki_types::ServerName;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::model::tls_facts::TlsFacts;
use crate::tls::config::{Config, MinVersion, NextHopTls, OriginatorTls};
use crate::tls::context::TlsContext;
use crate::wire::smtp::extension::{self, Extension};
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

/// What was found out, as far as it went.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// As it was given.
    pub server: String,
    /// Address that was called.
    pub address: Option<SocketAddr>,
    /// First line of the greeting, with its code.
    pub greeting: Option<String>,
    /// What EHLO was answered with, before TLS.
    pub keywords: Vec<Keyword>,
    /// Whether STARTTLS was offered; null when nobody could tell.
    pub starttls: Option<bool>,
    /// What TLS was agreed upon.
    pub tls: Option<TlsFacts>,
    /// What EHLO was answered with within TLS.
    pub keywords_in_tls: Vec<Keyword>,
    /// Why it went no further.
    pub error: Option<String>,
}

/// An EHLO keyword.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Keyword {
    /// The word.
    pub keyword: String,
    /// What stands behind it.
    pub parameters: String,
    /// Whether the gateway lets originators know of it. It may still leave a mechanism of AUTH away.
    pub passed_on: bool,
}

impl Report {
    /// Whether a mail server answered.
    pub fn speaks_smtp(&self) -> bool {
        !self.keywords.is_empty() || !self.keywords_in_tls.is_empty() || self.starttls.is_some()
    }
}

/// Asks a server. What goes wrong is part of the answer.
pub async fn probe(target: &Target<'_>) -> Report {
    let mut report = Report { server: target.server.to_owned(), ..Report::default() };
    if let Err(error) = ask(target, &mut report).await {
        report.error = Some(error);
    }
    report
}

async fn ask(target: &Target<'_>, report: &mut Report) -> Result<(), String> {
    let addresses: Vec<SocketAddr> =
        step(target, "the look-up of the name", lookup_host(target.server)).await?.collect();
    let stream = connect(target, &addresses).await?;
    let address = stream.peer_addr().map_err(|error| error.to_string())?;
    report.address = Some(address);
    let hello = hello(stream.local_addr().map_err(|error| error.to_string())?.ip());
    if target.implicit_tls {
        let stream = start_tls(target, stream, address, report).await?;
        let mut line = Line::new(stream, target);
        report.greeting = Some(greeting(&mut line).await?);
        report.keywords_in_tls = keywords(&line.ask(&hello).await?)?;
        line.quit().await;
        return Ok(());
    }
    let mut line = Line::new(stream, target);
    report.greeting = Some(greeting(&mut line).await?);
    let reply = line.ask(&hello).await?;
    report.keywords = keywords(&reply)?;
    let offered = report.keywords.iter().any(|keyword| keyword.keyword.eq_ignore_ascii_case("STARTTLS"));
    report.starttls = Some(offered);
    if !offered {
        line.quit().await;
        return Ok(());
    }
    let reply = line.ask("STARTTLS").await?;
    if !reply.code().is_completion() {
        let refused = format!("STARTTLS was answered {} {}", reply.code(), reply.first_line());
        line.quit().await;
        return Err(refused);
    }
    if !line.unread.is_empty() {
        return Err("the server sent plaintext behind its answer to STARTTLS".to_owned());
    }
    let stream = start_tls(target, line.stream, address, report).await?;
    let mut line = Line::new(stream, target);
    report.keywords_in_tls = keywords(&line.ask(&hello).await?)?;
    line.quit().await;
    Ok(())
}

/// The first address that answers.
async fn connect(target: &Target<'_>, addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    let mut last = Err(format!("{} has no address", target.server));
    for address in addresses {
        match step(target, &format!("the connection to {address}"), TcpStream::connect(address)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Err(error),
        }
    }
    last
}

async fn start_tls<S: AsyncRead + AsyncWrite + Unpin>(
    target: &Target<'_>,
    stream: S,
    address: SocketAddr,
    report: &mut Report,
) -> Result<impl AsyncRead + AsyncWrite + Unpin + use<S>, String> {
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
    let (stream, facts, _) = step(target, "the TLS handshake", context.connect(stream, address)).await?;
    report.tls = Some(facts);
    Ok(stream)
}

async fn greeting<S: AsyncRead + AsyncWrite + Unpin>(line: &mut Line<'_, S>) -> Result<String, String> {
    let reply = line.reply("the greeting").await?;
    let text = format!("{} {}", reply.code(), reply.first_line());
    if reply.code().is_completion() { Ok(text) } else { Err(format!("the greeting was {text}")) }
}

fn keywords(reply: &Reply) -> Result<Vec<Keyword>, String> {
    if !reply.code().is_completion() {
        return Err(format!("EHLO was answered {} {}", reply.code(), reply.first_line()));
    }
    let keyword = |(keyword, parameters): (&str, &str)| Keyword {
        keyword: keyword.to_owned(),
        parameters: parameters.to_owned(),
        passed_on: Extension::of(keyword).is_some(),
    };
    Ok(extension::lines(reply).map(keyword).collect())
}

/// EHLO with the address that is called from (RFC 5321 §4.1.3): a probe has no name.
fn hello(own: IpAddr) -> String {
    match own.to_canonical() {
        IpAddr::V4(address) => format!("EHLO [{address}]"),
        IpAddr::V6(address) => format!("EHLO [IPv6:{address}]"),
    }
}

/// A connection on which lines are said and replies are heard.
struct Line<'t, S> {
    stream: S,
    target: &'t Target<'t>,
    reader: ReplyReader,
    unread: Vec<u8>,
}

/// Octets read at once.
const READ_OCTETS: usize = 4096;

impl<'t, S: AsyncRead + AsyncWrite + Unpin> Line<'t, S> {
    fn new(stream: S, target: &'t Target<'t>) -> Self {
        Self { stream, target, reader: ReplyReader::new(), unread: Vec::new() }
    }

    async fn ask(&mut self, command: &str) -> Result<Reply, String> {
        let verb = command.split(' ').next().unwrap_or_default();
        let octets = format!("{command}\r\n");
        step(self.target, verb, self.stream.write_all(octets.as_bytes())).await?;
        step(self.target, verb, self.stream.flush()).await?;
        self.reply(&format!("the answer to {verb}")).await
    }

    async fn reply(&mut self, what: &str) -> Result<Reply, String> {
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
    async fn quit(&mut self) {
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
