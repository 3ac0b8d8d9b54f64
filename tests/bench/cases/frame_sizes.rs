//! Frame sizes, IPv6 and TCP: no goals, but what is fast for one kind of frame only should show.

use anyhow::Result;

use crate::frame::{Family, TcpFlags};
use crate::gateway::Kind;
use crate::live_frames::Workload;
use crate::report::Unit;
use crate::rig::{Leg, Rig};
use crate::subject::Setup;

/// Every kind of frame against kernel forwarding and connection tracking.
pub(crate) fn run(rig: &mut Rig) -> Result<()> {
    let floor = rig.gateway(Kind::FloorXdp)?;
    let subject = rig.subject(Setup::plain("xdp"))?;
    let kernel = rig.gateway(Kind::Kernel)?;
    let conntrack = rig.gateway(Kind::Conntrack)?;
    let (v4, v6) = (Family::V4, Family::V6);
    let all =
        [(v4, None, 508), (v4, None, 1514), (v4, ACK, 60), (v6, None, 80), (v6, None, 1514), (v6, ACK, 80)];
    let kinds = if rig.quick { &all[1..4] } else { &all[..] };
    for &(family, tcp, size) in kinds {
        let workload = Workload { family, tcp, flows: 1024, size };
        let legs = [&floor, &subject, &kernel, &conntrack].map(|gateway| Leg { gateway, workload });
        let rows = rig.blocks("sizes", &legs)?;
        for (index, peer) in [(2, "kernel"), (3, "kernel+ct")] {
            let net: Vec<f64> = rows.iter().map(|row| (row[index] - row[0]) / (row[1] - row[0])).collect();
            let chain: Vec<f64> = rows.iter().map(|row| row[index] / row[1]).collect();
            let what = format!("{peer} / subject, net, {}", workload.describe());
            rig.report.measured("sizes", what, Unit::Times, &net, None, "")?;
            let what = format!("{peer} / subject, chain, {}", workload.describe());
            rig.report.measured("sizes", what, Unit::Times, &chain, None, "")?;
        }
    }
    Ok(())
}

/// Segments of established connections.
const ACK: Option<TcpFlags> = Some(TcpFlags::Ack);
