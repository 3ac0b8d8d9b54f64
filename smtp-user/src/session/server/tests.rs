//! Every command and every other input in every state: what the originator is told, and where that leads.

use crate::limits::Timeout;
use crate::model::decision::{Decision, MessageAction, MessageVerdict};
use crate::model::leg::Leg;
use crate::session::relay::tests::{TIMEOUTS, config};
use crate::session::relay::{Effect, Input, Relay};
use crate::wire::smtp::data::DataDefect;
use crate::wire::smtp::line::LineDefect;
use crate::wire::smtp::reply::{Reply, ReplyCode, ReplyError};

/// One command each, spelled so that nothing but the state speaks against it.
const COMMANDS: [&str; 16] = [
    "EHLO client.example",
    "HELO client.example",
    "STARTTLS",
    "AUTH PLAIN AGEAYg==",
    "MAIL FROM:<a@client.example>",
    "RCPT TO:<b@mx.example>",
    "DATA",
    "BDAT 3 LAST",
    "RSET",
    "NOOP",
    "VRFY b",
    "EXPN b",
    "HELP",
    "QUIT",
    "X-FOO",
    "BURL imap://x",
];

/// A session in one of the situations that can be told apart, by name.
fn situation(name: &str) -> Relay {
    let mut relay = Relay::new(crate::session::relay::RelayConfig {
        starttls: !matches!(name, "plain" | "auth line"),
        ..config()
    });
    let steps: &[&str] = match name {
        "calling" => &[],
        "greeting" => &["!connected"],
        "greeted" => &["!connected", "220 hello"],
        "hello asked" => &["!connected", "220 hello", "EHLO x"],
        "hello" | "plain" => &["!connected", "220 hello", "EHLO x", OFFER],
        "auth line" => &["!connected", "220 hello", "EHLO x", OFFER, "AUTH PLAIN", "334 "],
        "mail asked" => &["!connected", "220 hello", "EHLO x", OFFER, "MAIL FROM:<>"],
        "mail" => &["!connected", "220 hello", "EHLO x", OFFER, "MAIL FROM:<>", "250 ok"],
        "rcpt" | "rcpt without tls" => {
            &["!connected", "220 hello", "EHLO x", OFFER, "MAIL FROM:<>", "250 ok", "RCPT TO:<b@x>", "250 ok"]
        }
        _ => panic!("{name}"),
    };
    for step in steps {
        take(&mut relay, step);
    }
    relay
}

const OFFER: &str = "250 mx\nPIPELINING\nSIZE\nCHUNKING\nSTARTTLS\nAUTH PLAIN\nDSN\n8BITMIME";

fn take(relay: &mut Relay, step: &str) {
    let mut effects = Vec::new();
    if step == "!connected" {
        return relay.handle(Input::NextHopConnected, &mut effects);
    }
    match step.get(..3).and_then(|digits| digits.parse().ok()).and_then(ReplyCode::new) {
        Some(code) => relay.handle(Input::Reply(&Reply::new(code, &step[4..])), &mut effects),
        None => relay.handle(Input::Command { line: step.as_bytes(), more: false }, &mut effects),
    }
}

/// What a command does: `>` passed on, a code said by the gateway, `354` and so on, `wait` held back, `-` nothing.
fn told(relay: &mut Relay, command: &str) -> String {
    let mut effects = Vec::new();
    relay.handle(Input::Command { line: command.as_bytes(), more: false }, &mut effects);
    let first = effects.iter().find_map(|effect| match effect {
        Effect::Reply(octets) => Some(String::from_utf8_lossy(&octets[..3]).into_owned()),
        Effect::Command(_) => Some(">".to_owned()),
        Effect::BeginMessage { .. } if command.starts_with("BDAT") => Some("chunk".to_owned()),
        _ => None,
    });
    first.unwrap_or_else(|| match (relay.held.is_some(), relay.server.name()) {
        (true, _) => "wait".to_owned(),
        (false, "Chunk") => "away".to_owned(),
        _ => "-".to_owned(),
    })
}

#[test]
fn every_command_in_every_situation() {
    // In the order of COMMANDS.
    let table = [
        ("calling", "- - - - - - - - - - - - - - - -"),
        ("greeting", "- - - - - - - - - - - - - - - -"),
        ("greeted", "> > 503 503 503 503 503 away > > > > > > 500 502"),
        ("hello asked", "- - - - - - - - - - - - - - - -"),
        ("hello", "> > > 538 > 503 503 away > > > > > > 500 502"),
        ("plain", "> > 502 > > 503 503 away > > > > > > 500 502"),
        ("auth line", "> > > > > > > > > > > > > > > >"),
        ("mail asked", "wait wait wait wait wait > wait wait > wait wait wait wait wait wait wait"),
        ("mail", "> > > 503 503 > 554 > > > > > > > 500 502"),
        ("rcpt", "> > > 503 503 > 354 chunk > > > > > > 500 502"),
    ];
    for (name, expected) in table {
        let told: Vec<_> = COMMANDS.iter().map(|command| told(&mut situation(name), command)).collect();
        assert_eq!(told.join(" "), expected, "{name}");
    }
}

/// Inputs that are no commands.
fn others(decision: &Decision) -> Vec<Input<'_>> {
    let mut inputs = vec![
        Input::NextHopConnected,
        Input::NextHopUnreachable("no_route"),
        Input::DataEnd { octets: 1 },
        Input::ChunkEnd { octets: 1 },
        Input::MessageSent { number: 1 },
        Input::ReplyDefect(ReplyError::NoCode),
        Input::Judged(decision),
        Input::Ended,
        Input::Drain,
    ];
    inputs.extend([LineDefect::TooLong, LineDefect::BareCr, LineDefect::TlsHello].map(Input::BadLine));
    inputs.extend([DataDefect::BareLf, DataDefect::TooLarge, DataDefect::NoRoom].map(Input::DataDefect));
    for leg in [Leg::Client, Leg::Server] {
        inputs.extend([
            Input::Extra(leg),
            Input::Upgraded(leg),
            Input::UpgradeFailed(leg),
            Input::Closed(leg),
            Input::Stuck(leg),
        ]);
    }
    inputs.extend(TIMEOUTS.map(Input::Expired));
    inputs
}

#[test]
fn no_input_anywhere_passes_a_message_that_was_not_judged() {
    let decision =
        Decision { verdict: MessageVerdict::Clean, action: MessageAction::Pass, why: String::new() };
    let names = [
        "calling",
        "greeting",
        "greeted",
        "hello asked",
        "hello",
        "plain",
        "auth line",
        "mail asked",
        "mail",
        "rcpt",
    ];
    for name in names {
        for input in others(&decision) {
            let mut relay = situation(name);
            let mut effects = Vec::new();
            relay.handle(input, &mut effects);
            let sends = effects.iter().any(|effect| match effect {
                Effect::SendMessage { .. } => true,
                Effect::Command(octets) => octets.starts_with(b"DATA") || octets.starts_with(b"BDAT"),
                _ => false,
            });
            assert!(!sends, "{name}: {input:?}");
            assert_eq!(relay.is_closed(), closes(&effects), "{name}: {input:?}");
        }
    }
}

fn closes(effects: &[Effect]) -> bool {
    effects.contains(&Effect::Close(Leg::Client))
}

#[test]
fn a_time_out_that_does_not_run_does_nothing() {
    for timeout in TIMEOUTS {
        let mut relay = situation("hello");
        let mut effects = Vec::new();
        relay.handle(Input::Expired(timeout), &mut effects);
        assert_eq!(effects.is_empty(), timeout != Timeout::Command, "{timeout:?}");
    }
}
