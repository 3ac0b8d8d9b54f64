//! Messages and quarantines for the tests.

use std::path::Path;
use std::sync::Arc;

use crate::model::decision::{Decision, MessageAction, MessageVerdict};
use crate::model::peers::Peers;
use crate::model::queued_message::{QueuedRecipient, QueuedSender};
use crate::model::session_id::{MessageId, SessionId};
use crate::quarantine::entry::{Entry, Release};
use crate::quarantine::error::Result;
use crate::quarantine::found::Opened;
use crate::quarantine::opening;
use crate::quarantine::store::Store;
use crate::spool::tests::memory_disk::MemoryDisk;

pub(super) const ROOT: &str = "/quarantine";

pub(super) fn id(number: u32) -> MessageId {
    MessageId { session: SessionId::new(1_790_000_000_000, [7; 10]), number }
}

/// Octets of a message, different for each.
pub(super) fn octets(number: u32) -> Vec<u8> {
    format!("Subject: message {number}\r\n\r\n{}\r\n", "x".repeat(number as usize * 100)).into_bytes()
}

/// What is known of it.
pub(super) fn entry(number: u32) -> Entry {
    Entry {
        id: id(number),
        original: false,
        kept: u64::from(number),
        expires: 1000 + u64::from(number),
        peers: Peers {
            originator: "192.0.2.1:1025".parse().unwrap(),
            next_hop: "192.0.2.2:25".parse().unwrap(),
            interface: None,
            interface_index: 0,
            rule: 3,
            rule_name: "mail".to_owned(),
            policy: 7,
            resource: "inbound".to_owned(),
        },
        next_hop: "192.0.2.2:25".parse().unwrap(),
        in_tls: false,
        sender: QueuedSender { path: "a@example.org".to_owned(), ..QueuedSender::default() },
        recipients: vec![QueuedRecipient::new("b@example.com")],
        trace: "Received: from x\r\n".to_owned(),
        decision: Decision {
            verdict: MessageVerdict::Infected,
            action: MessageAction::Refuse,
            why: "Eicar-Test-Signature in part 2 (eicar.com)".to_owned(),
        },
        part_rule: None,
        octets: 0,
        sha256: String::new(),
        parts: Vec::new(),
        engines: Vec::new(),
        release: Release::Held,
        version: 0,
    }
}

pub(super) fn disk() -> MemoryDisk {
    MemoryDisk::with_folder(Path::new(ROOT))
}

pub(super) fn open(disk: &MemoryDisk) -> Result<(Store, Opened)> {
    let store = Store::with(Path::new(ROOT), Arc::new(disk.clone()));
    let opened = opening::prepare(&store, true)?;
    Ok((store, opened))
}

pub(super) async fn keep(store: &Store, number: u32) -> Result<Entry> {
    store.keep(entry(number), &octets(number)).await
}

/// Whether a message is there, whole.
pub(super) fn is_whole(store: &Store, number: u32) -> bool {
    let Ok(entry) = store.get(id(number)) else { return false };
    let Ok(body) = store.body(&entry) else { return false };
    let mut room = vec![0; usize::try_from(body.len()).unwrap()];
    body.read_at(0, &mut room).unwrap();
    room == octets(number)
}
