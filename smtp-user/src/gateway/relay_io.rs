//! Carries out one session: feeds what arrives on both legs to the session's state machine, and does what it asks.
//!
//! One task, no channels. What a step asks for is gathered and leaves when there is nothing more to look at, so that
//! pipelined commands and their replies travel together. While one side does not take what it is sent, nothing is read
//! from the other.

mod arriving;
mod effects;
mod readdressing;
mod remedying;
mod taking_over;
mod upgrade;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use self::remedying::SeenEnvelope;
use crate::event::session_event::SessionEvent;
use crate::gateway::alarm::{Alarm, Expired};
use crate::gateway::ledger::Ledger;
use crate::gateway::leg_io::{LegIo, WriteFailure};
use crate::gateway::message::Message;
use crate::gateway::setup::{Resource, Setup};
use crate::gateway::taker::Taker;
use crate::gateway::trace_fields::OriginatorFacts;
use crate::limits::{AUTH_LINE_OCTETS, Timeout};
use crate::model::clock::Clock;
use crate::model::disposition::{Disposition, NOT_INSPECTED};
use crate::model::leg::Leg;
use crate::session::relay::{Effect, Input, Relay};
use crate::tls::next_hop_certificate::NextHopCertificate;
use crate::transport::stream::Stream;
use crate::wire::smtp::line::LineReader;
use crate::wire::smtp::reply::ReplyReader;

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
    /// The message's envelope, as far as it is known.
    envelope: SeenEnvelope,
    /// What trace fields say of parts that were replaced.
    rewritten: Option<String>,
    /// How long the originator is to be banned once it has its reply.
    ban_for: Option<Duration>,
    /// The server leg is in TLS.
    server_in_tls: bool,
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
            envelope: SeenEnvelope::default(),
            rewritten: None,
            ban_for: None,
            server_in_tls: false,
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

    /// The next hop did not answer the call.
    pub(crate) fn unreachable(&mut self, why: &'static str) {
        self.told_closed[1] = true;
        self.input(Input::NextHopUnreachable(why));
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
        let has_passed = self.relay.tally().delivered > 0;
        let is_unseen = has_passed && !self.context.resource.inspector.looks();
        self.context.ledger.close(match disposition {
            Disposition::Inspected if is_unseen => Disposition::Bypassed(NOT_INSPECTED.to_owned()),
            disposition => disposition,
        });
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
