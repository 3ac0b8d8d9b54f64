//! S9: messages taken over, on disk before the 250, and delivered, against Postfix' queue.

use std::sync::Arc;

use anyhow::Result;

use super::super::SmtpRig;
use super::super::message;
use super::super::stand::{Between, Leg, run_legs};
use super::stations;
use crate::report::{Goal, Unit};

/// Connections at once: who waits for the disk together shares its syncs, in both.
const CONNECTIONS: usize = 50;
/// Messages in one connection.
const MESSAGES_EACH: usize = 10;

/// S9.
pub(super) fn run(rig: &mut SmtpRig) -> Result<()> {
    let stations = stations(rig, "S9", &[Between::PosternSpool, Between::PostfixQueue])?;
    let data = Arc::new(message::of_size(10_240));
    let rows = run_legs(
        rig,
        "S9",
        &stations,
        |station| station.load(CONNECTIONS, MESSAGES_EACH, &data),
        "messages/s to the sink",
        Leg::messages_a_second,
    )?;
    let note = format!("10 KiB, {CONNECTIONS} connections, {MESSAGES_EACH} messages each");
    for (index, station) in stations.iter().enumerate() {
        let name = station.between.name();
        let rates: Vec<f64> = rows.iter().map(|row| row[index].messages_a_second()).collect();
        let what = format!("{name}, until the sink has them, noisy");
        rig.report.measured("S9", what, Unit::PerSecond, &rates, None, note.clone())?;
        let costs: Vec<f64> = rows.iter().map(|row| row[index].micros_a_message()).collect();
        let what = format!("{name}, CPU per message");
        rig.report.measured("S9", what, Unit::Microseconds, &costs, None, note.clone())?;
    }
    if stations.len() < 2 {
        return Ok(());
    }
    let goal = Goal::AtLeast(5.0, 8.0);
    let rates: Vec<f64> =
        rows.iter().map(|row| row[0].messages_a_second() / row[1].messages_a_second()).collect();
    rig.report.measured(
        "S9",
        "Postern / Postfix queue, messages a second",
        Unit::Times,
        &rates,
        Some(goal),
        "generator and sink have the same CPUs as what is measured",
    )?;
    let costs: Vec<f64> =
        rows.iter().map(|row| row[1].micros_a_message() / row[0].micros_a_message()).collect();
    rig.report.measured("S9", "Postfix queue / Postern, CPU per message", Unit::Times, &costs, None, note)
}
