//! What is recorded of one session. Whatever happens to it, panic and abort included, it ends in exactly one account.

use std::sync::Arc;

use smtp_common::flow::FlowMarks;
use smtp_common::stage::SmtpStage;
use tokio::time::Instant;

use crate::audit::recorder::Recorder;
use crate::event::session_event::SessionEvent;
use crate::model::disposition::Disposition;
use crate::model::flow_stages::FlowStages;
use crate::model::leg::Leg;
use crate::model::peers::Peers;
use crate::model::session_id::SessionId;
use crate::session::relay::Tally;

/// What is recorded of one session.
pub(crate) struct Ledger {
    recorder: Recorder,
    stages: Arc<dyn FlowStages>,
    session: SessionId,
    peers: Peers,
    begun: Instant,
    stage: (SmtpStage, FlowMarks),
    client_octets: [u64; 2],
    server_octets: [u64; 2],
    tally: Tally,
    is_closed: bool,
}

impl Ledger {
    /// Opens the account.
    pub(crate) fn open(
        recorder: Recorder,
        stages: Arc<dyn FlowStages>,
        session: SessionId,
        peers: Peers,
        begun: Instant,
    ) -> Self {
        recorder.emit(session, None, SessionEvent::Opened { peers: peers.clone() });
        let stage = (SmtpStage::NONE, FlowMarks(0));
        stages.stage(&peers, session, stage.0, stage.1);
        Self {
            recorder,
            stages,
            session,
            peers,
            begun,
            stage,
            client_octets: [0; 2],
            server_octets: [0; 2],
            tally: Tally::default(),
            is_closed: false,
        }
    }

    /// The session's name.
    pub(crate) const fn session(&self) -> SessionId {
        self.session
    }

    /// Who speaks with whom.
    pub(crate) const fn peers(&self) -> &Peers {
        &self.peers
    }

    /// Records a fact.
    pub(crate) fn record(&self, message: Option<u32>, event: SessionEvent) {
        self.recorder.emit(self.session, message, event);
    }

    /// Records something that should be explained.
    pub(crate) fn note(&self, leg: Leg, what: &str, detail: Option<String>) {
        self.record(None, SessionEvent::Note { leg, what: what.to_owned(), detail });
    }

    /// Waits until what was recorded is written.
    pub(crate) async fn settle(&self) {
        self.recorder.settle().await;
    }

    /// The same where many sessions wait at a time.
    pub(crate) async fn settle_with_others(&self) {
        self.recorder.settle_with_others().await;
    }

    /// Says where the dialogue stands.
    pub(crate) fn stage(&mut self, stage: (SmtpStage, FlowMarks)) {
        if stage != self.stage {
            self.stage = stage;
            self.stages.stage(&self.peers, self.session, stage.0, stage.1);
        }
    }

    /// Says how much went over the legs, and what became of the messages, so far.
    pub(crate) const fn count(&mut self, client_octets: [u64; 2], server_octets: [u64; 2], tally: Tally) {
        self.client_octets = client_octets;
        self.server_octets = server_octets;
        self.tally = tally;
    }

    /// Closes the account.
    pub(crate) fn close(&mut self, disposition: Disposition) {
        self.account(disposition);
    }

    fn account(&mut self, disposition: Disposition) {
        if std::mem::replace(&mut self.is_closed, true) {
            return;
        }
        let millis = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let Tally { delivered, refused, deferred, quarantined } = self.tally;
        let (client_octets, server_octets) = (self.client_octets, self.server_octets);
        self.record(
            None,
            SessionEvent::Account {
                disposition,
                delivered,
                refused,
                deferred,
                quarantined,
                client_octets,
                server_octets,
                millis,
            },
        );
        self.stages.closed(&self.peers);
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if !self.is_closed {
            let reason = if std::thread::panicking() { "internal_error" } else { "daemon_stopped" };
            self.account(Disposition::Failed(reason.to_owned()));
        }
    }
}
