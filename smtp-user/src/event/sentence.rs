//! A fact in a sentence: for the log, and for whoever asks what happened. What came from the network is escaped.

use std::fmt::Write as _;

use crate::event::session_event::{PartRecord, SessionEvent};
use crate::model::decision::{MessageAction, MessageVerdict};
use crate::model::disposition::NOT_INSPECTED;
use crate::model::tls_facts::TlsFacts;

/// What happened, in a sentence without its full stop.
pub fn sentence(event: &SessionEvent) -> String {
    let text = match event {
        SessionEvent::Opened { peers } => {
            let by = peers.interface.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
            format!(
                "opened by {}{by} to {} under rule \"{}\", resource \"{}\"",
                peers.originator, peers.next_hop, peers.rule_name, peers.resource
            )
        }
        SessionEvent::NextHop { outcome, greeting: Some(greeting) } => {
            format!("next hop {outcome}: {greeting}")
        }
        SessionEvent::NextHop { outcome, greeting: None } => format!("next hop {outcome}"),
        SessionEvent::Hello { verb, name, removed, starttls_offered } => {
            let offered = if *starttls_offered { "offered" } else { "not offered" };
            let mut text = format!("{verb} {name}, STARTTLS {offered}");
            if !removed.is_empty() {
                let _ = write!(text, ", not passed on: {}", removed.join(" "));
            }
            text
        }
        SessionEvent::Tls { leg, facts } => format!("TLS on the {}: {}", leg.name(), tls(facts)),
        SessionEvent::TlsFailed { leg, why } => format!("no TLS on the {}: {why}", leg.name()),
        SessionEvent::Auth { mechanism, code } => format!("AUTH {mechanism} was answered {code}"),
        SessionEvent::Envelope { from, to, refused } => envelope(from, to, refused),
        SessionEvent::Part(part) => self::part(part),
        SessionEvent::Engine { engine, version, result, detail, micros } => {
            let version = version.as_ref().map(|version| format!(" ({version})")).unwrap_or_default();
            let detail = detail.as_ref().map(|detail| format!(", {detail}")).unwrap_or_default();
            format!("engine {engine}{version}: {result}{detail}, {}", millis(*micros))
        }
        SessionEvent::Judged { verdict, action, why, part_rule, octets, .. } => {
            let because = if why.is_empty() { String::new() } else { format!(": {why}") };
            let by = part_rule.as_ref().map(|rule| format!(" by rule \"{rule}\"")).unwrap_or_default();
            format!("{octets} octets, {}, {}{by}{because}", verdict_word(*verdict), action_word(action))
        }
        SessionEvent::Rewritten { changes, broken, octets, .. } => {
            let broken = if broken.is_empty() {
                String::new()
            } else {
                format!("; no longer valid: {}", broken.join(", "))
            };
            format!("rewritten to {octets} octets: {}{broken}", changes.join("; "))
        }
        SessionEvent::Quarantined { original: true, .. } => "the original is kept in quarantine".to_owned(),
        SessionEvent::Quarantined { original: false, .. } => "put into quarantine".to_owned(),
        SessionEvent::Banned { source, seconds } => format!("{source} is banned for {seconds} s"),
        SessionEvent::Queued { recipients, octets, judged } => {
            let judged = if *judged { "judged in the dialogue" } else { "to be judged before delivery" };
            format!("queued: {octets} octets, {recipients} recipients, {judged}")
        }
        SessionEvent::Dequeued { outcome, recipients, why, rule_name, tls_by, .. } => {
            let to: Vec<String> = recipients.iter().map(|path| format!(" <{path}>")).collect();
            let because = if why.is_empty() { String::new() } else { format!(": {why}") };
            let by = if tls_by.is_none() { String::new() } else { format!(" (tls by {})", tls_by.name()) };
            format!("{outcome}{} under rule \"{rule_name}\"{by}{because}", to.concat())
        }
        SessionEvent::Replied { code, text, from_next_hop, micros } => {
            let whose = if *from_next_hop { "the next hop's" } else { "our own" };
            // The text begins with the code where it is the whole line.
            let text = text.strip_prefix(&code.to_string()).unwrap_or(text).trim_start();
            format!("replied {code} {text} ({whose}), {}", millis(*micros))
        }
        SessionEvent::Note { leg, what, detail } => {
            let detail = detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
            format!("{what} on the {}{detail}", leg.name())
        }
        SessionEvent::Account { disposition, delivered, refused, deferred, quarantined, millis, .. } => {
            let kept = if *quarantined > 0 { format!(", {quarantined} quarantined") } else { String::new() };
            let reason = disposition.reason().map(|reason| format!("({reason})")).unwrap_or_default();
            format!(
                "{}{reason}: {delivered} delivered, {refused} refused, {deferred} deferred{kept}, {millis} ms",
                disposition.name()
            )
        }
    };
    printable(&text)
}

/// A text whose control characters are written out, so that it does nothing to a terminal and stays on its line.
pub fn printable(text: &str) -> String {
    // Format characters include those that turn the direction of what follows.
    let harmless = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if text.chars().all(harmless) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if harmless(c) { shown.push(c) } else { shown.extend(c.escape_default()) }
    }
    shown
}

/// The word of a verdict.
pub const fn verdict_word(verdict: MessageVerdict) -> &'static str {
    match verdict {
        MessageVerdict::Clean => "clean",
        MessageVerdict::Infected => "infected",
        MessageVerdict::Ambiguous => "ambiguous",
        MessageVerdict::Encrypted => "encrypted",
        MessageVerdict::LimitExceeded => "limit_exceeded",
        MessageVerdict::Unsupported => "unsupported",
        MessageVerdict::EngineError => "engine_error",
        MessageVerdict::NoRoom => "no_room",
        MessageVerdict::NotInspected => NOT_INSPECTED,
    }
}

/// What was done, in a word.
pub const fn action_word(action: &MessageAction) -> &'static str {
    match action {
        MessageAction::Pass => "passed",
        MessageAction::Refuse => "refused",
        MessageAction::Defer => "deferred",
        MessageAction::Rewrite => "rewritten",
        MessageAction::Quarantine => "quarantined",
        MessageAction::Drop => "dropped",
        MessageAction::Block => "blocked",
    }
}

fn tls(facts: &TlsFacts) -> String {
    let mut text = format!("{} {}", facts.version, facts.cipher);
    if facts.resumed {
        text.push_str(", resumed");
    }
    if let Some(name) = &facts.server_name {
        let _ = write!(text, ", asked for {name}");
    }
    if let Some(certificate) = &facts.certificate {
        let _ = write!(text, ", certificate of {} by {}", certificate.subject, certificate.issuer);
    }
    if let Some(verified) = &facts.verified {
        let _ = write!(text, ", {verified}");
    }
    text
}

fn envelope(from: &str, to: &[String], refused: &[(String, u16)]) -> String {
    let to: Vec<String> = to.iter().map(|path| format!("<{path}>")).collect();
    let mut text =
        format!("from <{from}> to {}", if to.is_empty() { "nobody".to_owned() } else { to.join(" ") });
    if !refused.is_empty() {
        let refused: Vec<String> = refused.iter().map(|(path, code)| format!("<{path}> {code}")).collect();
        let _ = write!(text, ", refused by the next hop: {}", refused.join(" "));
    }
    text
}

fn part(part: &PartRecord) -> String {
    let mut text = format!("part {}: {}", part.part, type_text(part));
    if !part.names.is_empty() {
        let names: Vec<String> = part.names.iter().map(|name| format!("\"{name}\"")).collect();
        let _ = write!(text, " {}", names.join(" "));
    }
    let _ = write!(text, ", {} octets", part.octets);
    for (stage, result) in &part.stages {
        let _ = write!(text, ", {stage} {result}");
    }
    text
}

/// What a part is: as declared, and as its octets say.
pub fn type_text(part: &PartRecord) -> String {
    let kinds = part.kinds.join(", ");
    match (part.media_type.as_str(), kinds.as_str()) {
        ("", "") => "unread".to_owned(),
        ("", kinds) => kinds.to_owned(),
        (declared, "") => declared.to_owned(),
        (declared, kinds) => format!("{declared} ({kinds})"),
    }
}

/// Microseconds as milliseconds.
fn millis(micros: u64) -> String {
    format!("{}.{:03} ms", micros / 1000, micros % 1000)
}

#[cfg(test)]
mod tests;
