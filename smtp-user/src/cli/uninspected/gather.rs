//! Picks out of the records what passed unseen.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use serde::Serialize;

use crate::audit::reader::RawRecord;
use crate::event::sentence::verdict_word;
use crate::event::session_event::{PartRecord, SessionEvent};
use crate::inspect::stage::{CACHE, POLICY, STRUCTURE};
use crate::model::decision::{MessageAction, MessageVerdict};
use crate::model::disposition::{Disposition, NOT_INSPECTED};
use crate::model::session_id::SessionId;

/// A session, a message, or a part of one that nobody looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Unseen {
    /// When it had passed.
    pub(super) time: String,
    /// Of the session or the message.
    pub(super) id: String,
    pub(super) originator: Option<SocketAddr>,
    pub(super) next_hop: Option<SocketAddr>,
    pub(super) rule: Option<String>,
    /// Reverse-path of the message.
    pub(super) from: Option<String>,
    /// The part, with its names.
    pub(super) part: Option<String>,
    /// Why nobody looked at it.
    pub(super) reason: String,
}

/// What is known of sessions that have not ended.
#[derive(Debug, Default)]
pub(super) struct Gather {
    open: HashMap<SessionId, Open>,
}

#[derive(Debug, Default)]
struct Open {
    peers: Option<(SocketAddr, SocketAddr, String)>,
    messages: HashMap<u32, Message>,
}

#[derive(Debug, Default)]
struct Message {
    from: Option<String>,
    /// Parts that no stage looked at, and why.
    unseen: Vec<(String, String)>,
    verdict: Option<(MessageVerdict, bool)>,
    /// It is in quarantine: accepted, and no server has it.
    is_kept: bool,
}

impl Gather {
    /// Takes a record; gives what it shows to have passed unseen.
    pub(super) fn enter(&mut self, raw: &RawRecord<'_>) -> Vec<Unseen> {
        if !matches!(raw.event(), "opened" | "envelope" | "part" | "judged" | "replied" | "account") {
            return Vec::new();
        }
        let Some(record) = raw.parse() else { return Vec::new() };
        let id = record.session;
        let open = self.open.entry(id).or_default();
        // A reset transaction leaves its number to nobody, so this does not mix two messages up.
        let number = record.message.unwrap_or(0);
        match record.event {
            SessionEvent::Opened { peers } => {
                open.peers = Some((peers.originator, peers.next_hop, peers.rule_name));
            }
            SessionEvent::Envelope { from, .. } => {
                open.messages.entry(number).or_default().from = Some(from);
            }
            SessionEvent::Part(part) => {
                if let Some(why) = unseen(&part) {
                    let mut label = part.part.clone();
                    for name in &part.names {
                        // Writing to a string does not fail.
                        let _ = write!(label, " {name:?}");
                    }
                    open.messages.entry(number).or_default().unseen.push((label, why));
                }
            }
            SessionEvent::Judged { verdict, action, .. } => {
                let passed = action.passes();
                open.messages.entry(number).or_default().is_kept = action == MessageAction::Quarantine;
                open.messages.entry(number).or_default().verdict = Some((verdict, passed));
            }
            SessionEvent::Replied { code, .. } => {
                let message = open.messages.remove(&number).unwrap_or_default();
                if (200..300).contains(&code) && !message.is_kept {
                    return open.passed(&record.time, &format!("{id}.{number}"), message);
                }
            }
            SessionEvent::Account { disposition, .. } => {
                let open = self.open.remove(&id).unwrap_or_default();
                // Messages that nobody was to look at are listed one by one.
                if let Disposition::Bypassed(reason) = disposition
                    && reason != NOT_INSPECTED
                {
                    let reason = format!("bypassed({reason})");
                    return vec![open.row(&record.time, id.to_string(), None, None, reason)];
                }
            }
            _ => {}
        }
        Vec::new()
    }
}

impl Open {
    /// What of a message that the next hop took nobody looked at.
    fn passed(&self, time: &str, id: &str, message: Message) -> Vec<Unseen> {
        let from = message.from;
        let whole = |reason: &str| self.row(time, id.to_owned(), from.clone(), None, reason.to_owned());
        let mut rows: Vec<Unseen> = match message.verdict {
            None | Some((_, false)) => vec![whole("not_judged")],
            Some((MessageVerdict::Clean | MessageVerdict::Infected | MessageVerdict::Ambiguous, true)) => {
                Vec::new()
            }
            // The parts below say it more exactly.
            Some(_) if !message.unseen.is_empty() => Vec::new(),
            Some((verdict, true)) => vec![whole(verdict_word(verdict))],
        };
        let parts = message.unseen.into_iter();
        rows.extend(
            parts.map(|(part, reason)| self.row(time, id.to_owned(), from.clone(), Some(part), reason)),
        );
        rows
    }

    fn row(
        &self,
        time: &str,
        id: String,
        from: Option<String>,
        part: Option<String>,
        reason: String,
    ) -> Unseen {
        let peers = self.peers.clone();
        Unseen {
            time: time.to_owned(),
            id,
            originator: peers.as_ref().map(|(originator, ..)| *originator),
            next_hop: peers.as_ref().map(|(_, next_hop, _)| *next_hop),
            rule: peers.map(|(.., rule)| rule),
            from,
            part,
            reason,
        }
    }
}

/// Why no stage looked at a part, if none did. What contains other parts is looked at in them.
fn unseen(part: &PartRecord) -> Option<String> {
    let contains_others = ["multipart/", "message/rfc822", "message/global"]
        .iter()
        .any(|kind| part.media_type.to_ascii_lowercase().starts_with(kind));
    // Form is not content, and a rule looks at nothing.
    let is_look = |(stage, result): &(String, String)| {
        stage != STRUCTURE && stage != POLICY && stage != CACHE && result.starts_with("ran")
    };
    // What is in an archive and could not be read has no octets, and no digest of them.
    let is_empty = part.octets == 0 && !(part.media_type.is_empty() && part.sha256.is_empty());
    if contains_others || is_empty || part.stages.iter().any(is_look) {
        return None;
    }
    let skipped =
        part.stages.iter().filter(|(stage, _)| stage != STRUCTURE && stage != POLICY && stage != CACHE);
    let reasons: Vec<&str> = skipped.map(|(_, result)| result.as_str()).collect();
    Some(if reasons.is_empty() { "no_stage".to_owned() } else { reasons.join(" ") })
}
