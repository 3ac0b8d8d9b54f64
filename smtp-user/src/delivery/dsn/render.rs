//! The octets of a report: what people read, what programs read, and what of the message comes back.

use std::fmt::Write as _;

use crate::delivery::dsn::fold::folded;
use crate::delivery::dsn::{Due, Reporter, Told};
use crate::delivery::failure::is_forbidden;
use crate::model::decision::{MessageAction, MessageVerdict};
use crate::model::queued_message::{QueuedMessage, ReturnPart};
use crate::model::queued_recipient::{QueuedRecipient, RecipientState, RemoteReply, RemoteStage};
use crate::model::session_id::MessageId;
use crate::wire::date_time::date_time;
use crate::wire::hex_escape;

/// A report's octets.
pub(super) struct Rendered {
    pub(super) octets: Vec<u8>,
    /// It has addresses that are not ASCII, and needs SMTPUTF8 (RFC 6533).
    pub(super) utf8: bool,
}

pub(super) fn render(
    message: &QueuedMessage,
    due: &Due,
    original: &[u8],
    reporter: &Reporter<'_>,
    id: MessageId,
    now: u64,
) -> Rendered {
    let told: Vec<(&QueuedRecipient, Told)> =
        due.told.iter().filter_map(|(index, told)| Some((message.recipients.get(*index)?, *told))).collect();
    let utf8 =
        !message.sender.path.is_ascii() || told.iter().any(|(recipient, _)| !recipient.path.is_ascii());
    let global = if utf8 { "global-" } else { "" };
    let boundary = format!("=_{}", id.session);
    let host = reporter.hostname;
    let mut text = format!(
        "From: Mail Delivery System <MAILER-DAEMON@{host}>\r\nTo: <{}>\r\nSubject: {}\r\nDate: {}\r\n\
         Message-ID: <{id}@{host}>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type={global}delivery-status;\r\n\tboundary=\"{boundary}\"\r\n\
         X-Postern-Session: {}\r\n\r\n",
        message.sender.path,
        subject(&told),
        date_time(now),
        message.id,
    );
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    );
    people(message, &told, reporter, &mut text);
    let _ = write!(text, "\r\n--{boundary}\r\nContent-Type: message/{global}delivery-status\r\n");
    if utf8 {
        text.push_str("Content-Transfer-Encoding: 8bit\r\n");
    }
    text.push_str("\r\n");
    programs(message, &told, reporter, utf8, &mut text);
    let all = returns_all(message)
        && told.iter().any(|(_, told)| *told == Told::Failed)
        && original.len() as u64 >= message.octets;
    let header = header_of(original);
    let kind = match (all, utf8) {
        (true, false) => "message/rfc822",
        (true, true) => "message/global",
        (false, false) => "text/rfc822-headers",
        (false, true) => "message/global-headers",
    };
    let returned = if all { original } else { header };
    let _ = write!(text, "\r\n--{boundary}\r\nContent-Type: {kind}\r\n");
    if !returned.is_ascii() {
        text.push_str("Content-Transfer-Encoding: 8bit\r\n");
    }
    text.push_str("\r\n");
    let mut octets = text.into_bytes();
    octets.extend_from_slice(returned);
    octets.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    Rendered { octets, utf8 }
}

/// Whether the sender gets all of it back: it asked for that, and nothing was found in it.
pub(super) fn returns_all(message: &QueuedMessage) -> bool {
    let passes = message.judgement.as_ref().is_some_and(|kept| kept.decision.action == MessageAction::Pass);
    message.sender.ret == Some(ReturnPart::Full) && passes
}

fn subject(told: &[(&QueuedRecipient, Told)]) -> &'static str {
    let has = |what| told.iter().any(|(_, told)| *told == what);
    match (has(Told::Failed), has(Told::Delayed)) {
        (true, _) => "Undelivered mail returned to sender",
        (false, true) => "Delayed mail (still being retried)",
        (false, false) => "Successful mail delivery report",
    }
}

fn people(
    message: &QueuedMessage,
    told: &[(&QueuedRecipient, Told)],
    reporter: &Reporter<'_>,
    text: &mut String,
) {
    let _ = write!(text, "This is the mail gateway {}.\r\n", reporter.hostname);
    for (what, sentence) in [
        (Told::Failed, "Your message could not be delivered to:"),
        (
            Told::Delayed,
            "Your message is late, and delivery is still tried. You need not send it again. It is for:",
        ),
        (Told::Relayed, "Your message was given to a mail server that sends no reports of its own, for:"),
    ] {
        let of_it: Vec<&QueuedRecipient> =
            told.iter().filter(|(_, told)| *told == what).map(|(recipient, _)| *recipient).collect();
        if of_it.is_empty() {
            continue;
        }
        let _ = write!(text, "\r\n{sentence}\r\n\r\n");
        for recipient in of_it {
            let _ = write!(text, "  <{}>\r\n", line(&recipient.path, true));
            if let Some(reason) = reason(message, recipient, reporter) {
                let said = format!("    {}", line(&reason, true));
                let _ = write!(text, "{}\r\n", folded(&said, "    "));
            }
        }
    }
    let _ = write!(text, "\r\nIts number here is {}.\r\n", message.id);
}

fn programs(
    message: &QueuedMessage,
    told: &[(&QueuedRecipient, Told)],
    reporter: &Reporter<'_>,
    utf8: bool,
    text: &mut String,
) {
    let _ = write!(text, "Reporting-MTA: dns; {}\r\n", reporter.hostname);
    if let Some(envid) = &message.sender.envid {
        let _ = write!(text, "Original-Envelope-Id: {}\r\n", line(&from_xtext(envid), false));
    }
    let _ = write!(text, "Arrival-Date: {}\r\n", date_time(message.received));
    for (recipient, what) in told {
        text.push_str("\r\n");
        if let Some(orcpt) = &recipient.orcpt {
            let (kind, address) = orcpt.split_once(';').unwrap_or(("rfc822", orcpt));
            let _ = write!(
                text,
                "Original-Recipient: {}; {}\r\n",
                line(kind, false),
                line(&from_xtext(address), utf8)
            );
        }
        let kind = if recipient.path.is_ascii() { "rfc822" } else { "utf-8" };
        let _ = write!(text, "Final-Recipient: {kind}; {}\r\n", line(&recipient.path, utf8));
        let _ = write!(text, "Action: {}\r\nStatus: {}\r\n", what.action(), status(recipient, *what));
        if reporter.detail.smtp
            && let Some(reply) = reply_of(recipient)
        {
            if let Some((host, _)) = reply.by.split_once(' ') {
                let _ = write!(text, "Remote-MTA: dns; {}\r\n", line(host, false));
            }
            if reply.code != 0 {
                let said = format!("Diagnostic-Code: smtp; {} {}", reply.code, line(&reply.text, utf8));
                let _ = write!(text, "{}\r\n", folded(&said, " "));
            }
        }
        if *what == Told::Delayed {
            let _ = write!(text, "Will-Retry-Until: {}\r\n", date_time(reporter.until));
        }
    }
}

const NOT_ALLOWED: &str = "it is not allowed by the rules here";

/// The reason in words, as far as the sender may know it.
fn reason(message: &QueuedMessage, recipient: &QueuedRecipient, reporter: &Reporter<'_>) -> Option<String> {
    let is_expired = matches!(recipient.state, RecipientState::Expired { .. });
    let refused = message
        .judgement
        .as_ref()
        .filter(|kept| kept.decision.action != MessageAction::Pass)
        .map(|kept| &kept.decision);
    let reply = reply_of(recipient);
    if let Some(decision) = refused
        && reply.is_none_or(|reply| reply.stage == RemoteStage::None)
    {
        let by_rule = decision.verdict == MessageVerdict::Clean;
        return match (by_rule, reporter.detail.rules, reporter.detail.scan) {
            (true, true, _) => Some(NOT_ALLOWED.to_owned()),
            (false, _, true) => Some(decision.why.clone()),
            _ => None,
        };
    }
    if reply.is_some_and(is_forbidden) {
        return reporter.detail.rules.then(|| NOT_ALLOWED.to_owned());
    }
    let said = reply.filter(|_| reporter.detail.smtp).map(|reply| match reply.code {
        0 => reply.text.clone(),
        code if reply.by.is_empty() => format!("{code} {}", reply.text),
        code => format!("{} said: {code} {}", reply.by, reply.text),
    });
    match (is_expired, said) {
        (true, Some(said)) => {
            Some(format!("it was tried for as long as mail is kept; the last time: {said}"))
        }
        (true, None) => Some("it was tried for as long as mail is kept".to_owned()),
        (false, said) => said,
    }
}

fn reply_of(recipient: &QueuedRecipient) -> Option<&RemoteReply> {
    match &recipient.state {
        RecipientState::Pending { last, .. } | RecipientState::Expired { last, .. } => last.as_ref(),
        RecipientState::Delivered { reply, .. } | RecipientState::Failed { reply, .. } => Some(reply),
        RecipientState::Discarded { .. } => None,
    }
}

/// The status of RFC 3463, of the class that the action asks for.
fn status(recipient: &QueuedRecipient, told: Told) -> String {
    let (class, without) = match told {
        Told::Failed => ('5', "5.0.0"),
        Told::Delayed => ('4', "4.0.0"),
        Told::Relayed => ('2', "2.0.0"),
    };
    let known = reply_of(recipient).map(|reply| reply.status.as_str()).unwrap_or_default();
    if known.starts_with(class) {
        return known.to_owned();
    }
    match &recipient.state {
        // The time is over: RFC 3463 §3.5.
        RecipientState::Expired { .. } => {
            known.get(1..).map_or_else(|| "5.4.7".to_owned(), |rest| format!("5{rest}"))
        }
        _ => without.to_owned(),
    }
}

/// What may stand in a line of a report.
fn line(text: &str, utf8: bool) -> String {
    text.chars().map(|c| if c.is_control() || (!utf8 && !c.is_ascii()) { '?' } else { c }).take(800).collect()
}

/// xtext (RFC 3461 §4) read back; what it cannot be stays as it is.
fn from_xtext(text: &str) -> String {
    String::from_utf8_lossy(&hex_escape::decode(b'+', text.as_bytes())).into_owned()
}

fn header_of(octets: &[u8]) -> &[u8] {
    match memchr::memmem::find(octets, b"\r\n\r\n") {
        Some(end) => octets.get(..end + 2).unwrap_or(octets),
        None => octets,
    }
}
