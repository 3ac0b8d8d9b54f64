//! A flow as it is listed: from the end that opened it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::Serialize;
use smtp_common::flow::{FlowMarks, NO_RULE_ID};
use smtp_common::packet_path::PathReason;
use smtp_common::stage::SmtpStage;
use smtp_common::tick;

use crate::cli::word;
use crate::model::session_id::SessionId;
use crate::packet_path::flows::Flow;
use crate::policy::packet_rules::PacketRules;

/// A flow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlowRow {
    /// `tcp` or `udp`.
    pub protocol: &'static str,
    /// Who opened it.
    pub initiator: End,
    /// The other end.
    pub responder: End,
    /// Path of its packets.
    pub path: &'static str,
    /// Why that path.
    pub reason: &'static str,
    /// Name of the rule; null when it is gone, or when none matched.
    pub rule: Option<String>,
    /// Id of the rule.
    pub rule_id: Option<u16>,
    /// Where it is in its life.
    pub state: &'static str,
    /// How far its SMTP dialogue was seen to get; `none` when nobody follows it.
    pub stage: &'static str,
    /// What was seen of STARTTLS.
    pub starttls: Starttls,
    /// Session of an inspected flow, for `postern explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// From the initiator.
    pub to_responder: Traffic,
    /// From the responder.
    pub to_initiator: Traffic,
    /// Since it began.
    pub age_seconds: f64,
    /// Since its last packet.
    pub idle_seconds: f64,
}

/// One end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct End {
    /// Address.
    pub address: IpAddr,
    /// Port.
    pub port: u16,
}

/// What was seen of STARTTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent observations, printed one by one")]
pub struct Starttls {
    /// The dialogue is followed.
    pub tracked: bool,
    /// By the server.
    pub offered: bool,
    /// By the client.
    pub requested: bool,
    /// By the server.
    pub accepted: bool,
    /// TLS records flow.
    pub tls: bool,
}

/// One direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Packets.
    pub packets: u32,
    /// Octets.
    pub octets: u64,
}

impl FlowRow {
    /// A flow at a tick.
    pub fn new(flow: &Flow, rules: &PacketRules, now: u32) -> Self {
        let state = &flow.state;
        let [initiator, responder] = ends(flow);
        let [to_responder, to_initiator] = traffic(flow);
        let reason = PathReason(state.reason);
        let marks = state.marks;
        let rule_id = (state.rule != NO_RULE_ID).then_some(state.rule);
        let rule = rules.iter().find(|rule| Some(rule.id) == rule_id).map(|rule| rule.name.clone());
        Self {
            protocol: word::protocol_name(flow.protocol),
            initiator,
            responder,
            path: reason.path().name(),
            reason: reason.name(),
            rule,
            rule_id,
            state: state.life.name(),
            stage: SmtpStage(state.stage).name(),
            starttls: Starttls {
                tracked: marks.any(FlowMarks::TRACKED),
                offered: marks.any(FlowMarks::STARTTLS_OFFERED),
                requested: marks.any(FlowMarks::STARTTLS_REQUESTED),
                accepted: marks.any(FlowMarks::STARTTLS_ACCEPTED),
                tls: marks.any(FlowMarks::TLS),
            },
            session: flow.session,
            to_responder,
            to_initiator,
            age_seconds: seconds(tick::since(state.created, now)),
            idle_seconds: seconds(tick::since(state.last_seen, now)),
        }
    }
}

/// Both ends, the one that opened the flow first.
pub fn ends(flow: &Flow) -> [End; 2] {
    let ([a, b], [port_a, port_b]) = (flow.address, flow.port);
    initiator_first(flow, [End { address: a, port: port_a }, End { address: b, port: port_b }])
}

/// What both ends sent, the one that opened the flow first.
fn traffic(flow: &Flow) -> [Traffic; 2] {
    let ([packets_a, packets_b], [octets_a, octets_b]) = (flow.state.packets, flow.state.octets);
    let a = Traffic { packets: packets_a, octets: octets_a };
    initiator_first(flow, [a, Traffic { packets: packets_b, octets: octets_b }])
}

fn initiator_first<T>(flow: &Flow, [a, b]: [T; 2]) -> [T; 2] {
    if flow.initiator() == 0 { [a, b] } else { [b, a] }
}

/// Seconds, to the millisecond.
fn seconds(ticks: u32) -> f64 {
    tick::to_ms(ticks) as f64 / 1000.0
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.address, self.port).fmt(f)
    }
}

impl fmt::Display for Starttls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            (self.offered, "offered"),
            (self.requested, "requested"),
            (self.accepted, "accepted"),
            (self.tls, "tls"),
        ];
        let words: Vec<&str> = words.into_iter().filter(|(seen, _)| *seen).map(|(_, word)| word).collect();
        match (self.tracked, words.is_empty()) {
            (_, false) => f.write_str(&words.join(",")),
            (true, true) => f.write_str("none seen"),
            (false, true) => f.write_str("-"),
        }
    }
}
