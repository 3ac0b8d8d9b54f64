//! What `stat` shows, as data: read from the maps once, then printed.

use std::collections::BTreeMap;

use serde::Serialize;
use smtp_common::packet_path::PacketPath;
use smtp_common::port::Port;

use crate::cli::quantity::percent;
use crate::cli::rules::row::RuleRow;
use crate::cli::unlisted;
use crate::gateway::dequeuer::running::running;
use crate::packet_path::error::Result;
use crate::packet_path::maps::Maps;
use crate::packet_path::stats::{self, PathCount, RuleCounts};
use crate::packet_path::{attach, flows, interface, ports, rule_base};

/// Everything.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) daemon: DaemonState,
    /// There is one only where a resource has a spool.
    pub(super) dequeuer: DaemonState,
    pub(super) policy_revision: u16,
    pub(super) route_generation: u16,
    pub(super) interfaces: Vec<InterfaceRow>,
    pub(super) flows: FlowTable,
    pub(super) paths: Vec<PathShare>,
    pub(super) reasons: Vec<ReasonRow>,
    pub(super) counters: BTreeMap<&'static str, u64>,
    pub(super) rules: Vec<RuleRow>,
    pub(super) warnings: Vec<String>,
}

/// The daemon, or the dequeuer.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct DaemonState {
    pub(super) running: bool,
    pub(super) pid: Option<u32>,
}

/// A gateway interface.
#[derive(Clone, Debug, Serialize)]
pub(super) struct InterfaceRow {
    pub(super) name: String,
    pub(super) index: u32,
    pub(super) hook: &'static str,
    pub(super) mode: &'static str,
    pub(super) why: String,
    pub(super) xdp_program: Option<u32>,
    pub(super) tc_program: Option<u32>,
    pub(super) attached: bool,
    pub(super) note: Option<String>,
}

/// The flow tables.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct FlowTable {
    pub(super) live: u32,
    pub(super) unconfirmed: u32,
    /// Flows there is room for: half of the slots.
    pub(super) capacity_v4: u32,
    pub(super) capacity_v6: u32,
}

/// Share of one path.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct PathShare {
    pub(super) path: &'static str,
    pub(super) packets: u64,
    pub(super) octets: u64,
    /// Of all packets.
    pub(super) percent: f64,
    /// Of all octets.
    pub(super) percent_octets: f64,
}

/// What one interface saw for one reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct ReasonRow {
    pub(super) interface: Option<String>,
    pub(super) reason: &'static str,
    pub(super) path: &'static str,
    pub(super) packets: u64,
    pub(super) octets: u64,
    pub(super) flows: u64,
    /// Of all packets.
    pub(super) percent: f64,
    pub(super) explanation: &'static str,
}

impl Report {
    /// Reads it; packet counts are those of one interface if one is named.
    pub(super) fn read(maps: &Maps, ports: &[Port], only: Option<&str>) -> Result<Self> {
        let active = maps.active()?;
        let abi = maps.abi()?;
        let pid = maps.daemon()?;
        let dequeuer = running(maps.pins().dir()).first().map(|dequeuer| dequeuer.pid.cast_unsigned());
        let devices = interface::list()?;
        let walked = flows::count(maps)?;
        let mut counts = stats::path_counts(maps)?;
        if let Some(only) = only {
            counts.retain(|count| name_of(count, ports).as_deref() == Some(only));
        }
        let rules = rule_base::active_rules(maps)?;
        Ok(Self {
            daemon: DaemonState { running: pid.is_some(), pid },
            dequeuer: DaemonState { running: dequeuer.is_some(), pid: dequeuer },
            policy_revision: active.policy(),
            route_generation: active.route(),
            interfaces: interface_rows(attach::status(maps, &devices)?, only),
            flows: FlowTable {
                live: walked.live,
                unconfirmed: walked.unconfirmed,
                capacity_v4: abi.flow_slots_v4 / 2,
                capacity_v6: abi.flow_slots_v6 / 2,
            },
            paths: path_shares(&counts),
            reasons: reason_rows(&counts, ports),
            counters: stats::counters(maps)?.into_iter().map(|(counter, n)| (counter.name(), n)).collect(),
            rules: RuleRow::all(&rules, &RuleCounts::open(maps)?)?,
            warnings: unlisted::warnings(&devices, ports),
        })
    }
}

fn interface_rows(attachments: Vec<attach::Attachment>, only: Option<&str>) -> Vec<InterfaceRow> {
    attachments
        .into_iter()
        .filter(|attachment| only.is_none_or(|only| attachment.name == only))
        .map(|attachment| InterfaceRow {
            name: attachment.name,
            index: attachment.port.ifindex,
            hook: attachment.hook,
            mode: attachment.mode,
            why: attachment.why,
            xdp_program: attachment.xdp_program,
            tc_program: attachment.tc_program,
            attached: attachment.attached,
            note: attachment.note,
        })
        .collect()
}

/// Shares of every path, also of those that saw nothing.
pub(super) fn path_shares(counts: &[PathCount]) -> Vec<PathShare> {
    let all_packets = counts.iter().map(|count| count.stats.packets).sum();
    let all_octets = counts.iter().map(|count| count.stats.octets).sum();
    PacketPath::ALL
        .into_iter()
        .map(|path| {
            let of_path = || counts.iter().filter(move |count| count.reason.path() == path);
            let packets = of_path().map(|count| count.stats.packets).sum();
            let octets = of_path().map(|count| count.stats.octets).sum();
            PathShare {
                path: path.name(),
                packets,
                octets,
                percent: percent(packets, all_packets),
                percent_octets: percent(octets, all_octets),
            }
        })
        .collect()
}

/// One row for each interface and reason.
pub(super) fn reason_rows(counts: &[PathCount], ports: &[Port]) -> Vec<ReasonRow> {
    let all: u64 = counts.iter().map(|count| count.stats.packets).sum();
    counts
        .iter()
        .map(|count| ReasonRow {
            interface: name_of(count, ports),
            reason: count.reason.name(),
            path: count.reason.path().name(),
            packets: count.stats.packets,
            octets: count.stats.octets,
            flows: count.stats.flows,
            percent: percent(count.stats.packets, all),
            explanation: count.reason.explanation().trim(),
        })
        .collect()
}

/// Name of the interface a count belongs to; nothing for packets of no port, or of one that is gone.
fn name_of(count: &PathCount, ports: &[Port]) -> Option<String> {
    ports.iter().find(|port| port.number == count.port).map(ports::name)
}
