//! The kernel's side: mail flows that rules accelerate, so that nobody sees them.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use smtp_common::packet_path::{PacketPath, PathReason};
use smtp_common::stats::Counter;

use crate::cli::quantity;
use crate::packet_path::error::Result;
use crate::packet_path::maps::Maps;
use crate::packet_path::pins::Pins;
use crate::packet_path::stats::RuleCounts;
use crate::packet_path::{flows, rule_base, stats};
use crate::policy::action::Action;
use crate::policy::service::Service;

/// What the kernel program let pass, since it was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Kernel {
    /// Rules that accelerate mail.
    pub(super) rules: Vec<Accelerating>,
    /// Accelerated flows to mail ports that are in the flow table now.
    pub(super) mail_flows_now: u64,
    /// Flows accelerated since no inspector was alive.
    pub(super) bypassed_inspector_down: u64,
    /// Followed flows in which TLS began.
    pub(super) bypassed_encrypted: u64,
}

/// A rule that accelerates mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Accelerating {
    pub(super) rule: String,
    /// Flows and lone packets it decided.
    pub(super) hits: u64,
    /// Whether it is for mail ports only; other rules' hits are of all kinds.
    pub(super) only_mail: bool,
}

impl Kernel {
    /// Reads the pinned maps.
    pub(super) fn read(pin_dir: &Path) -> Result<Self> {
        let maps = Maps::open(&Pins::new(pin_dir))?;
        let counts = RuleCounts::open(&maps)?;
        let mut accelerating = Vec::new();
        for rule in rule_base::active_rules(&maps)?.iter().filter(|rule| rule.action == Action::Accelerate) {
            if let Some(only_mail) = only_mail(&rule.service) {
                let hits = counts.get(rule.id)?.hits;
                accelerating.push(Accelerating { rule: rule.name.clone(), hits, only_mail });
            }
        }
        let mut mail_flows_now = 0;
        flows::list(&maps, |flow| {
            let server = usize::from(flow.initiator() == 0);
            let port = flow.port.get(server).copied().unwrap_or(0);
            let is_accelerated = PathReason(flow.state.reason).path() == PacketPath::ACCELERATED;
            mail_flows_now += u64::from(is_accelerated && MAIL_PORTS.contains(&port));
        })?;
        let counters = stats::counters(&maps)?;
        let counter = |wanted: Counter| {
            counters.iter().find(|(counter, _)| *counter == wanted).map_or(0, |(_, number)| *number)
        };
        Ok(Self {
            rules: accelerating,
            mail_flows_now,
            bypassed_inspector_down: counter(Counter::BYPASSED_INSPECTOR_DOWN),
            bypassed_encrypted: counter(Counter::BYPASSED_ENCRYPTED),
        })
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::from("Kernel, since its programs were loaded:\n");
        let mut line = |number: u64, what: &str| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{:>12}  {what}", quantity::count(number));
        };
        for rule in &self.rules {
            let kind = if rule.only_mail { "bypassed(rule)" } else { "bypassed(rule), mail and other flows" };
            line(rule.hits, &format!("{kind}: accelerated by rule \"{}\"", rule.rule));
        }
        line(self.mail_flows_now, "accelerated mail flows in the flow table now");
        line(
            self.bypassed_inspector_down,
            "bypassed(inspector_down): accelerated since no inspector was alive",
        );
        line(self.bypassed_encrypted, "bypassed(encrypted): followed flows in which TLS began");
        text
    }
}

/// SMTP, implicit TLS, submission.
const MAIL_PORTS: [u16; 3] = [25, 465, 587];

/// Whether services are of mail: all of them, some of them, or none.
fn only_mail(services: &[Service]) -> Option<bool> {
    let mail = Service::NAMED.map(|(_, service)| service);
    if services.is_empty() {
        return Some(false);
    }
    let any = services.iter().any(|service| mail.iter().any(|mail| service.contains(*mail)));
    any.then(|| services.iter().all(|service| mail.contains(service)))
}
