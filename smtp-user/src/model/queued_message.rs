//! A message that is in the gateway's care: what its control file says.
//!
//! The spool keeps one such value for each message, beside the message's octets; whoever delivers works on a copy and
//! gives it back. Times are microseconds since 1970 in UTC. The octets of the message as received are not here.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::model::decision::Decision;
pub use crate::model::queued_recipient::{
    Notify, QueuedRecipient, RecipientState, RemoteReply, RemoteStage, ReportState,
};
use crate::model::session_id::MessageId;
use crate::model::tls_demand::TlsDecider;

/// A message in the gateway's care.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedMessage {
    /// Its name: that of the session that brought it, and its number there. A notification has a session of its own.
    pub id: MessageId,
    /// When its last octet came.
    pub received: u64,
    /// Who brought it; for a notification, the gateway: `0.0.0.0:0`.
    pub originator: SocketAddr,
    /// Whom the originator meant to reach: where it goes unless the resource says otherwise.
    pub destination: SocketAddr,
    /// Id of the rule that it was accepted under.
    pub rule: u16,
    /// The rule's name at that time.
    pub rule_name: String,
    /// Policy revision at that time.
    pub policy: u16,
    /// Name of the resource, which says how it is delivered; by name, so that a reload may mend what was wrong with it.
    pub resource: String,
    /// Reverse-path and what came with it.
    pub sender: QueuedSender,
    /// Forward-paths, each with what became of it so far. Never empty; order and number never change.
    pub recipients: Vec<QueuedRecipient>,
    /// Octets of the message as received.
    pub octets: u64,
    /// Of those octets, lower-case hexadecimal.
    pub sha256: String,
    /// Trace fields with CRLF that stand before the octets when it is sent.
    pub trace: String,
    /// `Received:` fields that it had when it came (RFC 5321 §6.3).
    pub hops: u32,
    /// What was found in it; `None` as long as nobody has looked: it must not be delivered then.
    pub judgement: Option<KeptJudgement>,
    /// Times that a next hop was called for it, whoever of its recipients was meant.
    pub attempts: u32,
    /// The last of them, for `postern queue show`.
    pub last_attempt: Option<DeliveryAttempt>,
    /// Somebody said that it is not to be delivered for now.
    pub hold: Option<Hold>,
    /// Where somebody sent it in place of all that is configured.
    pub reroute: Option<SocketAddr>,
    /// It is a notification about another message: its sender is null, and nothing is ever reported about it.
    pub about: Option<MessageId>,
    /// Counts the versions of the control file; the spool raises it.
    pub version: u64,
}

/// Reverse-path of a message and what came with MAIL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedSender {
    /// Without angle brackets; empty is the null reverse-path.
    pub path: String,
    /// As the originator gave it, where rules of the resource made it another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<String>,
    /// RET (RFC 3461 §4.3); without it, reports have what the gateway prefers.
    pub ret: Option<ReturnPart>,
    /// ENVID as it was written, in xtext.
    pub envid: Option<String>,
    /// BODY.
    pub body: BodyKind,
    /// SMTPUTF8.
    pub smtputf8: bool,
    /// REQUIRETLS.
    pub requiretls: bool,
    /// SIZE as it was announced.
    pub size: Option<u64>,
}

/// What of a message a report returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReturnPart {
    /// All of it.
    Full,
    /// Its header.
    Headers,
}

/// BODY (RFC 6152).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyKind {
    /// Nothing was said, or `7BIT`.
    #[default]
    SevenBit,
    /// `8BITMIME`.
    EightBitMime,
}

/// What was found in a message, kept so that a later attempt does not look again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptJudgement {
    /// Verdict, action, and why.
    pub decision: Decision,
    /// When it was made.
    pub at: u64,
    /// Whether it was made before the final reply, in the dialogue.
    pub in_dialogue: bool,
    /// Each engine's name, and the version of the engine and its signatures that it said it was. While they are the same
    /// the judgement holds.
    pub engines: Vec<(String, String)>,
    /// Somebody released the message: whatever engines learn later, nobody looks again.
    #[serde(default)]
    pub by_hand: bool,
}

impl KeptJudgement {
    /// The first engine that is another than when this was decided, or knows other signatures, of those that there are
    /// now. One that does not say what it is does not count: it is asked when it can be.
    pub fn outdated_by<'a>(&self, now: &'a [(String, Option<String>)]) -> Option<&'a str> {
        if self.by_hand {
            return None;
        }
        let is_other = |(name, version): &&(String, Option<String>)| {
            let kept = self.engines.iter().find(|(kept, _)| kept == name).map(|(_, version)| version);
            kept.is_none() || version.as_ref().is_some_and(|version| kept != Some(version))
        };
        now.iter().find(is_other).map(|(name, _)| name.as_str())
    }
}

/// What happened when a next hop was called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryAttempt {
    /// When it began.
    pub at: u64,
    /// The host as it was looked for, as in `mx1.example.org` or an address.
    pub host: String,
    /// The address called, if it came to that.
    pub address: Option<SocketAddr>,
    /// How far it got.
    pub stage: RemoteStage,
    /// In a few words; one line.
    pub outcome: String,
    /// Who said whom the gateway had to find there.
    #[serde(default, skip_serializing_if = "TlsDecider::is_none")]
    pub tls_by: TlsDecider,
    /// The dialogue, line by line, each with `C: ` or `S: ` before it; bounded, without the message and without credentials.
    pub transcript: Vec<String>,
}

/// Why a message waits although nothing about it failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Since when.
    pub since: u64,
    /// Who said so, or why; one line.
    pub why: String,
}

impl QueuedMessage {
    /// Whether every recipient's case is closed and nothing is to be reported any more: the message may be removed.
    pub fn is_finished(&self) -> bool {
        self.recipients.iter().all(QueuedRecipient::is_finished)
    }

    /// Recipients that are still to be tried.
    pub fn pending(&self) -> impl Iterator<Item = &QueuedRecipient> {
        self.recipients.iter().filter(|recipient| recipient.state.is_pending())
    }

    /// When the first of them is to be tried; `None` if none is left.
    pub fn next_attempt(&self) -> Option<u64> {
        self.pending().filter_map(|recipient| recipient.state.next_attempt()).min()
    }
}
