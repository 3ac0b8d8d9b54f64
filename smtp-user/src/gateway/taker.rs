//! Takes messages over in the place of the next hop: into the spool, so that the final reply can be the gateway's own.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::event::session_event::SessionEvent;
use crate::gateway::hops::HopCounter;
use crate::gateway::message::Message;
use crate::inspect::judgement::Judgement;
use crate::model::peers::Peers;
use crate::model::queued_message::{KeptJudgement, QueuedMessage};
use crate::model::session_id::MessageId;
use crate::session::acceptor::{Acceptor, NotTaken};
use crate::session::relay::RelayLimits;
use crate::spool::error::SpoolError;
use crate::spool::incoming::Incoming;
use crate::spool::intake::Intake;
use crate::spool::place::Place;
use crate::transport::held_message::HoldError;
use crate::wire::hexadecimal::hexadecimal;
use crate::wire::smtp::reply::Reply;

/// What messages are taken over with.
#[derive(Clone, Debug)]
pub struct Reception {
    /// Where they go.
    pub spool: Intake,
    /// How long the final reply waits for the verdict. Without one by then the message is taken, and judged before it is
    /// delivered.
    pub hold: Duration,
    /// Bounds of its sessions.
    pub limits: RelayLimits,
}

/// One session's part of it.
#[derive(Debug)]
pub(crate) struct Taker {
    acceptor: Acceptor,
    reception: Reception,
    judged: Option<KeptJudgement>,
}

/// What is known of a message besides its envelope.
pub(crate) struct Facts {
    pub(crate) id: MessageId,
    pub(crate) peers: Peers,
    pub(crate) trace: String,
    pub(crate) unix_micros: u64,
}

/// Why a message was not taken over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeError {
    /// The session has no envelope: a mistake of the program.
    #[error("there is no envelope")]
    NoEnvelope,
    /// It cannot be read back.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// It cannot be kept.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

impl TakeError {
    /// A word for the record.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::NoEnvelope => "no_envelope",
            Self::Hold(error) => error.name(),
            Self::Spool(error) => error.name(),
        }
    }

    const fn not_taken(&self) -> NotTaken {
        match self {
            Self::Spool(SpoolError::Full { .. } | SpoolError::NoSpace) => NotTaken::NoRoom,
            _ => NotTaken::Failed,
        }
    }
}

impl Taker {
    pub(crate) fn new(hostname: &str, reception: Reception) -> Self {
        let acceptor = Acceptor::new(hostname, reception.limits.max_message_octets);
        Self { acceptor, reception, judged: None }
    }

    pub(crate) fn greeting(&self) -> Reply {
        self.acceptor.greeting()
    }

    /// Bounds of the session.
    pub(crate) const fn limits(&self) -> &RelayLimits {
        &self.reception.limits
    }

    /// How long the final reply waits for the verdict.
    pub(crate) const fn hold(&self) -> Duration {
        self.reception.hold
    }

    /// Answers a command, whose path is not the one that the originator gave if that is named; with why there is no room, if
    /// that is why not.
    pub(crate) fn answer(&mut self, line: &[u8], given: Option<String>) -> (Reply, Option<SpoolError>) {
        let mut refusal = None;
        let spool = &self.reception.spool;
        let reply = self.acceptor.answer(line, |octets| {
            spool.has_room(octets).map_err(|error| {
                let error = TakeError::Spool(error);
                let why = error.not_taken();
                if let TakeError::Spool(error) = error {
                    refusal = Some(error);
                }
                why
            })
        });
        if let Some(given) = given.filter(|_| reply.code().is_completion()) {
            self.acceptor.given(given);
        }
        (reply, refusal)
    }

    /// Takes note of the verdict that was found in the dialogue, or that there was none in time.
    pub(crate) fn judged(&mut self, judgement: Option<&Judgement>, unix_micros: u64) {
        self.judged = judgement.map(|judgement| judgement.to_be_kept(unix_micros, true));
    }

    /// Puts a message into the spool; when this returns, it is there for good or not at all. Gives the reply and what is to
    /// be recorded.
    pub(crate) async fn take_over(
        &mut self,
        message: &Message,
        facts: Facts,
    ) -> (Reply, Result<SessionEvent, TakeError>) {
        let id = facts.id;
        match self.put(message, facts).await {
            Ok(event) => (self.acceptor.taken(id), Ok(event)),
            Err(error) => {
                self.tell(&error);
                (self.acceptor.not_taken(error.not_taken()), Err(error))
            }
        }
    }

    /// What the system had too little for is told of once, not by each message.
    fn tell(&self, error: &TakeError) {
        match error {
            TakeError::Spool(error) if error.is_shortage() => self.reception.spool.met_shortage(error),
            error => tracing::error!(%error, "a message cannot be taken over"),
        }
    }

    async fn put(&mut self, message: &Message, facts: Facts) -> Result<SessionEvent, TakeError> {
        let Facts { id, peers, trace, unix_micros } = facts;
        let envelope = self.acceptor.take_envelope().ok_or(TakeError::NoEnvelope)?;
        let judgement = self.judged.take();
        let (incoming, sha256, hops) = self.write(message, id).await?;
        let octets = incoming.octets();
        let event = SessionEvent::Queued {
            recipients: u32::try_from(envelope.recipients.len()).unwrap_or(u32::MAX),
            octets,
            judged: judgement.is_some(),
        };
        let queued = QueuedMessage {
            id,
            received: unix_micros,
            originator: peers.originator,
            destination: peers.next_hop,
            rule: peers.rule,
            rule_name: peers.rule_name,
            policy: peers.policy,
            resource: peers.resource,
            sender: envelope.sender,
            recipients: envelope.recipients,
            octets,
            sha256,
            trace,
            hops,
            judgement,
            attempts: 0,
            last_attempt: None,
            hold: None,
            reroute: None,
            about: None,
            version: 1,
        };
        self.reception.spool.commit(incoming, queued, Place::Active).await?;
        Ok(event)
    }

    /// Writes its octets; what is written to the disk is, off the asynchronous threads.
    async fn write(&self, message: &Message, id: MessageId) -> Result<(Incoming, String, u32), TakeError> {
        let mut reader = message.reader();
        let (mut digest, mut hops) = (Sha256::new(), HopCounter::default());
        let mut incoming = self.reception.spool.begin_new(id)?;
        while let Some(octets) = reader.next_chunk().await? {
            digest.update(octets);
            hops.push(octets);
            if !incoming.blocks_at(octets.len()) {
                incoming.write(octets)?;
                continue;
            }
            let octets = octets.to_vec();
            let work = tokio::task::spawn_blocking(move || {
                incoming.write(&octets)?;
                Ok::<_, SpoolError>(incoming)
            });
            incoming = work.await.map_err(|_| SpoolError::Closed)??;
        }
        Ok((incoming, hexadecimal(&digest.finalize()), hops.count()))
    }
}
