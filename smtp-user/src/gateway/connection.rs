//! One originator's connection from accept to close: let in, assigned to a rule, put through to the next hop, relayed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::debug;

use crate::gateway::admission::{Permit, TurnedAway};
use crate::gateway::descriptors::Room;
use crate::gateway::ledger::Ledger;
use crate::gateway::leg_io::LegIo;
use crate::gateway::original_destination::{OriginalDestination, canonical, original_destination};
use crate::gateway::relay_io::{Context, RelayIo};
use crate::gateway::service::Shared;
use crate::gateway::setup::{Assignment, Resource, Setup, is_implicit_tls, is_same_family};
use crate::gateway::shutdown::{Phase, draining};
use crate::limits::Timeout;
use crate::model::disposition::Disposition;
use crate::model::leg::Leg;
use crate::model::peers::Peers;
use crate::model::server_tls::ServerTls;
use crate::session::relay::{Relay, RelayConfig};
use crate::session::replies;
use crate::transport::dial::{Source, dial};
use crate::transport::stream::Stream;

/// A connection that was accepted.
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) originator: SocketAddr,
    /// The listener's own address.
    pub(crate) listener: SocketAddr,
    /// Descriptors that there are beside it.
    pub(crate) room: Room,
}

/// Takes a connection to its end.
pub(crate) async fn serve(accepted: Accepted, shared: Arc<Shared>, phase: watch::Receiver<Phase>) {
    let begun = Instant::now();
    let Ok(local) = accepted.stream.local_addr() else {
        debug!(originator = %accepted.originator, "the originator was gone before it was looked at");
        return;
    };
    let originator = canonical(accepted.originator);
    let destination = original_destination(local, accepted.listener);
    let setup = shared.setup();
    let ingress = shared.stages.ingress(originator, destination.address()).filter(|ifindex| *ifindex != 0);
    let is_direct = matches!(destination, OriginalDestination::Direct(_));
    let assignment = setup.assign(originator, destination.address(), ingress, is_direct);
    let ledger = open(&shared, &setup, &assignment, originator, destination.address(), ingress, begun);
    let permit = match accepted.room {
        Room::Enough => shared.admission.admit(originator.ip()),
        Room::Little | Room::None => Err(TurnedAway::NoDescriptors),
    };
    let (resource, permit) = match (assignment, permit) {
        (Assignment::Inspect(_, resource), Ok(permit)) => (Arc::clone(resource), permit),
        (Assignment::Inspect(..), Err(no)) => {
            return turn_away(accepted, destination.address(), &setup, ledger, no.name()).await;
        }
        (Assignment::NoRule, _) => {
            return turn_away(accepted, destination.address(), &setup, ledger, "no_rule").await;
        }
        (Assignment::Direct(_), _) => {
            return turn_away(accepted, destination.address(), &setup, ledger, "direct_connection").await;
        }
    };
    relay(
        accepted.stream,
        originator,
        destination.address(),
        resource,
        setup,
        ledger,
        &shared,
        phase,
        permit,
    )
    .await;
}

fn open(
    shared: &Shared,
    setup: &Setup,
    assignment: &Assignment<'_>,
    originator: SocketAddr,
    destination: SocketAddr,
    ingress: Option<u32>,
    begun: Instant,
) -> Ledger {
    let (rule, rule_name, resource) = match assignment {
        Assignment::Inspect(rule, resource) => (rule.id, rule.name.clone(), resource.name.clone()),
        Assignment::Direct(rule) => (rule.id, rule.name.clone(), rule.resource.clone().unwrap_or_default()),
        Assignment::NoRule => (NO_RULE, String::new(), String::new()),
    };
    let peers = Peers {
        originator,
        next_hop: destination,
        interface: ingress.and_then(|ifindex| setup.interface_name(ifindex)),
        interface_index: ingress.unwrap_or(0),
        rule,
        rule_name,
        policy: setup.revision,
        resource,
    };
    let session = shared.recorder.new_session();
    Ledger::open(shared.recorder.clone(), Arc::clone(&shared.stages), session, peers, begun)
}

/// Says no, once, and records why.
async fn turn_away(
    accepted: Accepted,
    destination: SocketAddr,
    setup: &Setup,
    mut ledger: Ledger,
    reason: &'static str,
) {
    let mut leg = LegIo::new(Stream::Plain(accepted.stream));
    if !is_implicit_tls(destination.port()) {
        leg.gather(replies::turned_away(&setup.hostname).to_octets());
    }
    match accepted.room {
        Room::Enough | Room::Little => leg.close_gently(setup.timeouts.of(Timeout::Quit)).await,
        // The next one needs its descriptor; a new connection takes so few octets at once.
        Room::None => leg.close(Duration::ZERO).await,
    }
    ledger.count(leg.octets(), [0; 2], crate::session::relay::Tally::default());
    ledger.close(Disposition::Refused(reason.to_owned()));
}

#[expect(clippy::too_many_arguments, reason = "they come from one caller and go into one value")]
async fn relay(
    stream: TcpStream,
    originator: SocketAddr,
    destination: SocketAddr,
    resource: Arc<Resource>,
    setup: Arc<Setup>,
    ledger: Ledger,
    shared: &Shared,
    mut phase: watch::Receiver<Phase>,
    _permit: Permit,
) {
    let next_hop = resource.next_hop(destination);
    let in_tls = is_implicit_tls(destination.port());
    let relay = Relay::new(RelayConfig {
        hostname: setup.hostname.clone(),
        // Without a next hop there is nothing to mint a certificate after.
        starttls: resource.tls.serves() && !(resource.reception.is_some() && resource.tls.mints()),
        in_tls,
        // Where the gateway takes messages over, there is no server leg that could be weaker.
        server_tls: if resource.reception.is_some() { ServerTls::Off } else { resource.server_tls },
        line_ends: setup.line_ends,
        limits: resource.reception.as_ref().map_or(setup.limits, |reception| reception.limits),
        session: ledger.session(),
    });
    let reception = resource.reception.clone();
    if next_hop != destination && reception.is_none() {
        ledger.note(Leg::Server, "next_hop", Some(next_hop.to_string()));
    }
    let source = if resource.from_originator && is_same_family(originator.ip(), next_hop.ip()) {
        Source::Originator(originator)
    } else {
        Source::Gateway
    };
    let limit = setup.timeouts.of(Timeout::Connect);
    let dialled = match reception {
        Some(reception) => Err(reception),
        None => Ok(dial(next_hop, source, limit).await),
    };
    let context = Context { ledger, setup, resource, clock: Arc::clone(&shared.clock), next_hop };
    let mut io = RelayIo::new(relay, Stream::Plain(stream), context);
    match dialled {
        Err(reception) => {
            // On its own, so that sessions with a next hop need no room for it.
            if let Err(disposition) = Box::pin(io.take_over_with(reception, in_tls)).await {
                return io.give_up(disposition).await;
            }
        }
        Ok(Ok(dialled)) => {
            if dialled.other_port {
                io.note(Leg::Server, "source_port_taken", dialled.local.to_string());
            }
            if in_tls {
                if let Err(disposition) = io.start_implicit_tls(dialled.stream).await {
                    return io.give_up(disposition).await;
                }
            } else {
                io.connected(Stream::Plain(dialled.stream));
            }
        }
        Ok(Err(error)) => {
            io.note(Leg::Server, error.name(), error.to_string());
            // Nothing can be said before a handshake.
            if in_tls && !io.start_tls_to_say_no().await {
                io.no_next_hop(error.name());
                return io.give_up(Disposition::Failed(error.name().to_owned())).await;
            }
            io.unreachable(error.name());
        }
    }
    io.run(draining(&mut phase)).await;
}

/// Id in records where no rule is meant.
const NO_RULE: u16 = u16::MAX;

#[cfg(test)]
mod tests {
    use super::serve;

    fn size_of_future<A, B, C, F: Future>(_: impl Fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_session_takes_little_memory_while_it_waits() {
        // A value that is moved into an asynchronous function is there twice; this is where that shows.
        let octets = size_of_future(serve);
        assert!(octets <= 6 << 10, "{octets}");
    }
}
