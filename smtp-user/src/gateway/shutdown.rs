//! Draining: no new sessions, those in flight end by themselves, and what has not ended in time is cut.

use tokio::sync::watch;

/// Where the service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Sessions are taken.
    Running,
    /// Sessions end when they can: 421 to the next command that would begin something.
    Draining,
}

/// Waits until sessions are to end.
pub(crate) async fn draining(phase: &mut watch::Receiver<Phase>) {
    // Whoever sends it is gone: the service was dropped, and sessions go with it.
    let _ = phase.wait_for(|phase| *phase == Phase::Draining).await;
}
