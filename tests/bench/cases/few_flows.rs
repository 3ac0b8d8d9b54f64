//! F1, F2 and F3: few flows, against connection tracking and against a policy of nft rules.

use anyhow::Result;

use crate::gateway::Kind;
use crate::live_frames::Workload;
use crate::report::{Goal, Unit};
use crate::rig::{Leg, Rig};
use crate::subject::Setup;

/// F1 (net) and F2 (chain) against kernel forwarding with connection tracking.
pub(crate) fn run(rig: &mut Rig) -> Result<()> {
    let subject = rig.subject(Setup::plain("xdp"))?;
    let floor = rig.gateway(Kind::FloorXdp)?;
    let peer = rig.gateway(Kind::Conntrack)?;
    let sweep: &[u32] = if rig.quick { &[1] } else { &[1, 1024] };
    for &flows in sweep {
        let workload = Workload::short(flows);
        let legs = [&floor, &subject, &peer].map(|gateway| Leg { gateway, workload });
        let rows = rig.blocks("F1", &legs)?;
        let net: Vec<f64> = rows.iter().map(|row| (row[2] - row[0]) / (row[1] - row[0])).collect();
        let chain: Vec<f64> = rows.iter().map(|row| row[2] / row[1]).collect();
        let (goal1, goal2) = (Goal::AtLeast(8.0, 11.0), Goal::AtLeast(4.5, 5.2));
        // The goals are for few flows; the larger number shows where they stop holding.
        let (goal1, goal2) = if flows == 1 { (Some(goal1), Some(goal2)) } else { (None, None) };
        let what = format!("kernel+ct / subject, net, {}", workload.describe());
        rig.report.measured("F1", what, Unit::Times, &net, goal1, floor_share(&rows))?;
        let what = format!("kernel+ct / subject, chain, {}", workload.describe());
        rig.report.measured("F2", what, Unit::Times, &chain, goal2, "")?;
    }
    drop(subject);
    tc(rig, &peer)
}

/// The same for the TC hook, for which there is no goal: it is what virtual devices get.
fn tc(rig: &mut Rig, peer: &crate::gateway::Gateway) -> Result<()> {
    if rig.stand_in.is_some() {
        return Ok(());
    }
    let subject = rig.subject(Setup::plain("tc"))?;
    let floor = rig.gateway(Kind::FloorTc)?;
    let workload = Workload::short(1);
    let legs = [&floor, &subject, peer].map(|gateway| Leg { gateway, workload });
    let rows = rig.blocks("F1", &legs)?;
    let net: Vec<f64> = rows.iter().map(|row| (row[2] - row[0]) / (row[1] - row[0])).collect();
    let chain: Vec<f64> = rows.iter().map(|row| row[2] / row[1]).collect();
    let what = format!("kernel+ct / subject on TC, net of building an skb, {}", workload.describe());
    rig.report.measured("F1", what, Unit::Times, &net, None, floor_share(&rows))?;
    let what = format!("kernel+ct / subject on TC, chain, {}", workload.describe());
    rig.report.measured("F2", what, Unit::Times, &chain, None, "")
}

/// F3: 100 nft rules against ours, and the slope over the number of our rules.
pub(crate) fn rules(rig: &mut Rig) -> Result<()> {
    let workload = Workload::short(1);
    let floor = rig.gateway(Kind::FloorXdp)?;
    let none = rig.subject(Setup::plain("xdp"))?;
    let hundred = rig.subject(Setup { filler_rules: 100, ..Setup::plain("xdp") })?;
    let thousand = rig.subject(Setup { filler_rules: 1000, ..Setup::plain("xdp") })?;
    let peer = rig.gateway(Kind::Rules(100))?;
    let legs = [&floor, &none, &hundred, &thousand, &peer].map(|gateway| Leg { gateway, workload });
    let rows = rig.blocks("F3", &legs)?;
    let net: Vec<f64> = rows.iter().map(|row| (row[4] - row[0]) / (row[2] - row[0])).collect();
    let what = "kernel with 100 nft rules / subject with 100 rules, net";
    rig.report.measured(
        "F3",
        what,
        Unit::Times,
        &net,
        Some(Goal::AtLeast(20.0, 25.0)),
        floor_share(&rows),
    )?;
    for (leg, count) in [(2, 100), (3, 1000)] {
        let slope: Vec<f64> = rows.iter().map(|row| row[leg] / row[1]).collect();
        let what = format!("subject with {count} more rules / with one, chain");
        rig.report.measured(
            "F3",
            what,
            Unit::Times,
            &slope,
            Some(Goal::AtMost(1.03, 1.0)),
            "3 % is the noise allowed for slope 0",
        )?;
    }
    Ok(())
}

/// A warning when the floor is most of the subject's chain; the floor is the first leg, the subject the second.
fn floor_share(rows: &[Vec<f64>]) -> String {
    let share = rows.iter().map(|row| row[0] / row[1]).sum::<f64>() / rows.len().max(1) as f64;
    if share > 0.6 {
        format!("floor is {:.0} % of the subject's chain", share * 100.0)
    } else {
        String::new()
    }
}
