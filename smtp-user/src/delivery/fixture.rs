//! A message in the gateway's care, for tests.

use crate::model::decision::{Decision, MessageAction, MessageVerdict};
use crate::model::queued_message::{KeptJudgement, QueuedMessage, QueuedSender};
use crate::model::queued_recipient::{QueuedRecipient, RecipientState, RemoteReply, RemoteStage};
use crate::model::session_id::{MessageId, SessionId};

/// When everything happens: 2026-01-01.
pub(crate) const NOW: u64 = 1_767_225_600_000_000;

/// The octets of every message.
pub(crate) const OCTETS: &[u8] = b"From: a@b.example\r\nSubject: hi\r\n\r\nbody\r\n";

/// A message that passes, from `a@b.example`.
pub(crate) fn message(number: u32, recipients: &[&str]) -> QueuedMessage {
    QueuedMessage {
        id: MessageId { session: SessionId::new(NOW / 1000, [7; 10]), number },
        received: NOW,
        originator: "192.0.2.77:5555".parse().unwrap(),
        destination: "192.0.2.25:25".parse().unwrap(),
        rule: 3,
        rule_name: "in".to_owned(),
        policy: 1,
        resource: "r".to_owned(),
        sender: QueuedSender { path: "a@b.example".to_owned(), ..QueuedSender::default() },
        recipients: recipients.iter().map(|path| QueuedRecipient::new(path)).collect(),
        octets: OCTETS.len() as u64,
        sha256: String::new(),
        trace: "Received: x\r\n".to_owned(),
        hops: 0,
        judgement: Some(KeptJudgement {
            decision: Decision {
                verdict: MessageVerdict::Clean,
                action: MessageAction::Pass,
                why: String::new(),
            },
            at: NOW,
            in_dialogue: false,
            engines: Vec::new(),
            by_hand: false,
        }),
        attempts: 0,
        last_attempt: None,
        hold: None,
        reroute: None,
        about: None,
        version: 0,
    }
}

/// What `mx.y.example` said.
pub(crate) fn reply(code: u16, text: &str) -> RemoteReply {
    RemoteReply {
        by: "mx.y.example [192.0.2.9]:25".to_owned(),
        stage: RemoteStage::Rcpt,
        code,
        status: text.split(' ').next().unwrap().to_owned(),
        text: text.to_owned(),
    }
}

/// A recipient that was refused for good.
pub(crate) fn failed() -> RecipientState {
    RecipientState::Failed { at: NOW, reply: reply(550, "5.1.1 no such user") }
}
