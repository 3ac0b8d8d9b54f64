//! One mail transaction: MAIL, RCPT for each recipient, the message, and what became of whom.

use crate::delivery::failure::{Failure, remote_reply};
use crate::delivery::letter::{Letter, Outcome};
use crate::delivery::session::Connection;
use crate::model::queued_recipient::{RemoteReply, RemoteStage};
use crate::wire::smtp::data::DotStuffer;
use crate::wire::smtp::extension::Extension;
use crate::wire::smtp::reply::Reply;

/// RCPT commands that are sent before their replies are read: their replies fit into any socket's buffer.
const PIPELINED: usize = 50;
/// Octets of a message that are written at a time.
const BLOCK: usize = 32 << 10;
/// Octets of trace fields and message that are sent before it is known whether anybody takes them: what is lost with a
/// refusal costs less than being asked first.
const UNASKED: u64 = 32 << 10;
const DATA: &str = "DATA\r\n";

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

    /// MAIL and every RCPT, and what is sent behind them. Recipients that are refused have their outcome afterwards; where
    /// the sender was refused, gives why.
    async fn envelope(
        &mut self,
        letter: &Letter,
        outcomes: &mut [Option<Outcome>],
        ahead: Ahead,
    ) -> Result<Option<Failure>, Failure> {
        let mail = letter.mail(&self.offer);
        let pipelining = self.offer.has(Extension::Pipelining);
        if !pipelining {
            let reply = self.ask(&mail, RemoteStage::Mail).await?;
            check(&reply, RemoteStage::Mail)?;
        }
        let mut mail = pipelining.then_some(mail);
        let mut accepted = 0;
        let batch = if pipelining { PIPELINED } else { 1 };
        let mut left = letter.recipients.len();
        for (recipients, outcomes) in letter.recipients.chunks(batch).zip(outcomes.chunks_mut(batch)) {
            left -= recipients.len();
            let with_mail = mail.take();
            let stage = if with_mail.is_some() { RemoteStage::Mail } else { RemoteStage::Rcpt };
            let unasked = if left == 0 && ahead == Ahead::Chunk { letter.len() } else { 0 };
            let mut octets = Vec::with_capacity(usize::try_from(unasked).unwrap_or(0) + 512);
            let lines = recipients.iter().map(|recipient| Letter::rcpt(recipient, &self.offer));
            for line in with_mail.into_iter().chain(lines.collect::<Vec<_>>()) {
                self.note_command(&line);
                octets.extend_from_slice(line.as_bytes());
            }
            if left == 0 {
                self.add(ahead, letter, &mut octets)?;
            }
            self.write(&octets, stage).await?;
            let mut refused = None;
            if stage == RemoteStage::Mail {
                let reply = self.reply(RemoteStage::Mail).await?;
                refused = check(&reply, RemoteStage::Mail).err();
            }
            for outcome in outcomes {
                let reply = match (self.reply(RemoteStage::Rcpt).await, &refused) {
                    (Ok(_), Some(_)) => continue,
                    (Ok(reply), None) => reply,
                    // After a refused MAIL the answers to RCPT only say that there is no transaction.
                    (Err(_), Some(refused)) => return Err(refused.clone()),
                    (Err(failure), None) => return Err(failure),
                };
                match rcpt_outcome(&reply, accepted) {
                    Some(not_taken) => *outcome = Some(not_taken),
                    None => accepted += 1,
                }
            }
            match refused {
                // The rest was not sent.
                Some(refused) if left > 0 => return Err(refused),
                Some(refused) => return Ok(Some(refused)),
                None => {}
            }
        }
        Ok(None)
    }

    /// Adds to a group of commands what is sent behind them.
    fn add(&mut self, ahead: Ahead, letter: &Letter, octets: &mut Vec<u8>) -> Result<(), Failure> {
        match ahead {
            Ahead::Nothing => {}
            Ahead::Data => {
                self.note_command(DATA);
                octets.extend_from_slice(DATA.as_bytes());
            }
            Ahead::Chunk => {
                octets.extend_from_slice(&self.chunk(letter));
                let length = usize::try_from(letter.octets.len()).unwrap_or(0);
                let begin = octets.len();
                octets.resize(begin + length, 0);
                let room = octets.get_mut(begin..).unwrap_or_default();
                match letter.octets.fill_at(0, room) {
                    Ok(filled) if filled == length => {}
                    Ok(_) | Err(_) => return Err(self.unreadable()),
                }
            }
        }
        Ok(())
    }

    /// Ends what was sent ahead for nobody. What is said of it is heard, and tells nothing about any recipient.
    async fn take_back(&mut self, ahead: Ahead) {
        let reply = match ahead {
            Ahead::Nothing => return,
            Ahead::Chunk => self.reply(RemoteStage::Final).await,
            Ahead::Data => match self.reply(RemoteStage::Data).await {
                // Who takes nobody's message gets none (RFC 2920 §3.1).
                Ok(reply) if reply.code().is_intermediate() => self.ask(".\r\n", RemoteStage::Final).await,
                said => said,
            },
        };
        let is_refused = reply.is_ok_and(|reply| reply.code().is_negative());
        // One that says it took something for nobody is not understood.
        self.is_broken |= !is_refused;
    }

    async fn send_data(&mut self, letter: &Letter, ahead: Ahead) -> Result<Reply, Failure> {
        let reply = match ahead {
            Ahead::Data => self.reply(RemoteStage::Data).await?,
            _ => self.ask(DATA, RemoteStage::Data).await?,
        };
        if !reply.code().is_intermediate() {
            // 2yz makes no sense here, and leaves nobody knowing what the next hop waits for.
            self.is_broken |= reply.code().is_completion();
            let failure = Failure::replied(RemoteStage::Data, &reply);
            return Err(if reply.code().is_negative() { failure } else { failure.but_transient() });
        }
        let mut stuffer = DotStuffer::new();
        let mut block = Vec::with_capacity(BLOCK + BLOCK / 8);
        stuffer.stuff(letter.trace.as_bytes(), &mut block);
        let mut at = 0;
        loop {
            let octets = self.read_block(letter, at)?;
            at += octets.len() as u64;
            if octets.is_empty() {
                break;
            }
            stuffer.stuff(&octets, &mut block);
            self.write_block(&block).await?;
            block.clear();
        }
        stuffer.finish(&mut block);
        self.note("C: (message) .");
        self.write_block(&block).await?;
        self.reply(RemoteStage::Final).await
    }

    /// The BDAT command for the whole message, and what stands before that.
    fn chunk(&mut self, letter: &Letter) -> Vec<u8> {
        let command = format!("BDAT {} LAST\r\n", letter.len());
        self.note_command(&command);
        let mut octets = command.into_bytes();
        octets.extend_from_slice(letter.trace.as_bytes());
        octets
    }

    async fn send_chunk(&mut self, letter: &Letter) -> Result<Reply, Failure> {
        let mut block = self.chunk(letter);
        let mut at = 0;
        loop {
            let octets = self.read_block(letter, at)?;
            at += octets.len() as u64;
            block.extend_from_slice(&octets);
            self.write_block(&block).await?;
            block.clear();
            if octets.is_empty() {
                break;
            }
        }
        self.reply(RemoteStage::Final).await
    }

    /// Octets of the message. A message that ends early or cannot be read must not be ended as if it were whole.
    fn read_block(&mut self, letter: &Letter, at: u64) -> Result<Vec<u8>, Failure> {
        let left = letter.octets.len().saturating_sub(at);
        let mut room = vec![0; BLOCK.min(usize::try_from(left).unwrap_or(BLOCK))];
        if !room.is_empty() {
            match letter.octets.read_at(at, &mut room) {
                Ok(count) if count > 0 => room.truncate(count),
                Ok(_) | Err(_) => return Err(self.unreadable()),
            }
        }
        Ok(room)
    }

    /// The connection is of no use any more: the next hop may wait for the rest.
    fn unreadable(&mut self) -> Failure {
        self.is_broken = true;
        Failure::transient(RemoteStage::Data, "4.3.0", "the message cannot be read from the spool")
    }

    /// Writes a piece of the message. A next hop that hangs up may have said why.
    async fn write_block(&mut self, octets: &[u8]) -> Result<(), Failure> {
        let Err(failure) = self.write(octets, RemoteStage::Data).await else { return Ok(()) };
        match self.reply(RemoteStage::Data).await {
            Ok(reply) if reply.code().is_negative() => Err(Failure::replied(RemoteStage::Data, &reply)),
            Err(said) if said.reply.code != 0 => Err(said),
            _ => Err(failure),
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

/// Any answer but 2yz is a refusal; one that makes no sense may pass.
fn check(reply: &Reply, stage: RemoteStage) -> Result<(), Failure> {
    if reply.code().is_completion() { Ok(()) } else { Err(Failure::replied(stage, reply)) }
}

/// What a reply to RCPT says of its recipient, unless it was taken. 552 for too many is an old mistake (RFC 5321
/// §4.5.3.1.10) and no verdict on the recipient.
fn rcpt_outcome(reply: &Reply, accepted: u32) -> Option<Outcome> {
    let failure = check(reply, RemoteStage::Rcpt).err()?;
    let too_many = matches!(reply.code().number(), 452 | 552) && accepted > 0;
    let is_old_mistake = reply.code().number() == 552;
    let failure = if is_old_mistake && !failure.reply.status.starts_with("5.2") {
        failure.but_transient()
    } else {
        failure
    };
    let is_full = failure.permanent || failure.reply.status.starts_with("4.2");
    Some(if too_many && !is_full { Outcome::TooMany(failure) } else { Outcome::NotDelivered(failure) })
}
