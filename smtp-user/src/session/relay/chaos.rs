//! Anything at all, in any order: what must be true of a session all the same.

use proptest::prelude::*;

use super::tests::{TIMEOUTS, config};
use super::{Effect, Input, Reading, Relay, RelayConfig, RelayLimits};
use crate::event::session_event::SessionEvent;
use crate::model::decision::{Decision, MessageAction, MessageVerdict};
use crate::model::leg::Leg;
use crate::model::server_tls::ServerTls;
use crate::wire::smtp::data::DataDefect;
use crate::wire::smtp::line::LineDefect;
use crate::wire::smtp::reply::{Reply, ReplyCode, ReplyError};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Line(&'static str, bool),
    /// What the next hop would say, most likely.
    Answer,
    Reply(u16, &'static str),
    Judge(MessageAction),
    /// Data, a chunk, a message on its way, a handshake: whatever runs comes to its end.
    Proceed,
    Defect(DataDefect),
    BadLine(LineDefect),
    ReplyDefect,
    Extra(Leg),
    Fail(Leg),
    Close(Leg),
    Stick(Leg),
    End,
    Expire(usize),
    Drain,
}

const LINES: [&str; 22] = [
    "EHLO x",
    "HELO x",
    "STARTTLS",
    "AUTH PLAIN",
    "AUTH PLAIN AGEAYg==",
    "dXNlcg==",
    "*",
    "MAIL FROM:<>",
    "MAIL FROM:<a@b> SIZE=5",
    "RCPT TO:<a@b>",
    "RCPT TO:<c@d>",
    "RCPT TO:<bad",
    "DATA",
    "BDAT 5",
    "BDAT 0",
    "BDAT 5 LAST",
    "BDAT x",
    "RSET",
    "NOOP",
    "QUIT",
    "FOO",
    "GET / HTTP/1.1",
];
const OFFER: &str = "mx\nPIPELINING\nSIZE\nCHUNKING\nSTARTTLS\nAUTH PLAIN";

fn leg() -> impl Strategy<Value = Leg> {
    prop::sample::select(vec![Leg::Client, Leg::Server])
}

fn step() -> impl Strategy<Value = Step> {
    // Most of the time all goes well, or nothing would ever get far.
    let useful = prop::sample::select(vec![
        "EHLO x",
        "MAIL FROM:<>",
        "RCPT TO:<a@b>",
        "DATA",
        "BDAT 5 LAST",
        "STARTTLS",
    ]);
    prop_oneof![
        20 => useful.prop_map(|line| Step::Line(line, false)),
        10 => (prop::sample::select(LINES.to_vec()), any::<bool>()).prop_map(|(line, more)| Step::Line(line, more)),
        40 => Just(Step::Answer),
        20 => Just(Step::Proceed),
        8 => prop::sample::select(ACTIONS.to_vec())
            .prop_map(Step::Judge),
        3 => (prop::sample::select(vec![220, 221, 235, 250, 334, 354, 421, 450, 550, 554]), prop::sample::select(vec!["", OFFER]))
            .prop_map(|(code, text)| Step::Reply(code, text)),
        1 => prop::sample::select(vec![DataDefect::BareLf, DataDefect::TooLarge, DataDefect::NoRoom]).prop_map(Step::Defect),
        1 => prop::sample::select(vec![LineDefect::TooLong, LineDefect::BareCr]).prop_map(Step::BadLine),
        1 => Just(Step::ReplyDefect),
        1 => leg().prop_map(Step::Extra),
        1 => leg().prop_map(Step::Fail),
        1 => leg().prop_map(Step::Close),
        1 => leg().prop_map(Step::Stick),
        1 => Just(Step::End),
        1 => (0..TIMEOUTS.len()).prop_map(Step::Expire),
        1 => Just(Step::Drain),
    ]
}

/// Everything that can be done with a message; most of them pass.
const ACTIONS: [MessageAction; 9] = [
    MessageAction::Pass,
    MessageAction::Pass,
    MessageAction::Pass,
    MessageAction::Rewrite,
    MessageAction::Refuse,
    MessageAction::Defer,
    MessageAction::Quarantine,
    MessageAction::Drop,
    MessageAction::Block,
];

/// What has been seen of a session.
#[derive(Default)]
struct Watch {
    /// Commands at the next hop that were not answered.
    commands: Vec<String>,
    /// The message between `BeginMessage` and `DropMessage`.
    open: Option<u32>,
    /// It was passed.
    passed: bool,
    /// It was sent.
    sent: bool,
    finals: u32,
    begun: u32,
    upgrading: Vec<Leg>,
    /// Replies the originator may still get.
    due: i64,
    closed: [bool; 2],
}

impl Watch {
    fn effects(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Reply(octets) => {
                    assert!(!self.closed[0], "said to nobody");
                    assert!(octets.ends_with(b"\r\n"));
                    self.due -= 1;
                }
                Effect::Command(octets) => {
                    assert!(!self.closed[1], "said to nobody");
                    assert!(!self.sent, "a command in the middle of a message");
                    let line = String::from_utf8(octets.strip_suffix(b"\r\n").unwrap().to_vec()).unwrap();
                    assert!(!line.contains(['\r', '\n']));
                    assert!(line != "DATA" || self.passed, "DATA before the verdict");
                    assert!(!line.starts_with("BDAT"));
                    self.commands.push(line);
                }
                Effect::StartTls(leg) => self.upgrading.push(*leg),
                Effect::BeginMessage { number } => {
                    assert_eq!(self.open.replace(*number), None);
                    self.begun += 1;
                    (self.passed, self.sent, self.finals) = (false, false, 0);
                }
                Effect::Judge { number, .. } => assert_eq!(self.open, Some(*number)),
                Effect::SendMessage { number, .. } => {
                    assert_eq!(self.open, Some(*number));
                    assert!(self.passed && !self.sent, "sent without a verdict, or twice");
                    self.sent = true;
                }
                Effect::DropMessage { number } => {
                    assert_eq!(self.open.take(), Some(*number));
                    self.sent = false;
                }
                Effect::Event(SessionEvent::Replied { .. }, _) => {
                    self.finals += 1;
                    assert!(self.finals <= 1, "two final replies");
                }
                Effect::Event(..) => {}
                Effect::Close(leg) => {
                    let closed = &mut self.closed[usize::from(*leg == Leg::Server)];
                    assert!(!std::mem::replace(closed, true), "closed twice");
                }
            }
        }
    }
}

fn answer(command: Option<&str>, greeted: bool) -> Option<(u16, &'static str)> {
    if !greeted {
        return Some((220, "mx"));
    }
    let command = command?;
    Some(match command.split(' ').next().unwrap() {
        "EHLO" => (250, OFFER),
        "STARTTLS" => (220, "go"),
        "AUTH" => (334, ""),
        "DATA" => (354, "go"),
        "QUIT" => (221, "bye"),
        "*" => (501, "cancelled"),
        _ if command.ends_with('=') => (235, "ok"),
        _ => (250, "ok"),
    })
}

fn run(config: RelayConfig, steps: Vec<Step>) {
    let mut relay = Relay::new(config);
    let mut watch = Watch { due: 1, ..Watch::default() };
    let mut effects = Vec::new();
    relay.handle(Input::NextHopConnected, &mut effects);
    let mut greeted = false;
    for step in steps {
        effects.clear();
        let (closed, reading) = (relay.is_closed(), relay.reading());
        let decision;
        let reply;
        let say = |code, text: &str| Reply::new(ReplyCode::new(code).unwrap(), text);
        let input = match step {
            Step::Line(line, more) if reading == Reading::Command => {
                watch.due += 1;
                Input::Command { line: line.as_bytes(), more }
            }
            // Not read now; given all the same, as a driver with a defect might.
            Step::Line(line, more) => Input::Command { line: line.as_bytes(), more },
            Step::Answer => {
                let final_due = watch.sent.then_some((250, "queued"));
                let Some((code, text)) =
                    final_due.or_else(|| answer(watch.commands.first().map(String::as_str), greeted))
                else {
                    continue;
                };
                if watch.sent {
                    relay.handle(Input::MessageSent { number: watch.open.unwrap() }, &mut effects);
                } else if greeted {
                    watch.commands.remove(0);
                }
                greeted = true;
                reply = say(code, text);
                Input::Reply(&reply)
            }
            Step::Reply(code, text) => {
                if !greeted || watch.commands.is_empty() {
                    greeted = true;
                } else {
                    watch.commands.remove(0);
                }
                reply = say(code, text);
                Input::Reply(&reply)
            }
            Step::Judge(action) => {
                watch.passed |= matches!(relay.server, super::Server::Judging { .. }) && action.passes();
                decision = Decision { verdict: MessageVerdict::Clean, action, why: String::new() };
                Input::Judged(&decision)
            }
            Step::Proceed => match (watch.upgrading.pop(), reading) {
                (Some(leg), _) => Input::Upgraded(leg),
                (None, Reading::Data) => {
                    watch.due += 1;
                    Input::DataEnd { octets: 1 }
                }
                (None, Reading::Chunk { octets, .. }) => Input::ChunkEnd { octets },
                _ => continue,
            },
            Step::Defect(defect) => Input::DataDefect(defect),
            Step::BadLine(defect) => {
                watch.due += 1;
                Input::BadLine(defect)
            }
            Step::ReplyDefect => Input::ReplyDefect(ReplyError::NoCode),
            Step::Extra(leg) => Input::Extra(leg),
            Step::Fail(leg) => Input::UpgradeFailed(leg),
            Step::Close(leg) => Input::Closed(leg),
            Step::Stick(leg) => Input::Stuck(leg),
            Step::End => Input::Ended,
            Step::Expire(timeout) => Input::Expired(TIMEOUTS[timeout]),
            Step::Drain => Input::Drain,
        };
        relay.handle(input, &mut effects);
        assert!(!closed || effects.is_empty(), "something is asked for after the end");
        watch.effects(&effects);
        // One more than is due may be said: the 421 that ends the session.
        assert!(watch.due >= if relay.is_closed() { -1 } else { 0 }, "more replies than commands");
        assert!(relay.owed.len() <= relay.config.limits.max_pipelined + 2, "owed without bound");
        assert_eq!(relay.is_closed(), watch.closed[0]);
        if relay.is_closed() {
            assert!(watch.closed[1] && watch.open.is_none(), "left open");
        }
        let tally = relay.tally();
        assert!(tally.delivered + tally.refused + tally.deferred + tally.quarantined <= watch.begun);
        let _ = (relay.waiting(), relay.stage(), relay.disposition());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_no_message_passes_unjudged_and_every_one_is_answered_once(
        steps in prop::collection::vec(step(), 0..120),
        starttls: bool,
        server_tls in prop::sample::select(vec![ServerTls::Off, ServerTls::Opportunistic, ServerTls::Required]),
    ) {
        let limits = RelayLimits { max_pipelined: 3, max_message_octets: 20, max_errors: 5, ..RelayLimits::default() };
        run(RelayConfig { starttls, server_tls, limits, ..config() }, steps);
    }
}
