//! F5 and F6: many flows, visited in a permuted order.

use std::fs;

use anyhow::{Context as _, Result};

use crate::gateway::Kind;
use crate::live_frames::Workload;
use crate::report::{Goal, Unit};
use crate::rig::{Leg, Rig};
use crate::subject::Setup;

/// F5: cost at many flows against cost at one, in the same table.
pub(crate) fn run(rig: &mut Rig) -> Result<()> {
    let subject = rig.subject(large())?;
    let sweep = if rig.quick { vec![1, MILLION] } else { vec![1, 1 << 10, 1 << 16, MILLION] };
    let legs: Vec<Leg<'_>> =
        sweep.iter().map(|&flows| Leg { gateway: &subject, workload: Workload::short(flows) }).collect();
    let rows = rig.blocks("F5", &legs)?;
    for (index, &flows) in sweep.iter().enumerate().skip(1) {
        let ratio: Vec<f64> = rows.iter().map(|row| row[index] / row[0]).collect();
        let goal = (flows == MILLION).then_some(Goal::AtMost(2.0, 1.6));
        let what = format!("cost at {flows} flows / at 1, chain");
        rig.report.measured("F5", what, Unit::Times, &ratio, goal, "")?;
    }
    Ok(())
}

/// F6: against connection tracking that knows all of a million flows.
pub(crate) fn against_conntrack(rig: &mut Rig) -> Result<()> {
    let _limit = ConntrackLimit::raise(3_000_000)?;
    let subject = rig.subject(large())?;
    let peer = rig.gateway(Kind::Conntrack)?;
    let sweep = if rig.quick { vec![MILLION] } else { vec![1 << 10, 1 << 16, MILLION] };
    let buckets = fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_buckets").unwrap_or_default();
    for flows in sweep {
        let workload = Workload::short(flows);
        let legs = [&subject, &peer].map(|gateway| Leg { gateway, workload });
        let rows = rig.blocks("F6", &legs)?;
        let ratio: Vec<f64> = rows.iter().map(|row| row[1] / row[0]).collect();
        let goal = (flows == MILLION).then_some(Goal::AtLeast(4.5, 6.0));
        let what = format!("kernel+ct / subject, chain, {flows} known flows");
        rig.report.measured(
            "F6",
            what,
            Unit::Times,
            &ratio,
            goal,
            format!("{} conntrack buckets", buckets.trim()),
        )?;
    }
    Ok(())
}

/// A flow table for a million flows.
const fn large() -> Setup {
    Setup { flows_v4: MILLION, ..Setup::plain("xdp") }
}

/// The conntrack limit of the machine, put back when dropped.
#[derive(Debug)]
struct ConntrackLimit(String);

impl ConntrackLimit {
    fn raise(least: u64) -> Result<Self> {
        let old = fs::read_to_string(CONNTRACK_MAX).context("reading the conntrack limit")?;
        if old.trim().parse::<u64>()? < least {
            fs::write(CONNTRACK_MAX, least.to_string()).context("raising the conntrack limit")?;
        }
        Ok(Self(old))
    }
}

impl Drop for ConntrackLimit {
    fn drop(&mut self) {
        if let Err(error) = fs::write(CONNTRACK_MAX, self.0.trim()) {
            eprintln!("left behind: {CONNTRACK_MAX} was {}: {error}", self.0.trim());
        }
    }
}

const CONNTRACK_MAX: &str = "/proc/sys/net/netfilter/nf_conntrack_max";
const MILLION: u32 = 1 << 20;
