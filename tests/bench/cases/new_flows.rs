//! What the first packet of a flow costs: rule base, route and insertion, against connection tracking's.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::frame::{Direction, TcpFlags};
use crate::gateway::Kind;
use crate::host::Load;
use crate::live_frames::{Extent, Workload};
use crate::pairs::run_blocks;
use crate::report::Unit;
use crate::rig::{Leg, Rig};
use crate::subject::{Setup, Subject};

/// One pass of frames that are all of new flows, through gateways made anew for every leg.
pub(crate) fn run(rig: &mut Rig) -> Result<()> {
    let workload = Workload::short(FLOWS);
    let subject = rig.subject_kind(Setup { flows_v4: 1 << 20, ..Setup::plain("xdp") });
    let kinds = [subject, Kind::Conntrack];
    let pairs = rig.pairs;
    let rows = run_blocks(pairs, &kinds, |block, kind| {
        let gateway = rig.gateway(kind.clone())?;
        // The first frames of all pay for cold caches and for what is made on first use.
        let other =
            Leg { gateway: &gateway, workload: Workload { tcp: Some(TcpFlags::Ack), ..Workload::short(1) } };
        rig.warm_up(other)?;
        let leg = Leg { gateway: &gateway, workload };
        let before = gateway.subject.as_ref().map(Subject::counted).transpose()?;
        let run = rig.drive(leg, Direction::Forward, Extent::Frames(FLOWS))?;
        ensure!(run.delivered == run.sent, "void: {} frames sent, {} delivered", run.sent, run.delivered);
        if let Some((before, subject)) = before.zip(gateway.subject.as_ref()) {
            let opened = subject.counted()?.flows_opened - before.flows_opened;
            ensure!(opened == u64::from(FLOWS), "void: {FLOWS} new flows, {opened} opened");
        }
        let ns = run.cpu_ns as f64 / run.delivered as f64;
        eprintln!("  new flows {}/{pairs}: {}: {ns:.1} ns/packet", block + 1, kind.name());
        rig.report.line(&json!({
            "case": "new flows", "pair": block, "leg": kind.name(), "workload": workload.describe(),
            "metric": "cpu_ns_per_packet", "value": ns, "load": Load::look(),
        }))?;
        Ok(ns)
    })?;
    let ratio: Vec<f64> = rows.iter().map(|row| row[1] / row[0]).collect();
    let what = format!("kernel+ct / subject, chain, {FLOWS} flows of one packet");
    rig.report.measured("new flows", what, Unit::Times, &ratio, None, "all insertions, no flow known")?;
    let ns: Vec<f64> = rows.iter().map(|row| row[0]).collect();
    rig.report.measured("new flows", "subject, chain", Unit::Nanoseconds, &ns, None, "")
}

/// Few enough for connection tracking's usual limit.
const FLOWS: u32 = 1 << 17;
