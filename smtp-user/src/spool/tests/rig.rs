//! Messages and spools for the tests.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use sha2::{Digest as _, Sha256};

use super::memory_disk::MemoryDisk;
use crate::model::decision::{Decision, MessageAction, MessageVerdict};
use crate::model::queued_message::{KeptJudgement, QueuedMessage, QueuedSender};
use crate::model::queued_recipient::{QueuedRecipient, RecipientState, RemoteReply};
use crate::model::session_id::{MessageId, SessionId};
use crate::spool::config::Config;
use crate::spool::error::Result;
use crate::spool::place::Place;
use crate::spool::recovery::Recovered;
use crate::spool::store::Spool;
use crate::wire::hexadecimal::hexadecimal;

pub(super) const ROOT: &str = "/spool";

pub(super) fn id(number: u32) -> MessageId {
    MessageId { session: SessionId::new(1_790_000_000_000, [7; 10]), number }
}

/// The number of a message that is larger than all others.
pub(super) const LARGE: u32 = 30;

/// Its octets and their digest, which are made once.
static LARGE_OCTETS: LazyLock<(Vec<u8>, String)> = LazyLock::new(|| {
    let line = format!("{}\r\n", "x".repeat(76));
    let octets =
        format!("Subject: message {LARGE}\r\n\r\n{}", line.repeat(30_000_000 / line.len())).into_bytes();
    let digest = hexadecimal(&Sha256::digest(&octets));
    (octets, digest)
});

/// Octets of a message, different for each.
pub(super) fn octets(number: u32) -> Vec<u8> {
    if number == LARGE {
        return LARGE_OCTETS.0.clone();
    }
    format!("Subject: message {number}\r\n\r\n{}\r\n", "x".repeat(number as usize % 50)).into_bytes()
}

/// What is known of it.
pub(super) fn message(number: u32, recipients: usize) -> QueuedMessage {
    let octets = octets(number);
    let sha256 = || hexadecimal(&Sha256::digest(&octets));
    QueuedMessage {
        id: id(number),
        received: 1,
        originator: "192.0.2.1:1025".parse().unwrap(),
        destination: "192.0.2.2:25".parse().unwrap(),
        rule: 3,
        rule_name: "mail".to_owned(),
        policy: 7,
        resource: "inbound".to_owned(),
        sender: QueuedSender { path: "a@example.org".to_owned(), ..QueuedSender::default() },
        recipients: (0..recipients).map(|n| QueuedRecipient::new(&format!("r{n}@example.com"))).collect(),
        octets: octets.len() as u64,
        sha256: if number == LARGE { LARGE_OCTETS.1.clone() } else { sha256() },
        trace: "Received: from x\r\n".to_owned(),
        hops: 0,
        judgement: Some(KeptJudgement {
            decision: Decision {
                verdict: MessageVerdict::Clean,
                action: MessageAction::Pass,
                why: String::new(),
            },
            at: 2,
            in_dialogue: true,
            engines: vec![("clamd".to_owned(), "1.4".to_owned())],
            by_hand: false,
        }),
        attempts: 0,
        last_attempt: None,
        hold: None,
        reroute: None,
        about: None,
        version: 1,
    }
}

/// Every recipient has it, and nobody is to be told.
pub(super) fn finish(message: &mut QueuedMessage) {
    for recipient in &mut message.recipients {
        recipient.state =
            RecipientState::Delivered { at: 3, reply: RemoteReply::default(), relayed_dsn: false };
        recipient.report.ended = true;
    }
}

/// How many of some messages have a file for their octets.
pub(super) fn apart(numbers: &[u32], together: u64) -> usize {
    numbers.iter().filter(|number| octets(**number).len() as u64 > together).count()
}

pub(super) fn disk() -> MemoryDisk {
    MemoryDisk::with_folder(Path::new(ROOT))
}

/// Octets up to which messages stand in one file: none of those here, some, all.
pub(super) const TOGETHER: [u64; 3] = [0, 26, 1000];

/// Messages stand in one file if their octets are few enough: some do and some do not.
pub(super) fn config() -> Config {
    config_with(26)
}

pub(super) fn config_with(together: u64) -> Config {
    Config { min_free_octets: 0, min_free_files: 0, together, ..Config::within(ROOT) }
}

pub(super) fn open(disk: &MemoryDisk) -> Result<(Spool, Recovered)> {
    Spool::open_with(&config(), Arc::new(disk.clone()), None)
}

pub(super) fn open_with(disk: &MemoryDisk, together: u64) -> Result<(Spool, Recovered)> {
    Spool::open_with(&config_with(together), Arc::new(disk.clone()), None)
}

pub(super) async fn commit(spool: &Spool, number: u32, recipients: usize) -> Result<()> {
    let mut incoming = spool.intake().begin(id(number))?;
    let octets = octets(number);
    for piece in octets.chunks(20.max(octets.len() / 8)) {
        incoming.write(piece)?;
    }
    spool.commit(incoming, message(number, recipients), Place::Active).await
}

/// Messages that are there and whole, by number.
pub(super) fn whole(spool: &Spool, recovered: &Recovered) -> Vec<u32> {
    recovered
        .messages
        .iter()
        .map(|(_, message)| {
            let body = spool.body(message).unwrap();
            let mut room = vec![0; usize::try_from(body.len()).unwrap()];
            body.read_at(0, &mut room).unwrap();
            assert_eq!(room, octets(message.id.number));
            message.id.number
        })
        .collect()
}
