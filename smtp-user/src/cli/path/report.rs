//! What `path` shows.

use serde::Serialize;
use smtp_common::packet_path::PathReason;

use crate::cli::conns::column;
use crate::cli::conns::row::FlowRow;
use crate::cli::path::forecast::{Forecast, Step};
use crate::cli::tuple::FlowTuple;

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    tuple: FlowTuple,
    path: &'static str,
    reason: &'static str,
    explanation: &'static str,
    rule: Option<String>,
    /// The flow of the table; null if there is none, and the rest says what would happen.
    flow: Option<FlowRow>,
    /// Whether the flow was decided under the policy and routes of now.
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<bool>,
    /// What the first packet of a new flow meets, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<Step>,
}

impl Report {
    /// Of a flow that runs.
    pub(super) fn of_flow(tuple: FlowTuple, flow: FlowRow, current: bool) -> Self {
        let reason = PathReason::ALL.iter().copied().find(|reason| reason.name() == flow.reason);
        Self {
            tuple,
            path: flow.path,
            reason: flow.reason,
            explanation: reason.map_or("", PathReason::explanation).trim(),
            rule: flow.rule.clone(),
            flow: Some(flow),
            current: Some(current),
            steps: Vec::new(),
        }
    }

    /// Of a flow that does not run.
    pub(super) fn of_forecast(tuple: FlowTuple, forecast: Forecast) -> Self {
        Self {
            tuple,
            path: forecast.reason.path().name(),
            reason: forecast.reason.name(),
            explanation: forecast.reason.explanation().trim(),
            rule: forecast.rule,
            flow: None,
            current: None,
            steps: forecast.steps,
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let Self { tuple, path, reason, explanation, .. } = self;
        let Some(flow) = &self.flow else {
            let line = |step: &Step| format!("  {:<10} {}", step.step, step.finding);
            let steps = self.steps.iter().map(line).collect::<Vec<_>>().join("\n");
            return format!(
                "{tuple}\nThere is no such flow. Its first packet would take the path {path} ({reason}): {explanation}\n{steps}\n"
            );
        };
        let again = if self.current == Some(false) {
            "The policy or the routes have changed since; its next packet is decided again.\n"
        } else {
            ""
        };
        format!(
            "{tuple}\nThe flow is on the path {path} ({reason}): {explanation}\n{again}{}",
            column::table([flow.clone()], &[]).text(2)
        )
    }
}
