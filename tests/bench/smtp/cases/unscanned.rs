//! S1 and S2: mail through the inspector that is not looked at, against a proxy that speaks SMTP and one that moves octets;
//! and what it costs to judge it.

use std::sync::Arc;

use anyhow::Result;

use super::super::SmtpRig;
use super::super::message;
use super::super::stand::{Between, Leg, run_legs};
use super::stations;
use crate::report::{Goal, Unit};

/// S1.
pub(super) fn new_connections(rig: &mut SmtpRig) -> Result<()> {
    measure(rig, "S1", 1, Goal::AtMost(250.0, 200.0), Goal::AtLeast(3.0, 3.7))
}

/// S2.
pub(super) fn reused_connections(rig: &mut SmtpRig) -> Result<()> {
    measure(rig, "S2", 100, Goal::AtMost(115.0, 90.0), Goal::AtLeast(4.0, 5.1))
}

fn measure(
    rig: &mut SmtpRig,
    case: &'static str,
    messages_each: usize,
    cost: Goal,
    against_postfix: Goal,
) -> Result<()> {
    let subject = if rig.stand_in { rig.subject() } else { Between::PosternUnseen };
    let wanted = [subject, Between::PostfixProxy, Between::Haproxy, Between::Postern];
    let stations = stations(rig, case, &wanted)?;
    let data = Arc::new(message::of_size(10_240));
    let rows = run_legs(
        rig,
        case,
        &stations,
        |station| station.load(10, messages_each, &data),
        "CPU us/message",
        Leg::micros_a_message,
    )?;
    for (index, station) in stations.iter().enumerate() {
        let values: Vec<f64> = rows.iter().map(|row| row[index].micros_a_message()).collect();
        let goal = (index == 0).then_some(cost);
        rig.report.measured(
            case,
            format!("{}, CPU per message", station.between.name()),
            Unit::Microseconds,
            &values,
            goal,
            "10 KiB",
        )?;
    }
    for (index, station) in stations.iter().enumerate().skip(1) {
        let ratios: Vec<f64> =
            rows.iter().map(|row| row[index].micros_a_message() / row[0].micros_a_message()).collect();
        let goal = (station.between == Between::PostfixProxy).then_some(against_postfix);
        let what = format!("{} / {}, CPU per message", station.between.name(), stations[0].between.name());
        rig.report.measured(case, what, Unit::Times, &ratios, goal, "10 KiB")?;
    }
    Ok(())
}
