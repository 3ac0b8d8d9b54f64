//! Messages that are told apart by a number, and what is done to them in a spool.

use std::iter;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use futures_util::future::try_join_all;
use sha2::{Digest as _, Sha256};
use smtp_user::model::queued_message::{QueuedMessage, QueuedSender};
use smtp_user::model::queued_recipient::{QueuedRecipient, RecipientState, RemoteReply};
use smtp_user::model::session_id::{MessageId, SessionId};
use smtp_user::spool::config::Config;
use smtp_user::spool::incoming::Incoming;
use smtp_user::spool::intake::Intake;
use smtp_user::spool::place::Place;
use smtp_user::spool::store::Spool;
use smtp_user::wire::hexadecimal::hexadecimal;

use crate::ledger::{Mark, Seen};

/// Where the file system is mounted that the spool is on: its folder is the file system's own.
pub(crate) const FOLDER: &str = "/run/power/mounted";

/// Some messages are larger than what stands in one file and some are not.
const TOGETHER: u64 = 2000;

/// Messages of a round that come at the same time and may share a file.
const SMALL: u32 = 6;
/// All messages of a round: those, one that is too large to stand in one file, one of the dequeuer's own, one that is kept.
pub(crate) const MESSAGES: u32 = SMALL + 3;
const LARGE: u32 = SMALL;
const OWN: u32 = SMALL + 1;
const KEPT: u32 = SMALL + 2;

/// Octets that each of them has at least.
const SIZES: [usize; MESSAGES as usize] = [100, 900, 300, 500, 1500, 200, 9000, 40_000, 600];

/// Rounds after which nothing is left of one.
const KEPT_ROUNDS: u32 = 2;

/// What the spool is opened with.
pub(crate) fn config(folder: &Path) -> Config {
    Config { min_free_octets: 0, min_free_files: 0, together: TOGETHER, ..Config::within(folder) }
}

fn id(number: u32) -> MessageId {
    MessageId { session: SessionId::new(1_790_000_000_000, [7; 10]), number }
}

/// Octets of a message, different for each.
fn octets(number: u32) -> Vec<u8> {
    let mut octets = format!("Subject: message {number}\r\n\r\n").into_bytes();
    let size = SIZES[(number % MESSAGES) as usize];
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

/// Both sides of a spool, and where marks go.
pub(crate) struct Worker<'w> {
    pub(crate) intake: Intake,
    pub(crate) spool: Spool,
    pub(crate) mark: &'w (dyn Fn(Mark) -> Result<()> + Sync),
}

impl<'w> Worker<'w> {
    /// Opens both sides as a daemon does and its dequeuer.
    pub(crate) fn new(folder: &Path, mark: &'w (dyn Fn(Mark) -> Result<()> + Sync)) -> Result<Self> {
        let intake = Intake::open(&config(folder))?;
        let (spool, _) = Spool::open(&config(folder))?;
        Ok(Self { intake, spool, mark })
    }

    /// Takes nine messages in, seven of them at the same time. Of the small ones of these one is deferred, one finished
    /// after what became of it was written down, and the others stay. Removes what is left of an earlier round, so that
    /// what there is to read does not grow without end; `first` is the first one of these. Gives how many shared a file.
    pub(crate) async fn round(&self, first: u32, number: u32) -> Result<usize> {
        let nth = |n| number * MESSAGES + n;
        // The large one first: while it is synced, the others come together.
        let begun: Vec<_> =
            iter::once(LARGE).chain(0..SMALL).map(|n| self.begin(nth(n))).collect::<Result<_>>()?;
        try_join_all(begun.into_iter().map(|begun| self.receive(begun))).await?;
        let shared = self.hand_over().await?;
        self.defer(nth(0)).await?;
        self.take(nth(OWN), Place::Active).await?;
        self.finish(nth(1)).await?;
        self.take(nth(KEPT), Place::Quarantine).await?;
        self.remove(nth(LARGE)).await?;
        if let Some(earlier) = number.checked_sub(KEPT_ROUNDS).filter(|earlier| *earlier >= first) {
            let left = (0..MESSAGES).filter(|n| ![1, LARGE].contains(n));
            try_join_all(left.map(|n| self.remove(earlier * MESSAGES + n))).await?;
        }
        Ok(shared)
    }

    /// Begins to take a message in as a receiver does.
    fn begin(&self, number: u32) -> Result<(Incoming, QueuedMessage)> {
        let mut incoming = self.intake.begin_new(id(number))?;
        for piece in octets(number).chunks(4096) {
            incoming.write(piece)?;
        }
        Ok((incoming, message(number)))
    }

    async fn receive(&self, (incoming, message): (Incoming, QueuedMessage)) -> Result<()> {
        let number = message.id.number;
        self.intake.commit(incoming, message, Place::Active).await?;
        (self.mark)(Mark::Taken(number))
    }

    /// Tells the dequeuer's side of what the receiver's has taken in.
    async fn hand_over(&self) -> Result<usize> {
        let all = self.intake.taken_in().await;
        let ids: Vec<_> = all.iter().map(|taken_in| taken_in.id).collect();
        let shared = all.iter().filter(|taken_in| taken_in.slot.is_some()).count();
        all.into_iter().try_for_each(|taken_in| self.spool.take_note(taken_in))?;
        self.intake.handed_over(&ids, self.spool.count());
        Ok(shared)
    }

    /// Takes a message in as the dequeuer does with its own.
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

    /// Removes a message from wherever it is.
    pub(crate) async fn remove(&self, number: u32) -> Result<()> {
        (self.mark)(Mark::Removing(number))?;
        self.spool.remove(id(number)).await?;
        (self.mark)(Mark::Removed(number))
    }
}

/// Opens the spool as a daemon does that starts, and reads everything in it.
pub(crate) fn look(folder: &Path) -> Seen {
    let mut seen = Seen::default();
    let config = config(folder);
    let opened = Intake::open(&config).and_then(|intake| Ok((intake, Spool::open(&config)?)));
    let (_intake, (spool, recovered)) = match opened {
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
    body.fill_at(0, &mut room)?;
    if room != octets(message.id.number) {
        bail!("it has other octets");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::{Worker, look};
    use crate::ledger::{Ledger, Mark};

    #[tokio::test]
    async fn what_a_round_promises_is_there_and_some_of_it_shares_files() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Mutex::new(Ledger::default());
        let mark = |mark: Mark| {
            ledger.lock().unwrap().note(mark);
            Ok(())
        };
        let worker = Worker::new(folder.path(), &mark).unwrap();
        let mut shared = Vec::new();
        for number in 0..5 {
            shared.push(worker.round(0, number).await.unwrap());
        }
        drop(worker);
        let seen = look(folder.path());
        let ledger = ledger.lock().unwrap();
        assert_eq!((seen.wrong.as_slice(), ledger.broken(&seen).as_slice()), (&[][..], &[][..]));
        assert_eq!(seen.whole.len(), ledger.promised());
        assert!(shared.iter().sum::<usize>() > 0, "{shared:?}");
    }
}
