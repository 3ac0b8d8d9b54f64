//! Accepts connections on one thread, one task for each, and gives a sign of life while it does.

use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::mem::take;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tracing::{error, warn};

use crate::gateway::connection::{Accepted, serve};
use crate::gateway::descriptors::{self, Room};
use crate::gateway::service::Shared;
use crate::gateway::shutdown::{Phase, draining};
use crate::model::pulse::Pulse;
use crate::model::shortage::has_no_descriptors;

/// How often a sign of life is given, well within what the heartbeat allows, and stages are shown.
const BEAT: Duration = Duration::from_millis(100);
/// How long is waited when the system has no descriptors or memory for another connection: those that come wait in the
/// kernel's queue.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// A listener and its own address.
pub(crate) type Listener = (TcpListener, SocketAddr);

/// Accepts connections until the service drains; then waits for the sessions, and after a while cuts them.
pub(crate) async fn listen(
    listeners: Vec<Listener>,
    shared: Arc<Shared>,
    mut phase: watch::Receiver<Phase>,
    pulse: Arc<Pulse>,
) {
    let mut sessions = JoinSet::new();
    let for_sessions = phase.clone();
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stop = std::pin::pin!(draining(&mut phase));
    let descriptors = &shared.descriptors;
    let mut spare: Option<File> = descriptors::spare();
    let mut by_spare = false;
    loop {
        tokio::select! {
            (accepted, listener) = poll_fn(|cx| poll_accept(&listeners, cx)) => match accepted {
                Ok((stream, originator)) => {
                    // With the descriptor that was kept for this, nothing can be done but say no.
                    let room = if take(&mut by_spare) { Room::None } else { descriptors::beside(&stream) };
                    descriptors.note(room, Instant::now().into_std());
                    let accepted = Accepted { stream, originator, listener, room };
                    sessions.spawn(serve(accepted, Arc::clone(&shared), for_sessions.clone()));
                    // What came with it is for the other threads, if they have nothing to do.
                    tokio::task::yield_now().await;
                    spare = spare.or_else(descriptors::spare);
                }
                Err(error) if is_about_one_connection(&error) => {}
                Err(error) if has_no_descriptors(&error) && spare.is_some() => {
                    spare = None;
                    by_spare = true;
                }
                Err(error) => {
                    descriptors.none_to_accept(&error, Instant::now().into_std());
                    pulse.beat();
                    sleep(EXHAUSTED).await;
                }
            },
            Some(ended) = sessions.join_next(), if !sessions.is_empty() => report(&ended),
            _ = beat.tick() => {
                pulse.beat();
                shared.stages.publish();
                spare = spare.or_else(descriptors::spare);
                descriptors.look(Instant::now().into_std());
            }
            () = &mut stop => break,
        }
    }
    pulse.close();
    drop(listeners);
    let drain = shared.setup().drain;
    let all = async {
        while let Some(ended) = sessions.join_next().await {
            report(&ended);
            shared.stages.publish();
        }
    };
    if tokio::time::timeout(drain, all).await.is_err() {
        warn!(sessions = sessions.len(), "sessions are cut that have not ended in time");
        sessions.shutdown().await;
    }
}

fn poll_accept(
    listeners: &[Listener],
    cx: &mut Context<'_>,
) -> Poll<(io::Result<(TcpStream, SocketAddr)>, SocketAddr)> {
    for (listener, local) in listeners {
        if let Poll::Ready(accepted) = listener.poll_accept(cx) {
            return Poll::Ready((accepted, *local));
        }
    }
    Poll::Pending
}

fn report(ended: &Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        error!("a session ended by a fault of this program");
    }
}

/// Whether the next connection may well be accepted: `accept(2)` hands on what happened to the one at hand.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
