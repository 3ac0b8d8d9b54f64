//! One message of the queue, as it is shown.

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::quantity;
use crate::event::sentence::printable;
use crate::model::queued_message::QueuedMessage;
use crate::model::queued_recipient::{RecipientState, RemoteReply};
use crate::model::session_id::MessageId;
use crate::spool::place::Place;

/// One message of the queue.
#[derive(Debug, Serialize)]
pub(super) struct QueueRow {
    id: MessageId,
    state: &'static str,
    octets: u64,
    received: String,
    sender: String,
    /// Those whose case is not closed.
    recipients: Vec<String>,
    attempts: u32,
    next_attempt: Option<String>,
    why: Option<String>,
}

impl QueueRow {
    pub(super) fn new(place: Place, message: &QueuedMessage) -> Self {
        Self {
            id: message.id,
            state: state(place, message),
            octets: message.octets,
            received: time(message.received),
            sender: message.sender.path.clone(),
            recipients: message.pending().map(|recipient| recipient.path.clone()).collect(),
            attempts: message.attempts,
            next_attempt: message.next_attempt().filter(|at| *at > 0).map(time),
            why: why(place, message),
        }
    }

    pub(super) fn cells(&self) -> [String; 7] {
        let recipients: Vec<String> =
            self.recipients.iter().map(|path| printable(&format!("<{path}>"))).collect();
        [
            self.id.to_string(),
            self.state.to_owned(),
            quantity::count(self.octets),
            self.received.clone(),
            printable(&format!("<{}>", self.sender)),
            recipients.join(" "),
            printable(self.why.as_deref().unwrap_or_default()),
        ]
    }
}

fn state(place: Place, message: &QueuedMessage) -> &'static str {
    match (place, &message.hold) {
        (_, Some(_)) => "held",
        (Place::Active, None) if message.judgement.is_none() => "unjudged",
        (place, None) => place.name(),
    }
}

fn why(place: Place, message: &QueuedMessage) -> Option<String> {
    if let Some(hold) = &message.hold {
        return Some(format!("held by {}", hold.why));
    }
    if place == Place::Quarantine {
        return message.judgement.as_ref().map(|kept| kept.decision.why.clone());
    }
    message.last_attempt.as_ref().map(|attempt| attempt.outcome.clone())
}

/// Everything that is known of a message, for people.
pub(super) fn block(place: Place, message: &QueuedMessage) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:16}{}", format!("{name}:"), printable(value));
    };
    line("message", &message.id.to_string());
    line("state", state(place, message));
    line("received", &format!("{} from {}", time(message.received), message.originator));
    line("destination", &message.destination.to_string());
    if let Some(to) = message.reroute {
        line("rerouted to", &to.to_string());
    }
    let rule = format!("\"{}\" ({}), policy {}", message.rule_name, message.rule, message.policy);
    line("rule", &rule);
    line("resource", &message.resource);
    line("sender", &format!("<{}>", message.sender.path));
    line("octets", &format!("{}, SHA-256 {}", message.octets, message.sha256));
    match &message.judgement {
        Some(kept) => {
            let when = if kept.in_dialogue { "in the dialogue" } else { "after it was taken" };
            let verdict = crate::event::sentence::verdict_word(kept.decision.verdict);
            line("verdict", &format!("{verdict} {when}, {} {}", time(kept.at), kept.decision.why));
            for (engine, version) in &kept.engines {
                line("engine", &format!("{engine} {version}"));
            }
        }
        None => line("verdict", "none yet"),
    }
    if let Some(hold) = &message.hold {
        line("held", &format!("since {} by {}", time(hold.since), hold.why));
    }
    for recipient in &message.recipients {
        line("recipient", &format!("<{}> {}", recipient.path, fate(&recipient.state)));
    }
    if let Some(attempt) = &message.last_attempt {
        let address = attempt.address.map(|address| format!(" at {address}")).unwrap_or_default();
        let number = message.attempts;
        let what = format!("{} with {}{address} (number {number})", time(attempt.at), attempt.host);
        line("last attempt", &what);
        line("tls by", attempt.tls_by.name());
        for said in &attempt.transcript {
            line("", said);
        }
    }
    text.push('\n');
    text
}

fn fate(state: &RecipientState) -> String {
    let said = |reply: &RemoteReply| match reply.by.as_str() {
        "" => reply.said(),
        by => format!("{by}: {}", reply.said()),
    };
    match state {
        RecipientState::Pending { attempts: 0, .. } => "not tried yet".to_owned(),
        RecipientState::Pending { attempts, last, next_attempt } => {
            let last = last.as_ref().map(said).unwrap_or_default();
            format!("tried {attempts} times, again {}: {last}", time(*next_attempt))
        }
        RecipientState::Delivered { at, reply, .. } => format!("delivered {}: {}", time(*at), said(reply)),
        RecipientState::Failed { at, reply } => format!("failed {}: {}", time(*at), said(reply)),
        RecipientState::Expired { at, .. } => format!("expired {}", time(*at)),
        RecipientState::Discarded { at, why } => format!("discarded {}: {why}", time(*at)),
    }
}

/// RFC 3339 in UTC, to the second.
fn time(unix_micros: u64) -> String {
    let seconds = i64::try_from(unix_micros / 1_000_000).unwrap_or(0);
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    if unix_micros == 0 { "at once".to_owned() } else { time.to_string() }
}
