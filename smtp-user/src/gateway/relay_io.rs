//! Carries out one session: feeds what arrives on both legs to the session's state machine, and does what it asks.
//!
//! One task, no channels. What a step asks for is gathered and leaves when there is nothing more to look at, so that
//! pipelined commands and their replies travel together. While one side does not take what it is sent, nothing is read
//! from the other.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::event::session_event::SessionEvent;
use crate::gateway::alarm::{Alarm, Expired};
use crate::gateway::ledger::Ledger;
use crate::gateway::leg_io::{LegIo, WriteFailure};
use crate::gateway::message::{Message, SendError};
use crate::gateway::setup::{Resource, Setup};
use crate::gateway::taker::{Facts, Reception, Taker};
use crate::gateway::trace_fields::{OriginatorFacts, trace_fields};
use crate::inspect::judgement::Judgement;
use crate::limits::{AUTH_LINE_OCTETS, Timeout};
use crate::model::clock::Clock;
use crate::model::decision::{Decision, MessageAction, MessageVerdict};
use crate::model::disposition::Disposition;
use crate::model::leg::Leg;
use crate::model::session_id::MessageId;
use crate::model::tls_facts::TlsFacts;
use crate::session::relay::{Effect, Framing, Input, Reading, Relay};
use crate::tls::error::TlsError;
use crate::tls::next_hop_certificate::NextHopCertificate;
use crate::transport::stream::{Stream, UpgradeError};
use crate::wire::smtp::line::{LineOutcome, LineReader};
use crate::wire::smtp::reply::{ReplyOutcome, ReplyReader};

/// One session at work.
pub(crate) struct RelayIo {
    relay: Relay,
    /// What is yet to be done.
    effects: Vec<Effect>,
    /// An empty list that is used in turn with the other.
    spare: Vec<Effect>,
    client: LegIo,
    server: LegIo,
    lines: LineReader,
    replies: ReplyReader,
    /// Apart, so that a session without one is small.
    message: Option<Box<Message>>,
    chunk: Option<ChunkProgress>,
    data: Option<DataProgress>,
    /// When the originator ended the message that is being answered.
    data_ended: Option<Instant>,
    facts: OriginatorFacts,
    /// Takes messages over, if no next hop does. Apart, as the message is.
    taker: Option<Box<Taker>>,
    /// The one recipient of the message, if there is no other.
    only_recipient: Option<String>,
    certificate: Option<NextHopCertificate>,
    alarm: Alarm,
    /// The relay was told that this leg has ended.
    told_closed: [bool; 2],
    told_drain: bool,
    /// The session has had its time, and some more to end in.
    is_overdue: bool,
    context: Context,
}

/// What a session is carried out with.
pub(crate) struct Context {
    pub(crate) ledger: Ledger,
    pub(crate) setup: Arc<Setup>,
    pub(crate) resource: Arc<Resource>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where the connection to the next hop goes.
    pub(crate) next_hop: std::net::SocketAddr,
}

/// How far the chunk is that is being read.
#[derive(Clone, Copy)]
struct ChunkProgress {
    left: u64,
    keep: bool,
}

/// How fast the message is that is being read.
#[derive(Clone, Copy)]
struct DataProgress {
    begun: Instant,
    received_before: u64,
}

/// Why waiting came to an end.
enum Woken {
    /// There is input, or a leg has ended.
    Input,
    /// A wait is over.
    Expired(Expired),
    /// The daemon is to stop.
    Drain,
}

/// How long a session may take to end once its time is over.
const OVERDUE: Duration = Duration::from_secs(30);

impl RelayIo {
    /// With the originator's connection. The next hop's comes with [`connected`](Self::connected).
    pub(crate) fn new(relay: Relay, client: Stream, context: Context) -> Self {
        let alarm = Alarm::new(&context.setup.timeouts, Instant::now());
        Self {
            relay,
            effects: Vec::new(),
            spare: Vec::new(),
            client: LegIo::new(client),
            server: LegIo::unconnected(),
            lines: LineReader::new(AUTH_LINE_OCTETS),
            replies: ReplyReader::new(),
            message: None,
            chunk: None,
            data: None,
            data_ended: None,
            facts: OriginatorFacts::default(),
            taker: None,
            only_recipient: None,
            certificate: None,
            alarm,
            told_closed: [false; 2],
            told_drain: false,
            is_overdue: false,
            context,
        }
    }

    /// Records something that should be explained.
    pub(crate) fn note(&self, leg: Leg, what: &str, detail: String) {
        self.context.ledger.note(leg, what, Some(detail));
    }

    /// The next hop answered the call.
    pub(crate) fn connected(&mut self, server: Stream) {
        self.server.connect(server);
        self.input(Input::NextHopConnected);
    }

    /// There is no next hop but the gateway itself, which takes messages over. In implicit TLS the originator's leg is
    /// upgraded before a word is said; gives why there is no session then.
    pub(crate) async fn take_over_with(
        &mut self,
        reception: Reception,
        in_tls: bool,
    ) -> Result<(), Disposition> {
        let taker = Taker::new(&self.context.setup.hostname, reception);
        let greeting = taker.greeting();
        self.taker = Some(Box::new(taker));
        if in_tls && let Err(why) = self.handshake(Leg::Client).await {
            self.context.ledger.record(None, SessionEvent::TlsFailed { leg: Leg::Client, why });
            self.client.abandon();
            return Err(Disposition::Failed("client_tls_failed".to_owned()));
        }
        self.input(Input::NextHopConnected);
        self.input(Input::Reply(&greeting));
        Ok(())
    }

    /// Answers a command in the next hop's place.
    fn answer_here(&mut self, octets: &[u8]) {
        let Some(taker) = &mut self.taker else { return };
        let (reply, refusal) = taker.answer(octets.strip_suffix(b"\r\n").unwrap_or(octets));
        if let Some(error) = refusal {
            self.context.ledger.note(Leg::Client, error.name(), Some(error.to_string()));
        }
        self.input(Input::Reply(&reply));
    }

    /// Puts a message into the spool, and answers in the next hop's place.
    async fn take_over(&mut self, number: u32) {
        let Context { ledger, setup, clock, .. } = &self.context;
        let Some(taker) = &mut self.taker else { return };
        let Some(message) = self.message.as_ref().filter(|message| message.number() == number) else {
            return;
        };
        let id = MessageId { session: ledger.session(), number };
        let unix_micros = clock.unix_micros();
        let originator = ledger.peers().originator.ip();
        let only = self.only_recipient.as_deref();
        let trace = trace_fields(&self.facts, originator, &setup.hostname, id, only, unix_micros);
        // Whatever becomes of this process, there is a record of each message that was taken.
        ledger.settle().await;
        let facts = Facts { id, peers: ledger.peers().clone(), trace, unix_micros };
        let (reply, outcome) = taker.take_over(message, facts).await;
        match outcome {
            Ok(event) => ledger.record(Some(number), event),
            Err(error) => {
                tracing::error!(%error, "a message cannot be taken over");
                ledger.note(Leg::Client, error.name(), Some(error.to_string()));
            }
        }
        self.input(Input::MessageSent { number });
        self.input(Input::Reply(&reply));
    }

    /// Judges a message within the time that the final reply waits for it; `None` if that did not do, and the relay knows
    /// what then.
    async fn judge_or_take(&mut self, number: u32, limit: Duration) -> Option<Judgement> {
        let message = self.message.as_mut()?;
        let Some(taker) = &mut self.taker else {
            let judged = judge_for(message.judge(limit), &mut self.client).await;
            if judged.is_none() {
                self.tell_closed(Leg::Client);
            }
            return judged;
        };
        let hold = taker.hold().min(limit);
        let Some(judged) = judge_for(message.judge_within(hold), &mut self.client).await else {
            self.tell_closed(Leg::Client);
            return None;
        };
        taker.judged(judged.as_ref(), self.context.clock.unix_micros());
        if judged.is_none() {
            let what = "hold_elapsed".to_owned();
            let note = SessionEvent::Note { leg: Leg::Client, what, detail: None };
            self.context.ledger.record(Some(number), note);
            // It is taken now, and judged before it is delivered.
            self.input(Input::Judged(&judged_later()));
        }
        judged
    }

    /// The next hop did not answer the call.
    pub(crate) fn unreachable(&mut self, why: &'static str) {
        self.told_closed[1] = true;
        self.input(Input::NextHopUnreachable(why));
    }

    /// Starts TLS on both legs, the next hop's first, before a word is said (RFC 8314 §3.3). Gives why there is no
    /// session then.
    pub(crate) async fn start_implicit_tls(
        &mut self,
        server: tokio::net::TcpStream,
    ) -> Result<(), Disposition> {
        self.server.connect(Stream::Plain(server));
        for leg in [Leg::Server, Leg::Client] {
            if let Err(why) = self.handshake(leg).await {
                let disposition = match (leg, why.as_str()) {
                    (Leg::Server, TIME_OUT) => Disposition::Failed("time_out_server_handshake".to_owned()),
                    (Leg::Server, _) => Disposition::Failed("server_tls_failed".to_owned()),
                    (Leg::Client, TIME_OUT) => Disposition::Refused("time_out_client_handshake".to_owned()),
                    (Leg::Client, _) => Disposition::Failed("client_tls_failed".to_owned()),
                };
                self.context.ledger.record(None, SessionEvent::TlsFailed { leg, why });
                self.client.abandon();
                self.server.abandon();
                return Err(disposition);
            }
        }
        self.input(Input::NextHopConnected);
        Ok(())
    }

    /// Starts TLS with the originator alone, so that it can be told that there is no next hop; says whether that was
    /// possible. A leaf cannot be minted after nothing.
    pub(crate) async fn start_tls_to_say_no(&mut self) -> bool {
        let tls = &self.context.resource.tls;
        if !tls.serves() || tls.mints() {
            return false;
        }
        match self.handshake(Leg::Client).await {
            Ok(()) => true,
            Err(why) => {
                let leg = Leg::Client;
                self.context.ledger.record(None, SessionEvent::TlsFailed { leg, why });
                false
            }
        }
    }

    /// Records that the next hop did not answer, for a session that cannot say so.
    pub(crate) fn no_next_hop(&self, why: &str) {
        let outcome = why.to_owned();
        self.context.ledger.record(None, SessionEvent::NextHop { outcome, greeting: None });
    }

    /// Ends a session that never began.
    pub(crate) async fn give_up(&mut self, disposition: Disposition) {
        self.client.abandon();
        self.finish(disposition).await;
    }

    /// Carries the session out to its end.
    pub(crate) async fn run(&mut self, drain: impl Future<Output = ()>) {
        let mut drain = std::pin::pin!(drain);
        loop {
            self.perform().await;
            if self.relay.is_closed() && self.effects.is_empty() {
                break;
            }
            if self.take_input().await {
                continue;
            }
            self.flush(Leg::Server).await;
            self.flush(Leg::Client).await;
            if !self.effects.is_empty() {
                continue;
            }
            if self.told_drain {
                // It ends the session as soon as nothing is in progress, and that may be now.
                self.input(Input::Drain);
                if !self.effects.is_empty() {
                    continue;
                }
            }
            self.say_where_it_stands();
            match self.wait(drain.as_mut()).await {
                Woken::Input => {}
                Woken::Drain => {
                    self.told_drain = true;
                    self.input(Input::Drain);
                }
                Woken::Expired(Expired::Wait(_, which)) => self.input(Input::Expired(which)),
                Woken::Expired(Expired::Session) if self.is_overdue => {
                    self.finish(Disposition::Failed("time_out_session".to_owned())).await;
                    return;
                }
                Woken::Expired(Expired::Session) => self.session_expired(),
            }
        }
        let disposition = self.relay.disposition();
        self.finish(disposition).await;
    }

    async fn finish(&mut self, disposition: Disposition) {
        let limit = self.context.setup.timeouts.of(Timeout::Quit);
        self.client.close_gently(limit).await;
        self.server.close(limit).await;
        self.say_where_it_stands();
        self.context.ledger.close(disposition);
    }

    fn input(&mut self, input: Input<'_>) {
        self.relay.handle(input, &mut self.effects);
    }

    /// Tells the ledger and the flow map.
    fn say_where_it_stands(&mut self) {
        self.context.ledger.stage(self.relay.stage());
        self.context.ledger.count(self.client.octets(), self.server.octets(), self.relay.tally());
    }

    /// The session has lasted as long as a session may: whatever is waited for is waited for no longer.
    fn session_expired(&mut self) {
        self.is_overdue = true;
        self.alarm.end_session_at(Instant::now() + OVERDUE);
        let waiting = self.relay.waiting();
        self.context.ledger.note(Leg::Client, "time_out_session", None);
        let expired = waiting.client.or(waiting.server).unwrap_or(Timeout::Command);
        self.input(Input::Expired(expired));
    }

    // ---- what arrives -----------------------------------------------------------------------------------------

    /// Looks at one piece of what has arrived; says whether there was one.
    async fn take_input(&mut self) -> bool {
        if !self.server.input().is_empty() {
            self.take_reply();
            return true;
        }
        if !self.client.input().is_empty() {
            match self.relay.reading() {
                Reading::Command => {
                    self.take_line();
                    return true;
                }
                Reading::Data => {
                    self.take_data().await;
                    return true;
                }
                Reading::Chunk { octets, keep } => {
                    self.take_chunk(octets, keep).await;
                    return true;
                }
                Reading::Nothing => {}
            }
        } else if self.chunk.is_none()
            && let Reading::Chunk { octets: 0, keep } = self.relay.reading()
        {
            // Nothing has to arrive for it.
            self.take_chunk(0, keep).await;
            return true;
        }
        for leg in [Leg::Server, Leg::Client] {
            if self.leg(leg).has_ended() && self.tell_closed(leg) {
                return true;
            }
        }
        false
    }

    /// Tells the relay, once, that a leg has ended.
    fn tell_closed(&mut self, leg: Leg) -> bool {
        let told = self.mark_told(leg);
        if !told {
            let has_more_to_hear = leg == Leg::Client && !self.client.is_broken();
            self.input(if has_more_to_hear { Input::Ended } else { Input::Closed(leg) });
        }
        !told
    }

    /// Takes note that the relay knows of a leg's end; says whether it did before.
    fn mark_told(&mut self, leg: Leg) -> bool {
        let index = usize::from(leg == Leg::Server);
        self.told_closed.get_mut(index).is_none_or(|told| std::mem::replace(told, true))
    }

    fn take_reply(&mut self) {
        let step = self.replies.feed(self.server.input());
        self.server.consume(step.consumed);
        match step.outcome {
            ReplyOutcome::More => {}
            ReplyOutcome::Reply(reply) => {
                self.alarm.restart(Leg::Server);
                self.input(Input::Reply(&reply));
            }
            ReplyOutcome::Defect(defect) => self.input(Input::ReplyDefect(defect)),
        }
    }

    fn take_line(&mut self) {
        let Some(mut buffer) = self.client.take_input() else { return };
        let step = self.lines.feed(buffer.octets());
        buffer.consume(step.consumed);
        let more = !buffer.octets().is_empty();
        match step.outcome {
            LineOutcome::More => {}
            LineOutcome::Line(line) => {
                self.alarm.restart(Leg::Client);
                self.relay.handle(Input::Command { line, more }, &mut self.effects);
            }
            LineOutcome::Defect(defect) => {
                self.relay.handle(Input::BadLine(defect), &mut self.effects);
            }
        }
        self.client.put_input(buffer);
    }

    async fn take_data(&mut self) {
        let Some(mut buffer) = self.client.take_input() else { return };
        let Some(message) = &mut self.message else {
            // The relay reads data only between `BeginMessage` and the end of the data.
            self.client.abandon();
            self.tell_closed(Leg::Client);
            return;
        };
        let step = message.take_data(buffer.octets()).await;
        let octets = message.octets();
        buffer.consume(step.consumed);
        self.client.put_input(buffer);
        if let Some(defect) = step.defect {
            self.input(Input::DataDefect(defect));
        }
        if step.end {
            self.end_data(Input::DataEnd { octets });
        } else {
            self.look_at_rate();
        }
    }

    async fn take_chunk(&mut self, octets: u64, keep: bool) {
        let progress = self.chunk.unwrap_or(ChunkProgress { left: octets, keep });
        let mut left = progress.left;
        if left > 0 {
            let Some(mut buffer) = self.client.take_input() else { return };
            let taken = buffer.octets().len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let piece = buffer.octets().get(..taken).unwrap_or_default();
            let defect = match &mut self.message {
                Some(message) if progress.keep => message.take_chunk(piece).await,
                _ => None,
            };
            buffer.consume(taken);
            self.client.put_input(buffer);
            left -= taken as u64;
            if let Some(defect) = defect {
                self.input(Input::DataDefect(defect));
            }
        }
        if left > 0 {
            self.chunk = Some(ChunkProgress { left, keep: progress.keep });
            self.look_at_rate();
        } else {
            self.chunk = None;
            let octets = self.message.as_deref().map_or(0, Message::octets);
            self.end_data(Input::ChunkEnd { octets });
        }
    }

    fn end_data(&mut self, input: Input<'_>) {
        self.data = None;
        self.data_ended = Some(Instant::now());
        self.alarm.restart(Leg::Client);
        self.input(input);
    }

    /// More of a message has come; but an originator that sends too slowly over its whole length holds a place that
    /// others need.
    fn look_at_rate(&mut self) {
        self.alarm.restart(Leg::Client);
        let now = Instant::now();
        let [received, _] = self.client.octets();
        let progress = *self.data.get_or_insert(DataProgress { begun: now, received_before: received });
        let octets = received - progress.received_before;
        if self.context.setup.timeouts.is_too_slow(octets, now - progress.begun) {
            self.context.ledger.note(Leg::Client, "data_too_slow", None);
            self.input(Input::Expired(Timeout::Data));
        }
    }

    // ---- what is to be done -----------------------------------------------------------------------------------

    /// Does what the relay asks for.
    async fn perform(&mut self) {
        while !self.effects.is_empty() {
            let mut batch = std::mem::replace(&mut self.effects, std::mem::take(&mut self.spare));
            for effect in batch.drain(..) {
                self.perform_one(effect).await;
            }
            self.spare = batch;
        }
    }

    async fn perform_one(&mut self, effect: Effect) {
        match effect {
            Effect::Reply(octets) => {
                self.client.gather(octets);
                if self.client.is_full() {
                    self.flush(Leg::Client).await;
                }
            }
            Effect::Command(octets) if self.taker.is_some() => self.answer_here(&octets),
            Effect::Command(octets) => {
                self.server.gather(octets);
                if self.server.is_full() {
                    self.flush(Leg::Server).await;
                }
            }
            Effect::StartTls(leg) => self.start_tls(leg).await,
            Effect::BeginMessage { number } => {
                let Context { setup, resource, .. } = &self.context;
                let limits = self.taker.as_ref().map_or(&setup.limits, |taker| taker.limits());
                self.message = Some(Box::new(Message::begin(
                    number,
                    &setup.hold,
                    setup.line_ends,
                    limits.max_message_octets,
                    &resource.inspector,
                )));
            }
            Effect::Judge { number, chunked } => self.judge(number, chunked).await,
            Effect::SendMessage { number, .. } if self.taker.is_some() => {
                // On its own, so that other sessions need no room for it.
                Box::pin(self.take_over(number)).await;
            }
            Effect::SendMessage { number, framing } => self.send_message(number, framing).await,
            Effect::DropMessage { number } => {
                self.message.take_if(|message| message.number() == number);
                self.data = None;
            }
            Effect::Event(event, message) => self.record(event, message),
            Effect::Close(leg) => {
                let limit = self.context.setup.timeouts.of(Timeout::Quit);
                match leg {
                    Leg::Client => self.client.close_gently(limit).await,
                    Leg::Server => self.server.close(limit).await,
                }
                // Whoever asked for it need not be told.
                self.mark_told(leg);
            }
        }
    }

    /// Records a fact, after taking from it what trace fields tell.
    fn record(&mut self, mut event: SessionEvent, message: Option<u32>) {
        match &mut event {
            SessionEvent::Hello { verb, name, .. } => {
                self.facts.name.clone_from(name);
                self.facts.extended = verb == "EHLO";
            }
            SessionEvent::Auth { code: 235, .. } => self.facts.authenticated = true,
            SessionEvent::Envelope { to, .. } => {
                self.only_recipient = match to.as_slice() {
                    [only] => Some(only.clone()),
                    _ => None,
                };
            }
            SessionEvent::NextHop { outcome, greeting } if self.taker.is_some() => {
                "spool".clone_into(outcome);
                *greeting = None;
            }
            SessionEvent::Replied { micros, from_next_hop, .. } => {
                *from_next_hop &= self.taker.is_none();
                let since = self.data_ended.take().map_or(Duration::ZERO, |ended| ended.elapsed());
                *micros = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
            }
            _ => {}
        }
        self.context.ledger.record(message, event);
    }

    async fn judge(&mut self, number: u32, chunked: bool) {
        let limit = self.context.setup.timeouts.of(Timeout::Judgement);
        let Some(message) = self.message.as_mut().filter(|message| message.number() == number) else {
            return;
        };
        if chunked && let Some(defect) = message.finish_chunks().await {
            self.input(Input::DataDefect(defect));
            return;
        }
        let Some(judgement) = Box::pin(self.judge_or_take(number, limit)).await else { return };
        let number = Some(number);
        let ledger = &self.context.ledger;
        let event = judgement.event();
        for part in judgement.parts {
            ledger.record(number, SessionEvent::Part(part));
        }
        for engine in judgement.engines {
            ledger.record(number, engine);
        }
        ledger.record(number, event);
        if judgement.decision.action == MessageAction::Pass {
            // It is waited for before the message goes; meanwhile the next hop is asked for it.
            ledger.hurry();
        }
        self.input(Input::Judged(&judgement.decision));
    }

    async fn send_message(&mut self, number: u32, framing: Framing) {
        let Context { ledger, setup, clock, .. } = &self.context;
        let Some(message) = self.message.as_ref().filter(|message| message.number() == number) else {
            return;
        };
        let trace = trace_fields(
            &self.facts,
            ledger.peers().originator.ip(),
            &setup.hostname,
            MessageId { session: ledger.session(), number },
            self.only_recipient.as_deref(),
            clock.unix_micros(),
        );
        // Whatever becomes of this process, there is a record of each message that the next hop has.
        ledger.settle().await;
        let limit = setup.timeouts.of(Timeout::DataBlock);
        match message.send(&trace, framing, &mut self.server, limit).await {
            Ok(()) => self.input(Input::MessageSent { number }),
            Err(SendError::Write(failure)) => {
                let what = match failure {
                    WriteFailure::TimedOut => "time_out_data_block",
                    WriteFailure::Broken => "connection_broken_in_data",
                    WriteFailure::Answered => "answered_in_data",
                };
                ledger.note(Leg::Server, what, None);
                // It may have said why, and that is the originator's to know.
                self.server.last_input().await;
                while !self.server.input().is_empty() && !self.relay.is_closed() {
                    self.take_reply();
                    self.server.last_input().await;
                }
                self.abandon(Leg::Server);
            }
            Err(SendError::Hold(error)) => {
                // Half of it is on its way: only a broken connection keeps the next hop from taking that for all.
                ledger.note(Leg::Server, error.name(), None);
                self.abandon(Leg::Server);
            }
        }
    }

    fn abandon(&mut self, leg: Leg) {
        self.leg(leg).abandon();
        self.tell_closed(leg);
    }

    /// Writes what was gathered for a leg.
    async fn flush(&mut self, leg: Leg) {
        if !self.leg(leg).has_output() {
            return;
        }
        let which = match leg {
            Leg::Client => Timeout::Command,
            Leg::Server => Timeout::Reply,
        };
        let limit = self.context.setup.timeouts.of(which);
        match self.leg(leg).flush(limit).await {
            Ok(()) => {}
            Err(WriteFailure::Broken | WriteFailure::Answered) => self.abandon(leg),
            Err(WriteFailure::TimedOut) => {
                self.leg(leg).abandon();
                if !self.mark_told(leg) {
                    self.input(Input::Stuck(leg));
                }
            }
        }
    }

    fn leg(&mut self, leg: Leg) -> &mut LegIo {
        match leg {
            Leg::Client => &mut self.client,
            Leg::Server => &mut self.server,
        }
    }

    // ---- TLS --------------------------------------------------------------------------------------------------

    /// Starts TLS on a leg. Nothing of the plaintext survives it (RFC 3207 §4.2).
    async fn start_tls(&mut self, leg: Leg) {
        // Before the peer is told to begin: what came until then is no handshake.
        match self.leg(leg).nothing_waits() {
            Ok(()) => {}
            Err(UpgradeError::Extra) => {
                self.leg(leg).forget_output();
                self.input(Input::Extra(leg));
                return;
            }
            Err(_) => {
                self.abandon(leg);
                return;
            }
        }
        self.flush(leg).await;
        if !self.leg(leg).is_open() {
            return;
        }
        match self.handshake(leg).await {
            Ok(()) => self.input(Input::Upgraded(leg)),
            Err(why) => {
                let input = match (leg, why.as_str()) {
                    (Leg::Server, TIME_OUT) => Input::Expired(Timeout::ServerHandshake),
                    (Leg::Client, TIME_OUT) => Input::Expired(Timeout::ClientHandshake),
                    _ => Input::UpgradeFailed(leg),
                };
                self.context.ledger.record(None, SessionEvent::TlsFailed { leg, why });
                self.leg(leg).abandon();
                self.input(input);
            }
        }
    }

    async fn handshake(&mut self, leg: Leg) -> Result<(), String> {
        let tcp = self.leg(leg).take_plain().map_err(|error| error.to_string())?;
        let Context { setup, resource, next_hop, .. } = &self.context;
        let which = match leg {
            Leg::Client => Timeout::ClientHandshake,
            Leg::Server => Timeout::ServerHandshake,
        };
        let limit = setup.timeouts.of(which);
        let facts: TlsFacts = match leg {
            Leg::Server => {
                let handshake = timeout(limit, Box::pin(resource.tls.connect(tcp, *next_hop))).await;
                let (stream, facts, certificate) = in_time(handshake)?;
                self.server.connect(Stream::ClientTls(Box::new(stream)));
                self.replies = ReplyReader::new();
                self.certificate = Some(certificate);
                facts
            }
            Leg::Client => {
                let pattern = self.certificate.as_ref();
                let handshake = timeout(limit, Box::pin(resource.tls.accept(tcp, pattern))).await;
                let (stream, facts) = in_time(handshake)?;
                self.client.connect(Stream::ServerTls(Box::new(stream)));
                self.lines = LineReader::new(AUTH_LINE_OCTETS);
                self.certificate = None;
                self.facts = OriginatorFacts {
                    tls: Some((facts.version.clone(), facts.cipher.clone())),
                    ..OriginatorFacts::default()
                };
                facts
            }
        };
        self.alarm.restart(leg);
        self.context.ledger.record(None, SessionEvent::Tls { leg, facts });
        Ok(())
    }

    // ---- waiting ----------------------------------------------------------------------------------------------

    /// Waits until there is something to do.
    async fn wait(&mut self, mut drain: Pin<&mut impl Future<Output = ()>>) -> Woken {
        self.alarm.set(self.relay.waiting(), &self.context.setup.timeouts);
        let (client, server, alarm) = (&mut self.client, &mut self.server, &mut self.alarm);
        let told_drain = self.told_drain;
        poll_fn(|cx| {
            let server_ready = server.poll_input(cx).is_ready();
            let client_ready = client.poll_input(cx).is_ready();
            if server_ready || client_ready {
                return Poll::Ready(Woken::Input);
            }
            if let Poll::Ready(expired) = alarm.poll(cx) {
                return Poll::Ready(Woken::Expired(expired));
            }
            if !told_drain && drain.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Woken::Drain);
            }
            Poll::Pending
        })
        .await
    }
}

/// Judges a message, unless nobody is left who could be told: engines have better things to do.
async fn judge_for<T>(judging: impl Future<Output = T>, originator: &mut LegIo) -> Option<T> {
    let mut judging = std::pin::pin!(judging);
    poll_fn(|cx| {
        if let Poll::Ready(judgement) = judging.as_mut().poll(cx) {
            return Poll::Ready(Some(judgement));
        }
        while originator.poll_input(cx).is_ready() {
            if originator.has_ended() && originator.is_broken() {
                return Poll::Ready(None);
            }
        }
        Poll::Pending
    })
    .await
}

/// What a message is let into the spool with that nobody has judged yet.
fn judged_later() -> Decision {
    Decision {
        verdict: MessageVerdict::EngineError,
        action: MessageAction::Pass,
        why: "judged before delivery".to_owned(),
    }
}

/// The outcome of a handshake that may have taken too long.
fn in_time<T>(handshake: Result<Result<T, TlsError>, tokio::time::error::Elapsed>) -> Result<T, String> {
    match handshake {
        Ok(outcome) => outcome.map_err(|error| error.reason().to_owned()),
        Err(_) => Err(TIME_OUT.to_owned()),
    }
}

/// Why there is no TLS on a leg whose handshake took too long.
const TIME_OUT: &str = "time_out";
