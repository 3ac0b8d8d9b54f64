//! The envelope: MAIL, RCPT for each recipient, and what their replies say (RFC 5321 §3.3).

use super::Ahead;
use crate::delivery::failure::Failure;
use crate::delivery::letter::{Letter, Outcome};
use crate::delivery::session::Connection;
use crate::model::queued_recipient::RemoteStage;
use crate::wire::smtp::extension::Extension;
use crate::wire::smtp::reply::Reply;

/// RCPT commands that are sent before their replies are read: their replies fit into any socket's buffer.
const PIPELINED: usize = 50;

impl Connection {
    /// MAIL and every RCPT, and what is sent behind them. Recipients that are refused have their outcome afterwards; where
    /// the sender was refused, gives why.
    pub(super) async fn envelope(
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
