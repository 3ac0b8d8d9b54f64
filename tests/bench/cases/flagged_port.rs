//! F9: other flows, with and without a rule that flags a port for inspection.

use anyhow::Result;

use crate::live_frames::Workload;
use crate::report::{Goal, Unit};
use crate::rig::{Leg, Rig};
use crate::subject::Setup;

/// Two gateways each way, so that where a table happens to lie in memory is in both.
pub(crate) fn run(rig: &mut Rig) -> Result<()> {
    let flagged = Setup { inspect_port: Some(25), ..Setup::plain("xdp") };
    let gateways = [
        rig.subject(Setup::plain("xdp"))?,
        rig.subject(flagged.clone())?,
        rig.subject(flagged)?,
        rig.subject(Setup::plain("xdp"))?,
    ];
    for flows in [1, 1024] {
        let workload = Workload::short(flows);
        let legs: Vec<Leg<'_>> = gateways.iter().map(|gateway| Leg { gateway, workload }).collect();
        let rows = rig.blocks("F9", &legs)?;
        let ratio: Vec<f64> = rows.iter().map(|row| (row[1] + row[2]) / (row[0] + row[3])).collect();
        let what = format!("other flows with tcp/25 inspected / without, chain, {}", workload.describe());
        rig.report.measured("F9", what, Unit::Times, &ratio, Some(Goal::AtMost(1.03, 1.0)), "")?;
    }
    Ok(())
}
