//! A message in quarantine, for tests.

use crate::model::decision::{Decision, MessageAction, MessageVerdict};
use crate::model::peers::Peers;
use crate::model::queued_message::{QueuedRecipient, QueuedSender};
use crate::model::session_id::{MessageId, SessionId};
use crate::quarantine::entry::{Entry, Release};

pub(crate) fn id(number: u32) -> MessageId {
    MessageId { session: SessionId::new(1_790_000_000_000, [7; 10]), number }
}

/// What is known of it.
pub(crate) fn entry(number: u32) -> Entry {
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
