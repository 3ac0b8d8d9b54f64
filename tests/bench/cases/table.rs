//! Floors and peers in absolute numbers, for orientation. No goals here.

use anyhow::Result;

use crate::gateway::{Gateway, Kind};
use crate::live_frames::Workload;
use crate::report::Unit;
use crate::rig::{Leg, Rig};
use crate::skipped;
use crate::subject::Setup;

/// Every way of forwarding, a flow, short frames.
pub(crate) fn run(rig: &mut Rig) -> Result<()> {
    let mut kinds = vec![Kind::FloorXdp, Kind::FloorTc, Kind::XdpConst, Kind::XdpFib];
    kinds.push(Kind::Postern(Setup::plain("xdp")));
    kinds.push(Kind::Postern(Setup::plain("tc")));
    kinds.extend([Kind::Kernel, Kind::Conntrack, Kind::Rules(100)]);
    let mut gateways: Vec<Gateway> = Vec::new();
    for kind in kinds {
        let name = kind.name();
        match rig.gateway(kind) {
            Ok(gateway) => gateways.push(gateway),
            Err(error) => match skipped::reason_of(&error) {
                Some(reason) => rig.report.missing("floors", format!("{name}: skipped: {reason}")),
                None => rig.report.missing("floors", format!("{name}: failed: {error:#}")),
            },
        }
    }
    let workload = Workload::short(1);
    let legs: Vec<Leg<'_>> = gateways.iter().map(|gateway| Leg { gateway, workload }).collect();
    let rows = rig.blocks("floors", &legs)?;
    for (index, leg) in legs.iter().enumerate() {
        let values: Vec<f64> = rows.iter().map(|row| row[index]).collect();
        rig.report.measured(
            "floors",
            leg.gateway.kind.name(),
            Unit::Nanoseconds,
            &values,
            None,
            workload.describe(),
        )?;
    }
    Ok(())
}
