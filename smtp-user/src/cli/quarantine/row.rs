//! One message in quarantine, as it is shown.

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::quantity;
use crate::event::sentence::{printable, verdict_word};
use crate::event::session_event::SessionEvent;
use crate::model::decision::MessageVerdict;
use crate::model::queued_recipient::RecipientState;
use crate::model::session_id::MessageId;
use crate::quarantine::entry::{Entry, Release};

/// One message in quarantine.
#[derive(Debug, Serialize)]
pub(super) struct QuarantineRow {
    id: MessageId,
    state: &'static str,
    /// Another form of it went on.
    original: bool,
    octets: u64,
    since: String,
    until: String,
    verdict: MessageVerdict,
    sender: String,
    recipients: Vec<String>,
    why: String,
}

impl QuarantineRow {
    pub(super) fn new(entry: &Entry) -> Self {
        Self {
            id: entry.id,
            state: entry.release.name(),
            original: entry.original,
            octets: entry.octets,
            since: time(entry.kept),
            until: time(entry.expires),
            verdict: entry.decision.verdict,
            sender: entry.sender.path.clone(),
            recipients: entry.recipients.iter().map(|recipient| recipient.path.clone()).collect(),
            why: entry.decision.why.clone(),
        }
    }

    pub(super) fn cells(&self) -> [String; 9] {
        let recipients: Vec<String> =
            self.recipients.iter().map(|path| printable(&format!("<{path}>"))).collect();
        let state = if self.original { format!("{} (original)", self.state) } else { self.state.to_owned() };
        [
            self.id.to_string(),
            state,
            quantity::count(self.octets),
            self.since.clone(),
            self.until.clone(),
            verdict_word(self.verdict).to_owned(),
            printable(&format!("<{}>", self.sender)),
            recipients.join(" "),
            printable(&self.why),
        ]
    }
}

/// Everything that is known of a message, for people.
pub(super) fn block(entry: &Entry) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let name = if name.is_empty() { String::new() } else { format!("{name}:") };
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:16}{}", printable(value));
    };
    line("message", &entry.id.to_string());
    let state = match &entry.release {
        Release::Held => "held".to_owned(),
        Release::Releasing { since, to } => {
            format!("a release to {to} began {} and its end is not known", time(*since))
        }
        Release::Released { at, to, reply } => format!("released {} to {to}: {reply}", time(*at)),
    };
    line("state", &state);
    if entry.original {
        line("", "another form of it went on; this is how it came");
    }
    line("since", &format!("{} until {}", time(entry.kept), time(entry.expires)));
    let peers = &entry.peers;
    line("from", &format!("{} to {}", peers.originator, peers.next_hop));
    line("rule", &format!("\"{}\" ({}), policy {}", peers.rule_name, peers.rule, peers.policy));
    line("resource", &peers.resource);
    line("next hop", &format!("{}{}", entry.next_hop, if entry.in_tls { " in TLS" } else { "" }));
    line("sender", &format!("<{}>", entry.sender.path));
    for recipient in &entry.recipients {
        let fate = match &recipient.state {
            RecipientState::Delivered { at, reply, .. } => {
                format!(", has it since {}: {} {}", time(*at), reply.code, reply.text)
            }
            _ => String::new(),
        };
        line("recipient", &format!("<{}>{fate}", recipient.path));
    }
    line("octets", &format!("{}, SHA-256 {}", entry.octets, entry.sha256));
    line("verdict", &format!("{}: {}", verdict_word(entry.decision.verdict), entry.decision.why));
    if let Some(rule) = &entry.part_rule {
        line("part rule", &format!("\"{rule}\""));
    }
    for part in &entry.parts {
        let names: Vec<String> = part.names.iter().map(|name| format!(" \"{name}\"")).collect();
        line(
            "part",
            &format!("{}{}, {}, {} octets", part.part, names.concat(), part.media_type, part.octets),
        );
        for (stage, result) in &part.stages {
            line("", &format!("{stage}: {result}"));
        }
    }
    for event in &entry.engines {
        if let SessionEvent::Engine { engine, result, detail, .. } = event {
            let detail = detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
            line("engine", &format!("{engine} {result}{detail}"));
        }
    }
    text.push('\n');
    text
}

/// RFC 3339 in UTC, to the second.
fn time(unix_micros: u64) -> String {
    let seconds = i64::try_from(unix_micros / 1_000_000).unwrap_or(0);
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}
