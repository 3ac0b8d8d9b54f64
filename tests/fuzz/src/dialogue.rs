//! A session without sockets: octets in, octets out. What a driver does between the relay and two connections, done
//! in memory and at once.

use smtp_user::limits::AUTH_LINE_OCTETS;
use smtp_user::model::decision::{Decision, MessageAction, MessageVerdict};
use smtp_user::model::leg::Leg;
use smtp_user::model::server_tls::ServerTls;
use smtp_user::model::session_id::SessionId;
use smtp_user::session::relay::{Effect, Framing, Input, Reading, Relay, RelayConfig, RelayLimits};
use smtp_user::wire::smtp::bdat::ChunkReceiver;
use smtp_user::wire::smtp::data::{DataDefect, DataReceiver, DotStuffer, LineEnds};
use smtp_user::wire::smtp::line::{LineOutcome, LineReader};
use smtp_user::wire::smtp::reply::{ReplyOutcome, ReplyReader};

/// Octets of a message at most.
pub const MESSAGE_OCTETS: u64 = 100_000;

/// A session without sockets.
pub struct Dialogue {
    /// The session.
    pub relay: Relay,
    /// What the originator was sent.
    pub to_client: Vec<u8>,
    /// What the next hop was sent.
    pub to_server: Vec<u8>,
    /// Messages that were passed.
    pub passed: u32,
    /// Messages that were sent.
    pub sent: u32,
    line_ends: LineEnds,
    from_client: Vec<u8>,
    from_server: Vec<u8>,
    lines: LineReader,
    replies: ReplyReader,
    message: Option<Message>,
    /// Octets of the chunk that are still to come.
    chunk: Option<u64>,
    effects: Vec<Effect>,
}

struct Message {
    number: u32,
    octets: Vec<u8>,
    data: DataReceiver,
    chunks: ChunkReceiver,
}

/// A configuration that offers all there is.
pub fn config(server_tls: ServerTls, line_ends: LineEnds) -> RelayConfig {
    RelayConfig {
        hostname: "gateway.example".to_owned(),
        starttls: true,
        in_tls: false,
        server_tls,
        line_ends,
        limits: RelayLimits {
            max_message_octets: MESSAGE_OCTETS,
            max_errors: 1000,
            ..RelayLimits::default()
        },
        session: SessionId::new(0, [0; 10]),
    }
}

impl Dialogue {
    /// The next hop has answered the call.
    pub fn new(config: RelayConfig) -> Self {
        let mut dialogue = Self {
            line_ends: config.line_ends,
            relay: Relay::new(config),
            to_client: Vec::new(),
            to_server: Vec::new(),
            passed: 0,
            sent: 0,
            from_client: Vec::new(),
            from_server: Vec::new(),
            lines: LineReader::new(AUTH_LINE_OCTETS),
            replies: ReplyReader::new(),
            message: None,
            chunk: None,
            effects: Vec::new(),
        };
        dialogue.input(Input::NextHopConnected);
        dialogue
    }

    /// The originator sends octets.
    pub fn client(&mut self, octets: &[u8]) {
        self.from_client.extend_from_slice(octets);
        self.proceed();
    }

    /// The next hop sends octets.
    pub fn server(&mut self, octets: &[u8]) {
        self.from_server.extend_from_slice(octets);
        self.proceed();
    }

    /// Something else happens.
    pub fn input(&mut self, input: Input<'_>) {
        self.relay.handle(input, &mut self.effects);
        self.perform();
    }

    /// Octets of the originator's that wait.
    pub fn waiting(&self) -> usize {
        self.from_client.len()
    }

    fn proceed(&mut self) {
        while !self.relay.is_closed() && (self.take_reply() || self.take_client()) {}
    }

    fn take_reply(&mut self) -> bool {
        if self.from_server.is_empty() {
            return false;
        }
        let step = self.replies.feed(&self.from_server);
        self.from_server.drain(..step.consumed);
        match step.outcome {
            ReplyOutcome::More => {}
            ReplyOutcome::Reply(reply) => self.input(Input::Reply(&reply)),
            ReplyOutcome::Defect(error) => self.input(Input::ReplyDefect(error)),
        }
        true
    }

    fn take_client(&mut self) -> bool {
        if self.from_client.is_empty() {
            return false;
        }
        match self.relay.reading() {
            Reading::Nothing => return false,
            Reading::Command => self.take_line(),
            Reading::Data => self.take_data(),
            Reading::Chunk { octets, keep } => self.take_chunk(octets, keep),
        }
        true
    }

    fn take_line(&mut self) {
        let step = self.lines.feed(&self.from_client);
        let more = step.consumed < self.from_client.len();
        match step.outcome {
            LineOutcome::More => {}
            LineOutcome::Line(line) => self.relay.handle(Input::Command { line, more }, &mut self.effects),
            LineOutcome::Defect(defect) => self.relay.handle(Input::BadLine(defect), &mut self.effects),
        }
        self.from_client.drain(..step.consumed);
        self.perform();
    }

    fn take_data(&mut self) {
        let message = self.message.as_mut().expect("data is read for a message");
        let step = message.data.feed(&self.from_client, &mut message.octets);
        let octets = message.octets.len() as u64;
        self.from_client.drain(..step.consumed);
        if let Some(defect) = step.defect {
            self.input(Input::DataDefect(defect));
        }
        if step.end {
            self.input(Input::DataEnd { octets });
        }
    }

    fn take_chunk(&mut self, octets: u64, keep: bool) {
        let left = *self.chunk.get_or_insert(octets);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(self.from_client.len());
        let piece: Vec<_> = self.from_client.drain(..length).collect();
        let left = left - length as u64;
        self.chunk = (left > 0).then_some(left);
        let defect: Option<DataDefect> = match &mut self.message {
            Some(message) if keep => message.chunks.feed(&piece, &mut message.octets),
            _ => None,
        };
        if let Some(defect) = defect {
            self.input(Input::DataDefect(defect));
        }
        if left == 0 {
            let octets = self.message.as_ref().map_or(0, |message| message.octets.len() as u64);
            self.input(Input::ChunkEnd { octets });
        }
    }

    fn perform(&mut self) {
        while !self.effects.is_empty() {
            for effect in std::mem::take(&mut self.effects) {
                self.perform_one(effect);
            }
        }
    }

    fn perform_one(&mut self, effect: Effect) {
        match effect {
            Effect::Reply(octets) => self.to_client.extend(octets),
            Effect::Command(octets) => self.to_server.extend(octets),
            Effect::StartTls(leg) => {
                let extra = match leg {
                    Leg::Client => !self.from_client.is_empty(),
                    Leg::Server => !self.from_server.is_empty(),
                };
                let input = if extra { Input::Extra(leg) } else { Input::Upgraded(leg) };
                self.relay.handle(input, &mut self.effects);
            }
            Effect::BeginMessage { number } => {
                self.message = Some(Message {
                    number,
                    octets: Vec::new(),
                    data: DataReceiver::new(MESSAGE_OCTETS, self.line_ends),
                    chunks: ChunkReceiver::new(MESSAGE_OCTETS, self.line_ends),
                });
            }
            Effect::Judge { chunked, .. } => self.judge(chunked),
            Effect::SendMessage { number, framing } => self.send(number, framing),
            Effect::DropMessage { .. } => self.message = None,
            Effect::Event(..) | Effect::Close(_) => {}
        }
    }

    /// Whatever has `EICAR` in it is refused.
    fn judge(&mut self, chunked: bool) {
        let message = self.message.as_mut().expect("a message is judged");
        if chunked && let Some(defect) = message.chunks.finish(&mut message.octets) {
            return self.relay.handle(Input::DataDefect(defect), &mut self.effects);
        }
        let infected = message.octets.windows(5).any(|octets| octets == b"EICAR");
        let (verdict, action) = if infected {
            (MessageVerdict::Infected, MessageAction::Refuse)
        } else {
            self.passed += 1;
            (MessageVerdict::Clean, MessageAction::Pass)
        };
        let decision = Decision { verdict, action, why: "EICAR".to_owned() };
        self.relay.handle(Input::Judged(&decision), &mut self.effects);
    }

    fn send(&mut self, number: u32, framing: Framing) {
        self.sent += 1;
        assert!(self.sent <= self.passed, "a message was sent that was not passed");
        let message = self.message.as_ref().expect("a message is sent");
        assert_eq!(message.number, number);
        match framing {
            Framing::Data => {
                let mut stuffer = DotStuffer::new();
                stuffer.stuff(TRACE, &mut self.to_server);
                stuffer.stuff(&message.octets, &mut self.to_server);
                stuffer.finish(&mut self.to_server);
            }
            Framing::Chunk => {
                let octets = TRACE.len() + message.octets.len();
                self.to_server.extend(format!("BDAT {octets} LAST\r\n").into_bytes());
                self.to_server.extend_from_slice(TRACE);
                self.to_server.extend_from_slice(&message.octets);
            }
        }
        self.relay.handle(Input::MessageSent { number }, &mut self.effects);
    }
}

/// What stands before every message.
pub const TRACE: &[u8] = b"X-Trace: 1\r\n";
