//! Reports to senders (RFC 3464, RFC 3461, RFC 6522): what is due, and how it reads.
//!
//! One report tells of all recipients of a message there is something to tell of. Nobody is told of a message without a
//! sender, and nothing is ever told of a report.

mod fold;
mod render;

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::delivery::destination::Destination;
use crate::delivery::settings::{ReportDetail, Settings};
use crate::model::decision::{Decision, MessageAction, MessageVerdict};
use crate::model::queued_message::{KeptJudgement, QueuedMessage, QueuedSender};
use crate::model::queued_recipient::{QueuedRecipient, RecipientState};
use crate::model::session_id::{MessageId, SessionId};
use crate::wire::hexadecimal::hexadecimal;

/// What a sender is told of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Told {
    /// It could not be delivered.
    Failed,
    /// It is late.
    Delayed,
    /// It was given to a host that reports nothing further.
    Relayed,
}

impl Told {
    /// The word of RFC 3464 §2.3.3.
    pub const fn action(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Relayed => "relayed",
        }
    }
}

/// What is due to be told of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Recipients by their place, and what is told of them.
    pub told: Vec<(usize, Told)>,
    /// Recipients whose case is closed, told of or not.
    pub closed: Vec<usize>,
}

impl Due {
    /// Whether there is nothing to be told and nothing to be written down.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty() && self.closed.is_empty()
    }

    /// Writes down that it has been told.
    pub fn mark(&self, message: &mut QueuedMessage) {
        for (index, told) in &self.told {
            if let Some(recipient) = message.recipients.get_mut(*index)
                && *told == Told::Delayed
            {
                recipient.report.delay = true;
            }
        }
        for index in &self.closed {
            if let Some(recipient) = message.recipients.get_mut(*index) {
                recipient.report.ended = true;
            }
        }
    }
}

/// What is due to be told of a message of this age.
pub fn due(message: &QueuedMessage, age: Duration, settings: &Settings, notify_sender: bool) -> Due {
    let is_told = notify_sender && !message.sender.path.is_empty() && message.about.is_none();
    let is_late = !settings.delay_warning.is_zero() && age >= settings.delay_warning;
    let mut due = Due::default();
    for (index, recipient) in message.recipients.iter().enumerate() {
        let notify = recipient.notify;
        let told = match &recipient.state {
            RecipientState::Pending { attempts, .. } => {
                let wanted = is_late
                    && *attempts > 0
                    && !recipient.report.delay
                    && notify.is_none_or(|notify| notify.delay);
                if wanted && is_told {
                    due.told.push((index, Told::Delayed));
                }
                continue;
            }
            _ if recipient.report.ended => continue,
            RecipientState::Failed { .. } | RecipientState::Expired { .. } => {
                notify.is_none_or(|notify| notify.failure).then_some(Told::Failed)
            }
            RecipientState::Delivered { relayed_dsn, .. } => {
                (!relayed_dsn && notify.is_some_and(|notify| notify.success)).then_some(Told::Relayed)
            }
            RecipientState::Discarded { .. } => None,
        };
        due.closed.push(index);
        if let Some(told) = told.filter(|_| is_told) {
            due.told.push((index, told));
        }
    }
    due
}

/// Who reports, and how much.
#[derive(Clone, Copy, Debug)]
pub struct Reporter<'a> {
    /// The gateway's name.
    pub hostname: &'a str,
    /// How much is said.
    pub detail: ReportDetail,
    /// Who gets copies of returned mail.
    pub postmaster: Option<&'a str>,
    /// Until when it is tried, microseconds since 1970.
    pub until: u64,
}

/// A report on what is due, as a message of its own, and its octets. `original` is the message's octets, or as many of them as
/// there are to return.
pub fn report(
    message: &QueuedMessage,
    due: &Due,
    original: &[u8],
    reporter: &Reporter<'_>,
    now: u64,
) -> (QueuedMessage, Vec<u8>) {
    let id = id_of(message, due);
    let rendered = render::render(message, due, original, reporter, id, now);
    let mut recipients = vec![QueuedRecipient::new(&message.sender.path)];
    let is_returned = due.told.iter().any(|(_, told)| *told == Told::Failed);
    recipients.extend(reporter.postmaster.filter(|_| is_returned).map(QueuedRecipient::new));
    let sha256 = Sha256::digest(&rendered.octets);
    let report = QueuedMessage {
        id,
        received: now,
        originator: ([0, 0, 0, 0], 0).into(),
        destination: Destination::of_report(message.originator),
        rule: message.rule,
        rule_name: message.rule_name.clone(),
        policy: message.policy,
        resource: message.resource.clone(),
        sender: QueuedSender { smtputf8: rendered.utf8, ..QueuedSender::default() },
        recipients,
        octets: rendered.octets.len() as u64,
        sha256: hexadecimal(&sha256),
        trace: String::new(),
        hops: 0,
        judgement: Some(KeptJudgement {
            decision: Decision {
                verdict: MessageVerdict::Clean,
                action: MessageAction::Pass,
                why: "a report that the gateway wrote".to_owned(),
            },
            at: now,
            in_dialogue: false,
            engines: Vec::new(),
            by_hand: false,
        }),
        attempts: 0,
        last_attempt: None,
        hold: None,
        reroute: None,
        about: Some(message.id),
        version: 0,
    };
    (report, rendered.octets)
}

/// Octets of a message that a report may return, for whoever reads them: its header always, the rest if the sender asked for
/// it and nothing was found in it.
pub fn returned_octets(message: &QueuedMessage) -> u64 {
    const HEADER: u64 = 256 << 10;
    const ALL: u64 = 10 << 20;
    if render::returns_all(message) && message.octets <= ALL {
        message.octets
    } else {
        message.octets.min(HEADER)
    }
}

/// The report's own name: the same for the same report, so that one that was written just before a crash is not written
/// twice.
fn id_of(message: &QueuedMessage, due: &Due) -> MessageId {
    let mut hash = Sha256::new();
    hash.update(message.id.to_string());
    for (index, told) in &due.told {
        hash.update(format!(" {index} {}", told.action()));
    }
    let digest = hash.finalize();
    let mut chance = [0; 10];
    chance.iter_mut().zip(digest.iter()).for_each(|(place, octet)| *place = *octet);
    MessageId { session: SessionId::new(message.received / 1000, chance), number: 1 }
}

#[cfg(test)]
mod tests;
