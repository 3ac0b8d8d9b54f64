//! One mail transaction: MAIL, RCPT for each recipient, the message, and what became of whom.

mod envelope;
mod mail_data;

use crate::delivery::failure::{Failure, remote_reply};
use crate::delivery::letter::{Letter, Outcome};
use crate::delivery::session::Connection;
use crate::model::queued_recipient::{RemoteReply, RemoteStage};
use crate::wire::smtp::extension::Extension;

/// Octets of trace fields and message that are sent before it is known whether anybody takes them: what is lost with a
/// refusal costs less than being asked first.
const UNASKED: u64 = 32 << 10;

/// What was sent behind the last RCPT, before that was answered (RFC 2920 §3.1, RFC 3030 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ahead {
    /// Nothing.
    Nothing,
    /// DATA, without the message.
    Data,
    /// BDAT with the whole message.
    Chunk,
}

impl Connection {
    /// Sends a message. Gives one outcome for each recipient, in their order.
    pub async fn send(&mut self, letter: &Letter) -> Vec<Outcome> {
        let mut outcomes = vec![None; letter.recipients.len()];
        if let Err(failure) = self.transact(letter, &mut outcomes).await {
            for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_none()) {
                *outcome = Some(Outcome::NotDelivered(failure.clone()));
            }
        }
        let nothing = || Outcome::NotDelivered(Failure::closed(RemoteStage::None));
        let by = self.peer.described();
        outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(nothing).by(&by)).collect()
    }

    /// Fills in what each recipient's own answer says; an error is about all others.
    async fn transact(&mut self, letter: &Letter, outcomes: &mut [Option<Outcome>]) -> Result<(), Failure> {
        if let Some(failure) = letter.hindrance(&self.offer) {
            return Err(failure);
        }
        if self.is_open {
            // Of a transaction that came to nothing.
            let reply = self.ask("RSET\r\n", RemoteStage::Mail).await?;
            if !reply.code().is_completion() {
                self.is_broken = true;
                return Err(Failure::replied(RemoteStage::Mail, &reply).but_transient());
            }
        }
        self.is_open = true;
        let ahead = self.ahead(letter);
        let refused = self.envelope(letter, outcomes, ahead).await?;
        let is_wanted = refused.is_none() && outcomes.iter().any(Option::is_none);
        if !is_wanted {
            self.take_back(ahead).await;
            return refused.map_or(Ok(()), Err);
        }
        let reply = match ahead {
            Ahead::Chunk => self.reply(RemoteStage::Final).await?,
            Ahead::Nothing if self.offer.has(Extension::Chunking) => self.send_chunk(letter).await?,
            Ahead::Nothing | Ahead::Data => self.send_data(letter, ahead).await?,
        };
        self.is_open = false;
        if !reply.code().is_completion() {
            self.is_broken |= !reply.code().is_negative();
            return Err(Failure::replied(RemoteStage::Final, &reply));
        }
        let relayed_dsn = self.offer.has(Extension::Dsn);
        for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_none()) {
            *outcome =
                Some(Outcome::Delivered { reply: remote_reply(RemoteStage::Final, &reply), relayed_dsn });
        }
        Ok(())
    }

    /// What can be sent before the envelope was answered.
    fn ahead(&self, letter: &Letter) -> Ahead {
        if !self.offer.has(Extension::Pipelining) {
            Ahead::Nothing
        } else if !self.offer.has(Extension::Chunking) {
            Ahead::Data
        } else if letter.len() <= UNASKED {
            Ahead::Chunk
        } else {
            Ahead::Nothing
        }
    }
}

impl Outcome {
    /// With who said it.
    fn by(mut self, by: &str) -> Self {
        let reply: &mut RemoteReply = match &mut self {
            Self::Delivered { reply, .. } => reply,
            Self::NotDelivered(failure) | Self::TooMany(failure) => &mut failure.reply,
        };
        by.clone_into(&mut reply.by);
        self
    }
}
