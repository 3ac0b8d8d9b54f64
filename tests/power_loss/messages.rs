//! Messages that are told apart by a number, and what is done to them in a spool.

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};
use smtp_user::model::queued_message::{QueuedMessage, QueuedSender};
use smtp_user::model::queued_recipient::{QueuedRecipient, RecipientState, RemoteReply};
use smtp_user::model::session_id::{MessageId, SessionId};
use smtp_user::spool::config::Config;
use smtp_user::spool::place::Place;
use smtp_user::spool::store::Spool;
use smtp_user::wire::hexadecimal::hexadecimal;

use crate::ledger::{Mark, Seen};

/// Where the file system is mounted that the spool is on: its folder is the file system's own.
pub(crate) const FOLDER: &str = "/run/power/mounted";

/// Some messages are larger than what stands in one file and some are not.
const TOGETHER: u64 = 2000;

/// Octets that a message has at least, in turn.
const SIZES: [usize; 5] = [100, 900, 3000, 9000, 40_000];

/// Rounds after which nothing is left of one.
const KEPT_ROUNDS: u32 = 3;

/// What the spool is opened with.
pub(crate) fn config() -> Config {
    Config { min_free_octets: 0, min_free_files: 0, together: TOGETHER, ..Config::within(FOLDER) }
}

fn id(number: u32) -> MessageId {
    MessageId { session: SessionId::new(1_790_000_000_000, [7; 10]), number }
}

/// Octets of a message, different for each.
fn octets(number: u32) -> Vec<u8> {
    let mut octets = format!("Subject: message {number}\r\n\r\n").into_bytes();
    let size = SIZES[number as usize % SIZES.len()];
    while octets.len() < size {
        octets.extend(format!("line {} of message {number}\r\n", octets.len()).bytes());
    }
    octets
}

fn message(number: u32) -> QueuedMessage {
    let octets = octets(number);
    QueuedMessage {
        id: id(number),
        received: 1,
        originator: ([192, 0, 2, 1], 1025).into(),
        destination: ([192, 0, 2, 2], 25).into(),
        rule: 3,
        rule_name: "mail".to_owned(),
        policy: 7,
        resource: "inbound".to_owned(),
        sender: QueuedSender { path: "a@example.org".to_owned(), ..QueuedSender::default() },
        recipients: vec![QueuedRecipient::new("b@example.com")],
        octets: octets.len() as u64,
        sha256: hexadecimal(&Sha256::digest(&octets)),
        trace: "Received: from x\r\n".to_owned(),
        hops: 0,
        judgement: None,
        attempts: 0,
        last_attempt: None,
        hold: None,
        reroute: None,
        about: None,
        version: 1,
    }
}

/// A spool, and where marks go.
pub(crate) struct Worker<'w> {
    pub(crate) spool: Spool,
    pub(crate) mark: &'w (dyn Fn(Mark) -> Result<()> + Sync),
}

impl Worker<'_> {
    /// Takes four messages in, two of them at the same time; defers one, finishes one, has one kept. Removes the three
    /// of an earlier round that are left, so that what there is to read does not grow without end.
    pub(crate) async fn round(&self, number: u32) -> Result<()> {
        let [a, b, c, d] = [1, 2, 3, 4].map(|n| number * 4 + n);
        tokio::try_join!(self.take(a, Place::Active), self.take(b, Place::Active))?;
        self.defer(a).await?;
        self.take(c, Place::Active).await?;
        self.finish(b).await?;
        self.take(d, Place::Quarantine).await?;
        if number >= KEPT_ROUNDS {
            for old in [a, c, d] {
                let old = old - KEPT_ROUNDS * 4;
                (self.mark)(Mark::Removing(old))?;
                self.spool.remove(id(old)).await?;
                (self.mark)(Mark::Removed(old))?;
            }
        }
        Ok(())
    }

    async fn take(&self, number: u32, to: Place) -> Result<()> {
        let mut incoming = self.spool.intake().begin(id(number))?;
        for piece in octets(number).chunks(4096) {
            incoming.write(piece)?;
        }
        self.spool.commit(incoming, message(number), to).await?;
        (self.mark)(Mark::Taken(number))
    }

    async fn defer(&self, number: u32) -> Result<()> {
        self.spool.update(&mut message(number), Place::Deferred).await?;
        (self.mark)(Mark::Deferred(number))
    }

    async fn finish(&self, number: u32) -> Result<()> {
        (self.mark)(Mark::Removing(number))?;
        let mut message = message(number);
        for recipient in &mut message.recipients {
            recipient.state =
                RecipientState::Delivered { at: 3, reply: RemoteReply::default(), relayed_dsn: false };
            recipient.report.ended = true;
        }
        self.spool.update(&mut message, Place::Active).await?;
        self.spool.remove(message.id).await?;
        (self.mark)(Mark::Removed(number))
    }
}

/// Opens the spool as a daemon does that starts, and reads everything in it.
pub(crate) fn look() -> Seen {
    let mut seen = Seen::default();
    let (spool, recovered) = match Spool::open(&config()) {
        Ok(opened) => opened,
        Err(error) => {
            seen.wrong.push(format!("the spool cannot be opened: {error}"));
            return seen;
        }
    };
    seen.wrong.extend(recovered.damaged.iter().map(|(id, why)| format!("{id} is damaged: {why}")));
    seen.wrong.extend(recovered.foreign.iter().map(ToString::to_string));
    for (place, message) in &recovered.messages {
        match compare(&spool, message) {
            Ok(()) => _ = seen.whole.insert(message.id.number, *place),
            Err(error) => seen.wrong.push(format!("{}: {error:#}", message.id)),
        }
    }
    seen
}

fn compare(spool: &Spool, message: &QueuedMessage) -> Result<()> {
    let body = spool.body(message).context("it cannot be read")?;
    let mut room = vec![0; usize::try_from(body.len())?];
    let mut read = 0;
    while read < room.len() {
        match body.read_at(read as u64, &mut room[read..])? {
            0 => break,
            count => read += count,
        }
    }
    if room != octets(message.id.number) {
        bail!("it has other octets");
    }
    Ok(())
}
