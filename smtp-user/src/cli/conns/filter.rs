//! Which flows a command is about.

use ipnet::IpNet;
use smtp_common::flow::{FlowLife, FlowMarks};
use smtp_common::packet_path::{PacketPath, PathReason};
use smtp_common::stage::SmtpStage;

use crate::cli::conns::row::ends;
use crate::cli::word::{self, WordError};
use crate::packet_path::flows::Flow;
use crate::policy::packet_rules::{PacketRules, RuleRef, RulesError};

/// Conditions; a flow must meet all that are given.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Filters")]
pub struct FlowFilter {
    /// Only this path: accelerated, watched, inspected.
    #[arg(long, value_parser = word::packet_path)]
    pub path: Option<PacketPath>,
    /// Only this reason, such as `rule_accelerate`.
    #[arg(long, value_parser = word::path_reason)]
    pub reason: Option<PathReason>,
    /// Only flows decided by this rule.
    #[arg(long, value_name = "NAME|N")]
    pub rule: Option<String>,
    /// Only tcp or udp.
    #[arg(long, value_parser = word::protocol)]
    pub proto: Option<u8>,
    /// Only flows opened from here.
    #[arg(long, value_name = "PREFIX", value_parser = word::prefix)]
    pub source: Option<IpNet>,
    /// Only flows opened to here.
    #[arg(long, value_name = "PREFIX", value_parser = word::prefix)]
    pub destination: Option<IpNet>,
    /// Only flows with this port at either end.
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
    /// Only flows at this stage of the SMTP dialogue, such as `mail` or `tls`.
    #[arg(long, value_parser = stage)]
    pub stage: Option<SmtpStage>,
    /// Only flows in which TLS was seen to begin.
    #[arg(long)]
    pub tls: bool,
    /// Only flows in this state, such as `established` or `syn_sent`.
    #[arg(long, value_parser = state)]
    pub state: Option<&'static str>,
}

/// A filter whose rule is known.
#[derive(Clone, Debug)]
pub struct Resolved<'a> {
    filter: &'a FlowFilter,
    rule_id: Option<u16>,
}

impl FlowFilter {
    /// Finds the rule it names.
    pub fn resolve(&self, rules: &PacketRules) -> Result<Resolved<'_>, RulesError> {
        let rule_id = match &self.rule {
            None => None,
            Some(text) => {
                let which = text.parse().unwrap_or_else(|_| RuleRef::Name(text.clone()));
                rules.as_slice().get(rules.position(&which)?).map(|rule| rule.id)
            }
        };
        Ok(Resolved { filter: self, rule_id })
    }
}

impl Resolved<'_> {
    /// Whether a flow meets every condition.
    pub fn matches(&self, flow: &Flow) -> bool {
        let filter = self.filter;
        let state = &flow.state;
        let reason = PathReason(state.reason);
        let [initiator, responder] = ends(flow);
        filter.path.is_none_or(|path| path == reason.path())
            && filter.reason.is_none_or(|wanted| wanted == reason)
            && self.rule_id.is_none_or(|id| id == state.rule)
            && filter.proto.is_none_or(|protocol| protocol == flow.protocol)
            && filter.source.is_none_or(|prefix| prefix.contains(&initiator.address))
            && filter.destination.is_none_or(|prefix| prefix.contains(&responder.address))
            && filter.port.is_none_or(|port| port == initiator.port || port == responder.port)
            && filter.stage.is_none_or(|stage| stage.0 == state.stage)
            && (!filter.tls || state.marks.any(FlowMarks::TLS))
            && filter.state.is_none_or(|name| name == state.life.name())
    }
}

fn stage(text: &str) -> Result<SmtpStage, WordError> {
    const ALL: [SmtpStage; 9] = [
        SmtpStage::NONE,
        SmtpStage::GREETING,
        SmtpStage::HELO,
        SmtpStage::STARTTLS_OFFERED,
        SmtpStage::STARTTLS_REQUESTED,
        SmtpStage::STARTTLS_ACCEPTED,
        SmtpStage::TLS,
        SmtpStage::MAIL,
        SmtpStage::DATA,
    ];
    word::one_of(text, "a stage", &ALL, SmtpStage::name)
}

fn state(text: &str) -> Result<&'static str, WordError> {
    const ALL: [FlowLife; 8] = [
        FlowLife::STEADY,
        FlowLife(FlowLife::ONE_SIDED),
        FlowLife(FlowLife::HALF_OPEN),
        FlowLife(FlowLife::HALF_OPEN | FlowLife::ANSWERED),
        FlowLife(FlowLife::FIN_0),
        FlowLife(FlowLife::FIN_0 | FlowLife::FIN_1),
        FlowLife(FlowLife::RESET),
        FlowLife(FlowLife::PICKED_UP),
    ];
    word::one_of(text, "a state", &ALL, FlowLife::name).map(FlowLife::name)
}
