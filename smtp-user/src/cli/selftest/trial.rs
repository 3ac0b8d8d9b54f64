//! The trial: greeting, TLS, EHLO, and one message that is nothing but EICAR.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::cli::probe::line::{self, Line, Target};
use crate::engine::eicar::eicar;
use crate::model::session_id::{MessageId, SessionId};
use crate::model::tls_facts::TlsFacts;
use crate::wire::date_time::date_time;
use crate::wire::smtp::extension;
use crate::wire::smtp::mailbox::is_domain;
use crate::wire::smtp::reply::Reply;

/// What TLS the trial is to be made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Security {
    /// None.
    None,
    /// Asked for in the dialogue.
    Starttls,
    /// From the first octet on.
    Implicit,
}

/// Whom to send EICAR, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial<'a> {
    pub(super) target: Target<'a>,
    pub(super) security: Security,
    pub(super) from: &'a str,
    pub(super) to: Option<&'a str>,
}

/// What was seen, as far as it went.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Both ends of the connection, the client's first.
    pub(super) ends: Option<[SocketAddr; 2]>,
    /// With its code.
    pub(super) greeting: Option<String>,
    pub(super) tls: Option<TlsFacts>,
    /// The certificate that was shown, DER.
    pub(super) leaf: Option<Vec<u8>>,
    /// Why there was no TLS, where it was wanted.
    pub(super) no_tls: Option<String>,
    /// Who the mail was for.
    pub(super) to: String,
    /// The final reply to EICAR.
    pub(super) reply: Option<Reply>,
    /// When the connection was opened, microseconds since 1970.
    pub(super) since: u64,
    /// All of the message was sent.
    pub(super) sent: bool,
    /// Why it went no further.
    pub(super) error: Option<String>,
}

impl Seen {
    /// The session that the final reply names.
    pub(super) fn session(&self) -> Option<SessionId> {
        let text = self.reply.as_ref()?.first_line();
        if let Some((_, rest)) = text.rsplit_once("(session ") {
            return rest.split_once(')')?.0.parse().ok();
        }
        // What is in quarantine or in the spool has the name of the message.
        let (_, id) = text.rsplit_once(" as ")?;
        id.parse::<MessageId>().ok().map(|id| id.session)
    }
}

impl Trial<'_> {
    /// Carries the trial out. What goes wrong is part of what was seen.
    pub(super) async fn carry_out(&self) -> Seen {
        let mut seen = Seen::default();
        if let Err(error) = self.call(&mut seen).await {
            seen.error = Some(error);
        }
        seen
    }

    async fn call(&self, seen: &mut Seen) -> Result<(), String> {
        let target = &self.target;
        seen.since = u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or_default();
        let stream = line::connect(target, &line::look_up(target).await?).await?;
        let ends = stream.local_addr().and_then(|own| Ok([own, stream.peer_addr()?]));
        let [own, address] = ends.map_err(|error| error.to_string())?;
        seen.ends = Some([own, address]);
        let hello = line::hello(own.ip());
        if self.security == Security::Implicit {
            let mut line = Line::new(start_tls(target, stream, address, seen).await?, target);
            seen.greeting = Some(line::greeting(&mut line).await?);
            line.ask(&hello).await?;
            return self.send(&mut line, seen).await;
        }
        let mut line = Line::new(stream, target);
        seen.greeting = Some(line::greeting(&mut line).await?);
        let offer = line.ask(&hello).await?;
        let is_offered =
            extension::lines(&offer).any(|(keyword, _)| keyword.eq_ignore_ascii_case("STARTTLS"));
        if self.security == Security::None {
            return self.send(&mut line, seen).await;
        }
        if !is_offered {
            seen.no_tls = Some("STARTTLS is not offered".to_owned());
            return self.send(&mut line, seen).await;
        }
        let reply = line.ask("STARTTLS").await?;
        if !reply.code().is_completion() {
            seen.no_tls = Some(format!("STARTTLS was answered {} {}", reply.code(), reply.first_line()));
            return self.send(&mut line, seen).await;
        }
        if !line.unread.is_empty() {
            return Err("the server sent plaintext behind its answer to STARTTLS".to_owned());
        }
        let mut line = Line::new(start_tls(target, line.stream, address, seen).await?, target);
        line.ask(&hello).await?;
        self.send(&mut line, seen).await
    }

    async fn send<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        line: &mut Line<'_, S>,
        seen: &mut Seen,
    ) -> Result<(), String> {
        seen.to = self.to.map_or_else(|| postmaster(seen.greeting.as_deref()), str::to_owned);
        for (command, agreed) in [
            (format!("MAIL FROM:<{}>", self.from), 2),
            (format!("RCPT TO:<{}>", seen.to), 2),
            ("DATA".to_owned(), 3),
        ] {
            let reply = line.ask(&command).await?;
            if reply.code().number() / 100 != agreed {
                let what = format!("{command} was answered {} {}", reply.code(), reply.first_line());
                line.quit().await;
                return Err(what);
            }
        }
        line.say("the message", &message(self.from, &seen.to)).await?;
        seen.sent = true;
        seen.reply = Some(line.reply("the answer to the message").await?);
        line.quit().await;
        Ok(())
    }
}

/// The postmaster of whoever greets (RFC 5321 §4.5.1), by the name in the greeting if it gives one.
fn postmaster(greeting: Option<&str>) -> String {
    let name = greeting.and_then(|text| text.split(' ').nth(1)).unwrap_or_default();
    if is_domain(name) && name.contains('.') { format!("postmaster@{name}") } else { "postmaster".to_owned() }
}

/// EICAR, and the fields without which it would be no message. Ends with the final dot; no line begins with one.
fn message(from: &str, to: &str) -> Vec<u8> {
    let now = u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or_default();
    let from = if from.is_empty() { "postmaster@localhost" } else { from };
    let head = format!(
        "From: Postern selftest <{from}>\r\nTo: <{to}>\r\nSubject: Postern selftest: EICAR test string, harmless\r\n\
         Date: {}\r\nMessage-ID: <postern-selftest-{}@localhost>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=us-ascii\r\n\r\n",
        date_time(now),
        now
    );
    [head.as_bytes(), &eicar(), b"\r\n.\r\n"].concat()
}

async fn start_tls<S: AsyncRead + AsyncWrite + Unpin>(
    target: &Target<'_>,
    stream: S,
    address: SocketAddr,
    seen: &mut Seen,
) -> Result<impl AsyncRead + AsyncWrite + Unpin + use<S>, String> {
    let (stream, facts, shown) = line::start_tls(target, stream, address).await?;
    seen.tls = Some(facts);
    seen.leaf = shown.end_entity().map(|leaf| leaf.to_vec());
    Ok(stream)
}
