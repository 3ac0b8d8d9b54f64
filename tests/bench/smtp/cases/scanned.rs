//! S3 to S5: judged mail against mail gateways with clamd, in process and with the same engine.

use std::sync::Arc;

use anyhow::Result;

use super::super::SmtpRig;
use super::super::message;
use super::super::stand::{Between, Leg, run_legs};
use super::stations;
use crate::netns;
use crate::report::{Goal, Unit};
use crate::skipped::Skipped;

/// S3.
pub(super) fn small(rig: &mut SmtpRig) -> Result<()> {
    measure(rig, "S3", 10_240, 10, Goal::AtMost(360.0, 290.0), Goal::AtLeast(8.0, 10.0))
}

/// S5.
pub(super) fn large(rig: &mut SmtpRig) -> Result<()> {
    measure(rig, "S5", 1 << 20, 4, Goal::AtMost(4200.0, 2500.0), Goal::AtLeast(10.0, 17.0))
}

/// S4.
pub(super) fn amavisd(_: &mut SmtpRig) -> Result<()> {
    match netns::require("amavisd") {
        Ok(()) => Err(Skipped::because("amavisd is here, and this program does not know how to set it up")),
        Err(error) => Err(Skipped::because(format!("{error}"))),
    }
}

fn measure(
    rig: &mut SmtpRig,
    case: &'static str,
    octets: usize,
    connections: usize,
    cost: Goal,
    built_in: Goal,
) -> Result<()> {
    let wanted = [rig.subject(), Between::PostfixClamsmtp, Between::PosternClamd];
    let stations = stations(rig, case, &wanted)?;
    let data = Arc::new(message::of_size(octets));
    let rows = run_legs(
        rig,
        case,
        &stations,
        |station| station.load(connections, 1, &data),
        "CPU us/message",
        Leg::micros_a_message,
    )?;
    let place = |wanted: Between| stations.iter().position(|station| station.between == wanted);
    for (index, station) in stations.iter().enumerate() {
        let values: Vec<f64> = rows.iter().map(|row| row[index].micros_a_message()).collect();
        let goal = (index == 0).then_some(cost);
        let what = format!("{}, CPU per message", station.between.name());
        rig.report.measured(case, what, Unit::Microseconds, &values, goal, "all daemons together")?;
    }
    let Some(peer) = place(Between::PostfixClamsmtp) else { return Ok(()) };
    for (index, goal, note) in [
        (Some(0), Some(built_in), "built-in judgement against clamd: other signatures"),
        (place(Between::PosternClamd), None, "the same engine on both sides"),
    ] {
        let Some(index) = index else { continue };
        let ratios: Vec<f64> =
            rows.iter().map(|row| row[peer].micros_a_message() / row[index].micros_a_message()).collect();
        let (peer, subject) = (stations[peer].between.name(), stations[index].between.name());
        rig.report.measured(
            case,
            format!("{peer} / {subject}, CPU per message"),
            Unit::Times,
            &ratios,
            goal,
            note,
        )?;
    }
    Ok(())
}
