//! What the cases with whole TCP stacks share: both ends and the gateway on one CPU, and its time.
//!
//! Rates by the clock are what users see, but on a machine that does other things they say more about
//! those; CPU time for the same work is the ratio that the goals are held against. With everything on
//! one CPU that is never idle the two are each other's inverse.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::gateway::{Gateway, Kind};
use crate::host::Load;
use crate::lane::Offloads;
use crate::pairs::run_blocks;
use crate::report::{Goal, Unit};
use crate::rig::Rig;
use crate::subject::Subject;

/// One leg.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    /// CPU time of everything.
    pub(super) cpu_ns: u64,
    /// Octets or connections done.
    pub(super) amount: f64,
    /// Time by the clock, seconds.
    pub(super) seconds: f64,
}

impl Work {
    fn cost(self) -> f64 {
        self.cpu_ns as f64 / self.amount
    }

    fn rate(self) -> f64 {
        self.amount / self.seconds
    }
}

/// What a case compares.
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    /// Case.
    pub(super) case: &'static str,
    /// Name of what is counted.
    pub(super) amount: &'static str,
    /// Offloads of all devices.
    pub(super) offloads: Offloads,
    /// Subject, then its peers, each with its goal for the cost ratio peer / subject.
    pub(super) subject: Kind,
    /// Peers.
    pub(super) peers: Vec<(Kind, Option<Goal>)>,
    /// For the table.
    pub(super) note: &'static str,
}

/// Runs all legs and reports the ratios.
pub(super) fn compare<S>(
    rig: &mut Rig,
    comparison: &Comparison,
    serve: impl Fn(&Gateway) -> Result<S>,
    work: impl Fn(&Gateway, &S) -> Result<Work>,
) -> Result<()> {
    let Comparison { case, amount, offloads, subject, peers, note } = comparison;
    let mut stations = Vec::new();
    for kind in std::iter::once(subject).chain(peers.iter().map(|(kind, _)| kind)) {
        let gateway = Gateway::for_stacks(&mut rig.ebpf, kind.clone(), *offloads)?;
        let server = serve(&gateway)?;
        stations.push((server, gateway));
    }
    let (pairs, report) = (rig.pairs, &mut rig.report);
    let rows = run_blocks(pairs, &stations, |block, (server, gateway)| {
        let done = checked(gateway, || work(gateway, server))?;
        let name = gateway.kind.name();
        eprintln!(
            "  {case} {}/{pairs}: {name}: {:.2} CPU ns per {amount}, {:.0} a second",
            block + 1,
            done.cost(),
            done.rate()
        );
        report.line(&json!({
            "case": case, "pair": block, "leg": name, "workload": format!("{offloads:?}"),
            "metric": format!("cpu_ns_per_{amount}"), "value": done.cost(), "per_second_noisy": done.rate(),
            "load": Load::look(),
        }))?;
        Ok(done)
    })?;
    let subject = if rig.stand_in.is_some() { subject.name() } else { "subject".into() };
    for (index, (peer, goal)) in peers.iter().enumerate() {
        let cost: Vec<f64> = rows.iter().map(|row| row[index + 1].cost() / row[0].cost()).collect();
        let what = format!("{} / {subject}, CPU per {amount}", peer.name());
        rig.report.measured(case, what, Unit::Times, &cost, *goal, *note)?;
        let rate: Vec<f64> = rows.iter().map(|row| row[0].rate() / row[index + 1].rate()).collect();
        let what = format!("{subject} / {}, {amount}s a second", peer.name());
        rig.report.measured(case, what, Unit::Times, &rate, None, "by the clock, noisy")?;
    }
    Ok(())
}

/// A leg that counts only if the subject's accelerated path saw it.
fn checked(gateway: &Gateway, work: impl FnOnce() -> Result<Work>) -> Result<Work> {
    let before = gateway.subject.as_ref().map(Subject::counted).transpose()?;
    let done = work()?;
    if let Some((before, subject)) = before.zip(gateway.subject.as_ref()) {
        let after = subject.counted()?;
        let packets = after.accelerated - before.accelerated;
        // A segmentation-offload packet counts as its segments, so the stream has a packet for 64 KiB at least.
        let least = if done.amount > 1e7 { done.amount / 65_536.0 } else { done.amount };
        ensure!(
            packets as f64 >= least,
            "void: only {packets} packets accelerated, {least:.0} expected; postern counted {}",
            after.since(&before)
        );
    }
    Ok(done)
}
