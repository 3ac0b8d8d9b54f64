//! What happens in an inspected session.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::decision::{MessageAction, MessageVerdict};
use crate::model::disposition::Disposition;
use crate::model::leg::Leg;
use crate::model::peers::Peers;
use crate::model::session_id::SessionId;
use crate::model::tls_demand::TlsDecider;
use crate::model::tls_facts::TlsFacts;
use crate::model::tracking::Tracking;

/// One record: what happened in which session, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// RFC 3339 in UTC with microseconds.
    pub time: String,
    /// Counts the records of one run of the daemon, without gaps.
    pub sequence: u64,
    /// The session.
    pub session: SessionId,
    /// Message number in the session, from 1, where the fact is about a message.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<u32>,
    /// What happened.
    #[serde(flatten)]
    pub event: SessionEvent,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum SessionEvent {
    /// The originator's connection was accepted.
    Opened {
        /// Who, to whom, by which rule.
        #[serde(flatten)]
        peers: Peers,
    },
    /// The next hop answered the call, or did not.
    NextHop {
        /// `connected`, or why not, as in `connection_refused`.
        outcome: String,
        /// First line of its greeting.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        greeting: Option<String>,
    },
    /// The client named itself.
    Hello {
        /// `EHLO` or `HELO`.
        verb: String,
        /// The name given.
        name: String,
        /// EHLO keywords of the next hop that were not passed on, and so are refused.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        removed: Vec<String>,
        /// Whether STARTTLS was offered to the originator.
        starttls_offered: bool,
    },
    /// TLS was started on a leg.
    Tls {
        /// Which.
        leg: Leg,
        /// What was negotiated.
        #[serde(flatten)]
        facts: TlsFacts,
    },
    /// TLS could not be started on a leg.
    TlsFailed {
        /// Which.
        leg: Leg,
        /// Why.
        why: String,
    },
    /// The originator authenticated itself, or tried; never with what it said.
    Auth {
        /// SASL mechanism.
        mechanism: String,
        /// Code of the next hop's last reply.
        code: u16,
    },
    /// A mail transaction got its envelope, at the end of which its data began.
    Envelope {
        /// Reverse-path without angle brackets; empty is the null reverse-path.
        from: String,
        /// Forward-paths that the next hop accepted.
        to: Vec<String>,
        /// Forward-paths that it refused, and its code.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        refused: Vec<(String, u16)>,
    },
    /// A part of a message was looked at.
    Part(PartRecord),
    /// An engine gave its opinion on a message.
    Engine {
        /// Its name.
        engine: String,
        /// Version of the engine and its signatures.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        version: Option<String>,
        /// As in `clean`, `infected`, `limit_exceeded`, `error`.
        result: String,
        /// Name of what was found, or what went wrong.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        detail: Option<String>,
        /// How long it took, microseconds.
        micros: u64,
    },
    /// A message was decided on.
    Judged {
        /// What it is.
        verdict: MessageVerdict,
        /// What is done with it.
        action: MessageAction,
        /// In a few words.
        why: String,
        /// The rule on parts that decided, if one did.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        part_rule: Option<String>,
        /// Octets of the message as received.
        octets: u64,
        /// Of those octets, hexadecimal; empty if they go on as they came.
        #[serde(skip_serializing_if = "String::is_empty", default)]
        sha256: String,
    },
    /// Parts of a message or fields of its header were replaced before it went on. Parts that went on were judged again.
    Rewritten {
        /// What was done with which part, and by which rule; what became what in which field.
        changes: Vec<String>,
        /// Signatures that no longer hold: `dkim`, `signed`.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        broken: Vec<String>,
        /// Octets of what goes on, without trace fields.
        octets: u64,
        /// Of those octets, hexadecimal.
        sha256: String,
    },
    /// A message was put into quarantine, or the original of one that was rewritten, under the name of the message.
    Quarantined {
        /// Another form of it goes on.
        original: bool,
        /// When it is forgotten, microseconds since 1970.
        expires: u64,
    },
    /// The originator's address was banned.
    Banned {
        /// The address.
        source: IpAddr,
        /// How long.
        seconds: u64,
    },
    /// A message is in the gateway's care: it outlasts a loss of power from here on.
    Queued {
        /// How many it is for.
        recipients: u32,
        /// Octets of the message as received.
        octets: u64,
        /// Whether it was judged in the dialogue; if not, it is before it is delivered.
        judged: bool,
    },
    /// A message in the gateway's care was tried, or something else was done about it.
    Dequeued {
        /// As in `delivered`, `deferred`, `failed`, `expired`, `discarded`, `quarantined`, `unjudged`, `held`, `removed`.
        outcome: String,
        /// Forward-paths that it is about; empty is all.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        recipients: Vec<String>,
        /// What was said, by whom, and what follows.
        why: String,
        /// Name of the rule that the message was accepted under.
        rule_name: String,
        /// Policy revision at that time.
        policy: u16,
        /// Who said whom the gateway had to find at the other end of an attempt's connection.
        #[serde(skip_serializing_if = "TlsDecider::is_none", default)]
        tls_by: TlsDecider,
        /// What is made of it, if it went wrong.
        #[serde(skip_serializing_if = "Tracking::is_none", default = "Tracking::none")]
        track: Tracking,
    },
    /// The final reply to a message was given.
    Replied {
        /// Code of the reply.
        code: u16,
        /// First line of its text, as the originator got it.
        text: String,
        /// Whether the reply is the next hop's own.
        from_next_hop: bool,
        /// From the end of the data to the reply, microseconds.
        micros: u64,
    },
    /// Something was refused or went wrong that the record should explain.
    Note {
        /// Which leg it was seen on.
        leg: Leg,
        /// A word, as in `line_too_long`, `pipelined_after_starttls`, `time_out_command`.
        what: String,
        /// More, bounded and without line ends.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        detail: Option<String>,
    },
    /// The session's account, its last record.
    Account {
        /// How it ended.
        #[serde(flatten)]
        disposition: Disposition,
        /// Messages that the next hop took.
        delivered: u32,
        /// Messages that were refused for what is in them.
        refused: u32,
        /// Messages that were put off.
        deferred: u32,
        /// Messages that were accepted and kept.
        #[serde(skip_serializing_if = "is_zero", default)]
        quarantined: u32,
        /// Octets from the originator, and to it.
        client_octets: [u64; 2],
        /// Octets from the next hop, and to it.
        server_octets: [u64; 2],
        /// From first to last, milliseconds.
        millis: u64,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// What was found out about one part of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// MIME part number, as in `1.2`; within an archive or document the way to it behind it, as in `1.2/docs/a.exe`.
    pub part: String,
    /// File names given for it, all of them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub names: Vec<String>,
    /// Declared media type; empty within an archive.
    pub media_type: String,
    /// What it is by its octets: every kind, the likeliest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub kinds: Vec<String>,
    /// Transfer encoding as it was taken; within an archive its packing.
    pub encoding: String,
    /// Octets when decoded.
    pub octets: u64,
    /// Of the decoded octets, hexadecimal; empty if it was not asked for.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub md5: String,
    /// The same.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub sha1: String,
    /// Of the decoded octets, hexadecimal.
    pub sha256: String,
    /// What each stage did: name, and `ran(…)` or `skipped(…)`.
    pub stages: Vec<(String, String)>,
}

#[cfg(test)]
mod tests;
