//! From the call to the point where mail can be sent: greeting, EHLO or HELO, TLS.
//!
//! Whatever fails here is about the host, not about a message: another host may do better, so nothing is final.

use tokio::time::timeout;

use crate::delivery::failure::Failure;
use crate::delivery::letter::Offer;
use crate::delivery::session::{Connection, Manners, Peer};
use crate::model::queued_recipient::RemoteStage;
use crate::model::server_tls::ServerTls;
use crate::transport::dial::{Source, dial};
use crate::transport::stream::{Stream, nothing_waits};
use crate::wire::smtp::extension::{Extension, ExtensionSet, lines};
use crate::wire::smtp::reply::{Reply, ReplyReader};

/// Port with TLS from the first octet on (RFC 8314 §3.3).
const SMTPS_PORT: u16 = 465;

/// Why there is no connection, with what was said until then.
#[derive(Debug)]
pub struct NoConnection {
    /// Why.
    pub failure: Failure,
    /// What was said.
    pub transcript: Vec<String>,
}

impl Connection {
    /// Calls a next hop. Where TLS is wished but not demanded, a handshake that fails is followed by a second call
    /// without it (RFC 7435).
    pub async fn open(peer: Peer, manners: &Manners) -> Result<Self, NoConnection> {
        let needs_tls = needs_tls(&peer, manners);
        let wants_tls = needs_tls || manners.server_tls != ServerTls::Off;
        let first = Self::attempt(peer.clone(), manners, wants_tls).await;
        match first {
            Err(NoConnection { failure, transcript })
                if failure.reply.stage == RemoteStage::Tls && !needs_tls =>
            {
                let mut connection = Self::attempt(peer, manners, false).await?;
                connection.transcript.splice(0..0, transcript);
                Ok(connection)
            }
            other => other,
        }
    }

    async fn attempt(peer: Peer, manners: &Manners, with_tls: bool) -> Result<Self, NoConnection> {
        let by = peer.described();
        let dialled = dial(peer.address, Source::Gateway, manners.timeout).await;
        let stream = match dialled {
            Ok(dialled) => Some(Stream::Plain(dialled.stream)),
            Err(error) => {
                let mut failure = Failure::dial(&error);
                failure.reply.by = by;
                return Err(NoConnection { failure, transcript: Vec::new() });
            }
        };
        let mut connection = Self {
            needs_tls: needs_tls(&peer, manners),
            peer,
            stream,
            reader: ReplyReader::new(),
            input: Vec::new(),
            offer: Offer::default(),
            tls: None,
            timeout: manners.timeout,
            final_timeout: manners.final_timeout,
            transcript: Vec::new(),
            is_broken: false,
            is_open: false,
        };
        let (greeted, is_upgraded) = connection.greet(manners, with_tls).await;
        match greeted {
            Ok(()) => Ok(connection),
            Err(failure) => {
                // Refused in plaintext, a polite end; in the middle of TLS there is nobody to be polite to.
                let mut failure = failure.but_transient();
                failure.reply.by = by;
                let transcript = connection.take_transcript();
                if is_upgraded {
                    connection.quit().await;
                }
                Err(NoConnection { failure, transcript })
            }
        }
    }

    /// Gives with the outcome whether QUIT makes sense.
    async fn greet(&mut self, manners: &Manners, with_tls: bool) -> (Result<(), Failure>, bool) {
        let implicit = self.peer.address.port() == SMTPS_PORT && with_tls;
        if implicit && let Err(failure) = self.handshake(manners).await {
            return (Err(failure), false);
        }
        let greeting = self.reply(RemoteStage::Greeting).await;
        let greeting = match greeting {
            Ok(reply) => reply,
            Err(failure) => return (Err(failure), false),
        };
        if !greeting.code().is_completion() {
            return (Err(Failure::replied(RemoteStage::Greeting, &greeting)), true);
        }
        if let Err(failure) = self.hello(manners).await {
            return (Err(failure), true);
        }
        if !with_tls || self.tls.is_some() {
            return (Ok(()), true);
        }
        if !self.offer.has(Extension::Starttls) {
            let failure = Failure::transient(
                RemoteStage::Hello,
                "4.7.4",
                "the next hop offers no TLS, and nothing may be sent without",
            );
            return (if self.needs_tls { Err(failure) } else { Ok(()) }, true);
        }
        match self.ask("STARTTLS\r\n", RemoteStage::Tls).await {
            Ok(reply) if reply.code().is_completion() => {}
            // Offered and refused: the dialogue goes on in plaintext, if that will do.
            Ok(reply) if self.needs_tls => {
                return (Err(Failure::replied(RemoteStage::Tls, &reply)), true);
            }
            Ok(_) => return (Ok(()), true),
            Err(failure) => return (Err(failure), false),
        }
        if let Err(failure) = self.handshake(manners).await {
            return (Err(failure), false);
        }
        // What was said in plaintext counts for nothing (RFC 3207 §4.2).
        (self.hello(manners).await, true)
    }

    async fn hello(&mut self, manners: &Manners) -> Result<(), Failure> {
        let verified_tls =
            self.tls.as_ref().is_some_and(|facts| facts.verified.as_deref() == Some("verified"));
        let reply = self.ask(&format!("EHLO {}\r\n", manners.hostname), RemoteStage::Hello).await?;
        if reply.code().is_completion() {
            self.offer = Offer { verified_tls, ..offer(&reply) };
            return Ok(());
        }
        if reply.code().is_transient() {
            return Err(Failure::replied(RemoteStage::Hello, &reply));
        }
        let reply = self.ask(&format!("HELO {}\r\n", manners.hostname), RemoteStage::Hello).await?;
        self.offer = Offer { verified_tls, ..Offer::default() };
        if reply.code().is_completion() { Ok(()) } else { Err(Failure::replied(RemoteStage::Hello, &reply)) }
    }

    async fn handshake(&mut self, manners: &Manners) -> Result<(), Failure> {
        let failed = |text: String| Failure::transient(RemoteStage::Tls, "4.7.5", text);
        self.is_broken = true;
        // Anything that came with the answer was not encrypted (CVE-2011-0411).
        if !self.input.is_empty() {
            return Err(failed("the next hop spoke ahead of the handshake".to_owned()));
        }
        let Some(Stream::Plain(tcp)) = self.stream.take() else {
            return Err(failed("there is no plain connection".to_owned()));
        };
        nothing_waits(&tcp).map_err(|error| failed(error.to_string()))?;
        let peer = &self.peer;
        let handshake = manners.tls.connect_as(tcp, peer.address, &peer.host, &peer.demand);
        let (stream, facts, _) = match timeout(self.timeout, handshake).await {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(Failure::timed_out(RemoteStage::Tls)),
        };
        self.stream = Some(Stream::ClientTls(Box::new(stream)));
        let decider = self.peer.demand.decider(manners.server_tls).name();
        let verified = facts.verified.as_deref().unwrap_or_default();
        self.note(&format!("-- {} {}, {verified} (by {decider})", facts.version, facts.cipher));
        self.tls = Some(facts);
        self.reader = ReplyReader::new();
        self.offer = Offer::default();
        self.is_broken = false;
        Ok(())
    }
}

/// Whether nothing may be sent to somebody without TLS.
const fn needs_tls(peer: &Peer, manners: &Manners) -> bool {
    manners.server_tls.is_mandatory() || peer.demand.is_mandatory()
}

/// What a reply to EHLO offers.
fn offer(reply: &Reply) -> Offer {
    let size = lines(reply)
        .find(|(keyword, _)| keyword.eq_ignore_ascii_case("SIZE"))
        .and_then(|(_, rest)| rest.trim().parse().ok());
    Offer { extensions: ExtensionSet::of(reply), size, verified_tls: false }
}
