//! The rig: measuring programs, the CPU they run on, and how one leg becomes one valid sample.

use std::time::Duration;

use anyhow::{Result, bail};
use aya::Ebpf;
use serde_json::json;

use crate::frame::{Direction, TcpFlags};
use crate::gateway::{Gateway, Kind};
use crate::host::Load;
use crate::interrupt;
use crate::live_frames::{Extent, Run, Workload, drive};
use crate::report::Report;
use crate::subject::{Counted, Setup, Subject};

/// What all cases share.
#[derive(Debug)]
pub(crate) struct Rig {
    /// The measuring programs.
    pub(crate) ebpf: Ebpf,
    /// CPU of source, gateway and sink.
    pub(crate) cpu: usize,
    /// Pairs a case.
    pub(crate) pairs: usize,
    /// Length of a leg.
    pub(crate) leg: Duration,
    /// Short run: fewer sweeps.
    pub(crate) quick: bool,
    /// A peer to stand in for the subject, to try the rig out.
    pub(crate) stand_in: Option<Kind>,
    /// Largest share of packets off the fast path in any valid sample.
    pub(crate) slow_share: f64,
    /// Where results go.
    pub(crate) report: Report,
}

/// A gateway under a workload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leg<'a> {
    /// Who forwards.
    pub(crate) gateway: &'a Gateway,
    /// What.
    pub(crate) workload: Workload,
}

impl Rig {
    /// A lane for live frames with the subject in it.
    pub(crate) fn subject(&mut self, setup: Setup) -> Result<Gateway> {
        let kind = self.subject_kind(setup);
        self.gateway(kind)
    }

    /// The subject, or what stands in for it.
    pub(crate) fn subject_kind(&self, setup: Setup) -> Kind {
        self.stand_in.clone().unwrap_or(Kind::Postern(setup))
    }

    /// A lane for live frames with this in it.
    pub(crate) fn gateway(&mut self, kind: Kind) -> Result<Gateway> {
        Gateway::for_frames(&mut self.ebpf, kind)
    }

    /// Makes every flow known: what tracks connections has seen both sides, and of TCP the handshake.
    pub(crate) fn warm_up(&mut self, leg: Leg<'_>) -> Result<()> {
        let passes = if leg.workload.flows > 1 << 16 { 1 } else { 4 };
        let frames = Extent::Frames(leg.workload.flows.max(64) * passes);
        let steps = [
            (Direction::Forward, TcpFlags::Syn),
            (Direction::Reverse, TcpFlags::SynAck),
            (Direction::Forward, TcpFlags::Ack),
        ];
        for (direction, flags) in steps {
            if direction == Direction::Reverse && matches!(leg.gateway.kind, Kind::FloorXdp | Kind::FloorTc) {
                continue;
            }
            let workload = Workload { tcp: leg.workload.tcp.map(|_| flags), ..leg.workload };
            self.drive(Leg { workload, ..leg }, direction, frames)?;
        }
        Ok(())
    }

    /// Runs blocks of legs; every sample is CPU nanoseconds a delivered packet.
    pub(crate) fn blocks(&mut self, case: &str, legs: &[Leg<'_>]) -> Result<Vec<Vec<f64>>> {
        for leg in legs {
            self.warm_up(*leg)?;
        }
        crate::pairs::run_blocks(self.pairs, legs, |block, leg| self.sample(case, block, *leg))
    }

    /// One sample; void ones are repeated.
    pub(crate) fn sample(&mut self, case: &str, block: usize, leg: Leg<'_>) -> Result<f64> {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            interrupt::check()?;
            let before = leg.gateway.subject.as_ref().map(Subject::counted).transpose()?;
            let run = self.drive(leg, Direction::Forward, Extent::Time(self.leg))?;
            let after = leg.gateway.subject.as_ref().map(Subject::counted).transpose()?;
            let counted = before.zip(after);
            let fault = fault(leg, &run, counted.as_ref())?;
            if let Some((before, after)) = &counted
                && fault.is_none()
            {
                self.slow_share = self.slow_share.max(slow(&run, before, after) as f64 / run.sent as f64);
            }
            let ns = run.cpu_ns as f64 / run.delivered.max(1) as f64;
            self.report.line(&json!({
                "case": case, "pair": block, "leg": leg.gateway.kind.name(), "workload": leg.workload.describe(),
                "metric": "cpu_ns_per_packet", "value": ns, "mpps_noisy": run.sent as f64 / run.wall.as_secs_f64() / 1e6,
                "sent": run.sent, "delivered": run.delivered, "void": fault,
                "daemon_cpu_ns": counted.as_ref().map(|(b, a)| a.daemon_ns - b.daemon_ns), "load": Load::look(),
            }))?;
            match fault {
                None => {
                    eprintln!(
                        "  {case} {}/{}: {}: {ns:.1} ns/packet ({})",
                        block + 1,
                        self.pairs,
                        leg.gateway.kind.name(),
                        leg.workload.describe()
                    );
                    return Ok(ns);
                }
                Some(fault) => {
                    eprintln!("  {case}: {}: void sample, repeated: {fault}", leg.gateway.kind.name());
                    self.warm_up(leg)?;
                    last = fault;
                }
            }
        }
        bail!("void: {}: {last}", leg.gateway.kind.name())
    }

    /// Sends frames through a leg's lane, and judges nothing.
    pub(crate) fn drive(&mut self, leg: Leg<'_>, direction: Direction, extent: Extent) -> Result<Run> {
        drive(&mut self.ebpf, &leg.gateway.lane, self.cpu, leg.workload, direction, extent)
    }
}

/// Why a sample is void, if it is.
fn fault(leg: Leg<'_>, run: &Run, counted: Option<&(Counted, Counted)>) -> Result<Option<String>> {
    let saw =
        counted.map_or(String::new(), |(before, after)| format!("; postern counted {}", after.since(before)));
    if run.delivered != run.sent {
        return Ok(Some(format!("{} frames sent, {} delivered{saw}", run.sent, run.delivered)));
    }
    if run.missed != 0 {
        return Ok(Some(format!("{} frames without a route", run.missed)));
    }
    if !run.accounted {
        return Ok(Some("the kernel keeps interrupt time out of the threads' time".into()));
    }
    if let Some((before, after)) = counted
        && slow(run, before, after) > 0
    {
        return Ok(Some(format!("{} frames sent, not all on the fast path{saw}", run.sent)));
    }
    if matches!(leg.gateway.kind, Kind::Conntrack) {
        let known = leg.gateway.conntrack_count()?;
        let flows = u64::from(leg.workload.flows);
        if known < flows {
            return Ok(Some(format!("{flows} flows, {known} in the connection tracking table")));
        }
    }
    Ok(None)
}

/// Packets that were not forwarded by what was known of their flow.
fn slow(run: &Run, before: &Counted, after: &Counted) -> u64 {
    let accelerated = after.accelerated - before.accelerated;
    run.sent.saturating_sub(accelerated) + (after.rule_lookups - before.rule_lookups)
}

/// Tries before a leg is reported void.
const ATTEMPTS: usize = 3;
