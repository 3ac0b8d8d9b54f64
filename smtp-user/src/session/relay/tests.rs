//! Transcripts: `tests/corpus/smtp/*.transcript`, each one dialogue.
//!
//! `%` sets something before the beginning. `C:` is a line from the originator (`C+` with more behind it), `R:` a reply
//! from the next hop (`|` between its lines), `!` anything else that happens. What is asked for then must follow,
//! in order: `>` a command to the next hop, `<` a reply to the originator, `*` another effect. Events (`#`) are
//! compared only where some are given. `=` is about where the session stands.

use std::fmt::Write as _;
use std::path::Path;

use super::{Effect, Framing, Input, Reading, Relay, RelayConfig, RelayLimits};
use crate::event::session_event::SessionEvent;
use crate::limits::Timeout;
use crate::model::decision::{Decision, MessageAction, MessageVerdict};
use crate::model::leg::Leg;
use crate::model::server_tls::ServerTls;
use crate::model::session_id::SessionId;
use crate::wire::smtp::data::{DataDefect, LineEnds};
use crate::wire::smtp::line::LineDefect;
use crate::wire::smtp::reply::{Reply, ReplyCode, ReplyError};

pub(in crate::session) fn config() -> RelayConfig {
    RelayConfig {
        hostname: "gateway.example".to_owned(),
        starttls: true,
        in_tls: false,
        server_tls: ServerTls::Opportunistic,
        line_ends: LineEnds::Refuse,
        limits: RelayLimits::default(),
        session: SessionId::new(0, [0; 10]),
    }
}

#[test]
fn transcripts_go_as_they_are_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/smtp");
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "transcript"));
    paths.sort();
    assert!(paths.len() >= 20, "{} transcripts in {}", paths.len(), folder.display());
    let failures: Vec<_> = paths
        .iter()
        .filter_map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy();
            run(&std::fs::read_to_string(path).unwrap()).err().map(|why| format!("{name}, {why}"))
        })
        .collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), paths.len(), failures.join("\n"));
}

fn run(transcript: &str) -> Result<(), String> {
    let lines: Vec<_> = transcript
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with("--"))
        .collect();
    let mut config = config();
    let mut rest = lines.as_slice();
    while let Some(((_, line), tail)) = rest.split_first().filter(|((_, line), _)| line.starts_with('%')) {
        set(&mut config, line);
        rest = tail;
    }
    let mut relay = Relay::new(config);
    let mut effects = Vec::new();
    while let Some(((number, line), tail)) = rest.split_first() {
        let place = format!("line {}: {line}", number + 1);
        rest = tail;
        if let Some(fact) = line.strip_prefix("= ") {
            let stands = standing(&relay, fact);
            if stands != fact {
                return Err(format!("{place}\n  it is: {stands}"));
            }
            continue;
        }
        effects.clear();
        happen(&mut relay, line, &mut effects);
        let length =
            rest.iter().position(|(_, line)| !line.starts_with(['>', '<', '*', '#'])).unwrap_or(rest.len());
        let (expected, tail) = rest.split_at(length);
        rest = tail;
        let expected: Vec<_> = expected.iter().map(|(_, line)| (*line).to_owned()).collect();
        let with_events = expected.iter().any(|line| line.starts_with('#'));
        let mut done: Vec<_> = effects.iter().map(show).collect();
        done.retain(|line| with_events || !line.starts_with('#'));
        if done != expected {
            return Err(format!(
                "{place}\n  expected:\n    {}\n  done:\n    {}",
                expected.join("\n    "),
                done.join("\n    ")
            ));
        }
    }
    Ok(())
}

fn set(config: &mut RelayConfig, line: &str) {
    let (name, value) = line.trim_start_matches('%').trim().split_once(' ').unwrap();
    match name {
        "starttls" => config.starttls = value == "yes",
        "in_tls" => config.in_tls = value == "yes",
        "server_tls" => {
            config.server_tls =
                [ServerTls::Off, ServerTls::Opportunistic, ServerTls::Required, ServerTls::Verified]
                    .into_iter()
                    .find(|mode| mode.name() == value)
                    .unwrap();
        }
        "max_recipients" => config.limits.max_recipients = value.parse().unwrap(),
        "refuse_above" => config.limits.refuse_above = value == "yes",
        "max_errors" => config.limits.max_errors = value.parse().unwrap(),
        "max_junk" => config.limits.max_junk = value.parse().unwrap(),
        "max_message_octets" => config.limits.max_message_octets = value.parse().unwrap(),
        "max_transactions" => config.limits.max_transactions = value.parse().unwrap(),
        _ => panic!("% {name}"),
    }
}

fn happen(relay: &mut Relay, line: &str, effects: &mut Vec<Effect>) {
    if let Some(text) = line.strip_prefix("R: ") {
        let (code, text) = text.split_at(3);
        let code = ReplyCode::new(code.parse().unwrap()).unwrap();
        let reply = Reply::new(code, &text.trim_start().replace('|', "\n"));
        return relay.handle(Input::Reply(&reply), effects);
    }
    for (prefix, more) in [("C: ", false), ("C+ ", true)] {
        if let Some(text) = line.strip_prefix(prefix) {
            return relay.handle(Input::Command { line: text.as_bytes(), more }, effects);
        }
    }
    let words = line.strip_prefix("! ").unwrap_or_else(|| panic!("{line}"));
    let (word, rest) = words.split_once(' ').unwrap_or((words, ""));
    let leg = if rest == "client" { Leg::Client } else { Leg::Server };
    let decision;
    let input = match word {
        "connected" => Input::NextHopConnected,
        "unreachable" => Input::NextHopUnreachable("connection_refused"),
        "data_end" => Input::DataEnd { octets: 1 },
        "chunk_end" => Input::ChunkEnd { octets: 1 },
        "sent" => Input::MessageSent { number: rest.parse().unwrap() },
        "upgraded" => Input::Upgraded(leg),
        "upgrade_failed" => Input::UpgradeFailed(leg),
        "extra" => Input::Extra(leg),
        "closed" => Input::Closed(leg),
        "stuck" => Input::Stuck(leg),
        "ended" => Input::Ended,
        "drain" => Input::Drain,
        "expired" => Input::Expired(*TIMEOUTS.iter().find(|timeout| timeout.name() == rest).unwrap()),
        "bad_line" => Input::BadLine(match rest {
            "bare_lf" => LineDefect::BareLf,
            "too_long" => LineDefect::TooLong,
            "tls_hello" => LineDefect::TlsHello,
            _ => panic!("{line}"),
        }),
        "data_defect" => Input::DataDefect(match rest {
            "bare_lf" => DataDefect::BareLf,
            "too_large" => DataDefect::TooLarge,
            "no_room" => DataDefect::NoRoom,
            _ => panic!("{line}"),
        }),
        "reply_defect" => Input::ReplyDefect(ReplyError::NoCode),
        "judged" => {
            let (action, why) = rest.split_once(' ').unwrap_or((rest, ""));
            let (verdict, action) = match action {
                "pass" => (MessageVerdict::Clean, MessageAction::Pass),
                "refuse" => (MessageVerdict::Infected, MessageAction::Refuse),
                "defer" => (MessageVerdict::EngineError, MessageAction::Defer),
                "rewrite" => (MessageVerdict::Clean, MessageAction::Rewrite),
                "quarantine" => (MessageVerdict::Clean, MessageAction::Quarantine),
                "drop" => (MessageVerdict::Clean, MessageAction::Drop),
                "block" => (MessageVerdict::Clean, MessageAction::Block),
                _ => panic!("{line}"),
            };
            decision = Decision { verdict, action, why: why.to_owned() };
            Input::Judged(&decision)
        }
        _ => panic!("{line}"),
    };
    relay.handle(input, effects);
}

fn show(effect: &Effect) -> String {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).trim_end_matches("\r\n").replace("\r\n", "|");
    match effect {
        Effect::Reply(octets) => format!("< {}", text(octets)),
        Effect::Command(octets) => format!("> {}", text(octets)),
        Effect::StartTls(leg) => format!("* starttls {}", leg.name()),
        Effect::BeginMessage { number } => format!("* begin {number}"),
        Effect::Judge { number, chunked } => {
            format!("* judge {number}{}", if *chunked { " chunked" } else { "" })
        }
        Effect::SendMessage { number, framing: Framing::Data } => format!("* send {number} data"),
        Effect::SendMessage { number, framing: Framing::Chunk } => format!("* send {number} chunk"),
        Effect::DropMessage { number } => format!("* drop {number}"),
        Effect::Close(leg) => format!("* close {}", leg.name()),
        Effect::Event(event, message) => {
            let message = message.map(|number| format!("[{number}] ")).unwrap_or_default();
            format!("# {message}{}", show_event(event))
        }
    }
}

fn show_event(event: &SessionEvent) -> String {
    match event {
        SessionEvent::NextHop { outcome, greeting } => {
            format!("next_hop {outcome} {}", greeting.as_deref().unwrap_or("-"))
        }
        SessionEvent::Hello { verb, name, removed, starttls_offered } => {
            format!("hello {verb} {name} removed={} starttls={starttls_offered}", removed.join(","))
        }
        SessionEvent::Auth { mechanism, code } => format!("auth {mechanism} {code}"),
        SessionEvent::Envelope { from, to, refused } => {
            let refused = refused.iter().fold(String::new(), |mut text, (path, code)| {
                let _ = write!(text, " {path}={code}");
                text
            });
            format!("envelope <{from}> {}{refused}", to.join(","))
        }
        SessionEvent::Replied { code, from_next_hop, .. } => {
            format!("replied {code}{}", if *from_next_hop { " by the next hop" } else { "" })
        }
        SessionEvent::Note { leg, what, .. } => format!("note {} {what}", leg.name()),
        other => panic!("{other:?}"),
    }
}

/// The fact of the same kind as `fact`, as it is.
fn standing(relay: &Relay, fact: &str) -> String {
    let kind = fact.split(' ').next().unwrap();
    let value = match kind {
        "reading" => match relay.reading() {
            Reading::Command => "command".to_owned(),
            Reading::Data => "data".to_owned(),
            Reading::Chunk { octets, keep: true } => format!("chunk {octets}"),
            Reading::Chunk { octets, keep: false } => format!("chunk {octets} away"),
            Reading::Nothing => "nothing".to_owned(),
        },
        "disposition" => {
            let disposition = relay.disposition();
            format!("{} {}", disposition.name(), disposition.reason().unwrap_or_default())
                .trim_end()
                .to_owned()
        }
        "tally" => {
            let tally = relay.tally();
            format!("{} {} {}", tally.delivered, tally.refused, tally.deferred)
        }
        "stage" => relay.stage().0.name().to_owned(),
        "waiting" => {
            let name = |timeout: Option<Timeout>| timeout.map_or("-", Timeout::name);
            format!("{} {}", name(relay.waiting().client), name(relay.waiting().server))
        }
        "closed" => relay.is_closed().to_string(),
        _ => panic!("= {fact}"),
    };
    format!("{kind} {value}")
}

pub(in crate::session) const TIMEOUTS: [Timeout; 14] = [
    Timeout::Command,
    Timeout::Data,
    Timeout::ClientHandshake,
    Timeout::Connect,
    Timeout::Greeting,
    Timeout::Reply,
    Timeout::Mail,
    Timeout::Rcpt,
    Timeout::DataStart,
    Timeout::DataBlock,
    Timeout::DataEnd,
    Timeout::Quit,
    Timeout::ServerHandshake,
    Timeout::Judgement,
];
