//! What the inspector tells about the flows it holds, so that one map says where every flow stands.

use smtp_common::flow::FlowMarks;
use smtp_common::stage::SmtpStage;

use crate::model::peers::Peers;
use crate::model::session_id::SessionId;

/// Where the stage of inspected flows is kept.
pub trait FlowStages: Send + Sync {
    /// A session has reached a stage; also said when it begins.
    fn stage(&self, peers: &Peers, session: SessionId, stage: SmtpStage, marks: FlowMarks);

    /// Shows what was said since the last time; called several times a second.
    fn publish(&self) {}

    /// A session has ended.
    fn closed(&self, peers: &Peers);

    /// Index of the interface that a flow's first packet came in by, if that is kept.
    fn ingress(&self, originator: std::net::SocketAddr, next_hop: std::net::SocketAddr) -> Option<u32> {
        let _ = (originator, next_hop);
        None
    }
}

/// Keeps nothing; for inspectors without a packet path.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFlowStages;

impl FlowStages for NoFlowStages {
    fn stage(&self, _: &Peers, _: SessionId, _: SmtpStage, _: FlowMarks) {}

    fn closed(&self, _: &Peers) {}
}
