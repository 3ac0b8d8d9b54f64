//! The dialogue with a next hop: one connection, any number of messages.
//!
//! Each failure has one meaning. Before the message is sent, a lost connection, a time-out and 421 put all recipients
//! off that have no answer of their own. After the final dot they do so too, although the message may have been taken:
//! it is sent once more rather than lost. A 5yz is final for those whom it is about, and for nobody else.

pub mod call;
mod transaction;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::delivery::failure::Failure;
use crate::delivery::letter::Offer;
use crate::model::queued_recipient::RemoteStage;
use crate::model::server_tls::ServerTls;
use crate::model::tls_demand::TlsDemand;
use crate::model::tls_facts::TlsFacts;
use crate::tls::context::TlsContext;
use crate::transport::stream::Stream;
use crate::wire::smtp::reply::{Reply, ReplyCode, ReplyOutcome, ReplyReader};

/// How next hops are spoken with.
#[derive(Clone, Debug)]
pub struct Manners {
    /// What the gateway calls itself.
    pub hostname: String,
    /// How long a next hop may leave it waiting, at each point but the last.
    pub timeout: Duration,
    /// How long the answer to a message that was sent is waited for.
    pub final_timeout: Duration,
    /// What is asked of TLS.
    pub server_tls: ServerTls,
    /// Makes TLS.
    pub tls: Arc<TlsContext>,
}

/// Somebody to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The name as it was looked for, or the address.
    pub host: String,
    /// The address.
    pub address: SocketAddr,
    /// What its own side asks of TLS.
    pub demand: TlsDemand,
}

impl Peer {
    /// Of whom nothing is asked that the resource does not ask.
    pub fn new(host: String, address: SocketAddr) -> Self {
        Self { host, address, demand: TlsDemand::None }
    }

    /// As in `mx1.example.org [192.0.2.1]:25`.
    pub fn described(&self) -> String {
        format!("{} [{}]:{}", self.host, self.address.ip(), self.address.port())
    }
}

/// A connection over which messages can be sent.
#[derive(Debug)]
pub struct Connection {
    peer: Peer,
    /// `None` once a handshake has failed.
    stream: Option<Stream>,
    reader: ReplyReader,
    input: Vec<u8>,
    offer: Offer,
    tls: Option<TlsFacts>,
    /// Nothing may be sent without TLS.
    needs_tls: bool,
    timeout: Duration,
    final_timeout: Duration,
    transcript: Vec<String>,
    /// Something went wrong after which nobody can tell which reply belongs to what.
    is_broken: bool,
    /// A transaction was begun and not ended.
    is_open: bool,
}

/// Lines of a transcript.
const TRANSCRIPT: usize = 200;

impl Connection {
    /// With whom.
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// What was negotiated, if it is in TLS.
    pub const fn tls(&self) -> Option<&TlsFacts> {
        self.tls.as_ref()
    }

    /// What the next hop offers.
    pub const fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Whether another message can be sent.
    pub const fn is_usable(&self) -> bool {
        !self.is_broken
    }

    /// The dialogue since this was asked last.
    pub fn take_transcript(&mut self) -> Vec<String> {
        std::mem::take(&mut self.transcript)
    }

    /// Waits until the next hop hangs up, or says something that it was not asked: nothing more can be sent then.
    pub async fn disturbed(&mut self) {
        let mut room = [0; 512];
        if let Some(stream) = &mut self.stream
            && self.input.is_empty()
        {
            let _ = stream.read(&mut room).await;
        }
        self.is_broken = true;
    }

    /// Says goodbye.
    pub async fn quit(mut self) {
        const PATIENCE: Duration = Duration::from_secs(5);
        if !self.is_broken && self.write(b"QUIT\r\n", RemoteStage::None).await.is_ok() {
            let _ = timeout(PATIENCE, self.reply(RemoteStage::None)).await;
        }
        if let Some(stream) = &mut self.stream {
            let _ = timeout(PATIENCE, stream.shutdown()).await;
        }
    }

    /// Says a line and waits for the answer.
    async fn ask(&mut self, line: &str, stage: RemoteStage) -> Result<Reply, Failure> {
        self.note_command(line);
        self.write(line.as_bytes(), stage).await?;
        self.reply(stage).await
    }

    async fn write(&mut self, octets: &[u8], stage: RemoteStage) -> Result<(), Failure> {
        let Some(stream) = &mut self.stream else { return Err(Failure::closed(stage)) };
        let written = timeout(self.timeout, async {
            stream.write_all(octets).await?;
            stream.flush().await
        });
        let failure = match written.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(_)) => Failure::closed(stage),
            Err(_) => Failure::timed_out(stage),
        };
        self.is_broken = true;
        Err(failure)
    }

    /// The next reply. 421 ends the connection whatever it answers (RFC 5321 §3.8).
    async fn reply(&mut self, stage: RemoteStage) -> Result<Reply, Failure> {
        let limit = if stage == RemoteStage::Final { self.final_timeout } else { self.timeout };
        let reply = match timeout(limit, self.read_reply(stage)).await {
            Ok(reply) => reply,
            Err(_) => Err(Failure::timed_out(stage)),
        };
        match &reply {
            Ok(reply) => {
                for line in reply.lines().take(TRANSCRIPT) {
                    self.note(&format!("S: {} {line}", reply.code()));
                }
                if reply.code() == ReplyCode::UNAVAILABLE {
                    self.is_broken = true;
                    return Err(Failure::replied(stage, reply));
                }
            }
            Err(failure) => {
                self.is_broken = true;
                self.note(&format!("-- {}", failure.reply.text));
            }
        }
        reply
    }

    async fn read_reply(&mut self, stage: RemoteStage) -> Result<Reply, Failure> {
        loop {
            if !self.input.is_empty() {
                let step = self.reader.feed(&self.input);
                self.input.drain(..step.consumed.min(self.input.len()));
                match step.outcome {
                    ReplyOutcome::Reply(reply) => return Ok(reply),
                    ReplyOutcome::Defect(error) => return Err(Failure::garbled(stage, error)),
                    ReplyOutcome::More => {}
                }
            }
            let mut room = [0; 4096];
            let Some(stream) = &mut self.stream else { return Err(Failure::closed(stage)) };
            match stream.read(&mut room).await {
                Ok(0) | Err(_) => return Err(Failure::closed(stage)),
                Ok(count) => self.input.extend_from_slice(room.get(..count).unwrap_or_default()),
            }
        }
    }

    fn note_command(&mut self, line: &str) {
        self.note(&format!("C: {}", line.trim_end()));
    }

    fn note(&mut self, line: &str) {
        if self.transcript.len() < TRANSCRIPT {
            self.transcript.push(crate::delivery::failure::one_line(line));
        }
    }
}

#[cfg(test)]
pub(crate) mod script;
#[cfg(test)]
mod tests;
