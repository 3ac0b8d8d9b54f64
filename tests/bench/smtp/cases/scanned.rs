//! S3 to S5: judged mail against mail gateways with clamd, in process and with the same engine.

use std::sync::Arc;

use anyhow::Result;

use super::super::SmtpRig;
use super::super::message;
use super::super::peers;
use super::super::stand::{Between, Leg, run_legs};
use super::stations;
use crate::report::{Goal, Unit};

/// S3.
pub(super) fn small(rig: &mut SmtpRig) -> Result<()> {
    let goals = (Goal::AtMost(360.0, 290.0), Goal::AtLeast(8.0, 10.0));
    measure(rig, "S3", Between::PostfixClamsmtp, 10_240, 10, Some(goals.0), goals.1)
}

/// S5.
pub(super) fn large(rig: &mut SmtpRig) -> Result<()> {
    let goals = (Goal::AtMost(4200.0, 2500.0), Goal::AtLeast(10.0, 17.0));
    measure(rig, "S5", Between::PostfixClamsmtp, 1 << 20, 4, Some(goals.0), goals.1)
}

/// S4.
pub(super) fn amavisd(rig: &mut SmtpRig) -> Result<()> {
    peers::require(Between::PostfixAmavis)?;
    measure(rig, "S4", Between::PostfixAmavis, 10_240, 4, None, Goal::AtLeast(40.0, 50.0))
}

/// `octets` of a message over so many connections at once; goals for the cost of one, and against the peer.
fn measure(
    rig: &mut SmtpRig,
    case: &'static str,
    against: Between,
    octets: usize,
    connections: usize,
    cost: Option<Goal>,
    built_in: Goal,
) -> Result<()> {
    let wanted = [rig.subject(), against, Between::PosternClamd];
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
        let goal = cost.filter(|_| index == 0);
        let what = format!("{}, CPU per message", station.between.name());
        rig.report.measured(case, what, Unit::Microseconds, &values, goal, "all daemons together")?;
    }
    let Some(peer) = place(against) else { return Ok(()) };
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
