//! S6: octets a second of gateway CPU, STARTTLS on both sides.

use std::sync::Arc;

use anyhow::Result;

use super::super::SmtpRig;
use super::super::message;
use super::super::stand::{Between, Leg, Security, Station, run_legs};
use crate::report::{Goal, Unit};

/// S6.
pub(super) fn run(rig: &mut SmtpRig) -> Result<()> {
    let stations = [
        Station::create(rig, Between::Postern, Security::Full)?,
        Station::create(rig, Between::Postern, Security::Plain)?,
        Station::create(rig, Between::PosternUnseen, Security::Full)?,
    ];
    let data = Arc::new(message::of_size(8 << 20));
    let octets = data.len() as f64;
    let rate = |leg: &Leg| leg.outcome.messages as f64 * octets / (leg.cpu_ns as f64 / 1e9) / 1e6;
    let rows = run_legs(rig, "S6", &stations, |station| station.load(2, 4, &data), "MB/s of one core", rate)?;
    let judged = "messages of 8 MiB, judged in process; octets per second of CPU";
    for (index, what, goal, note) in [
        (0, "STARTTLS on both sides", Some(Goal::AtLeast(400.0, 600.0)), judged),
        (1, "plaintext", None, judged),
        (
            2,
            "STARTTLS on both sides, without inspection",
            None,
            "messages of 8 MiB; octets per second of CPU",
        ),
    ] {
        let values: Vec<f64> = rows.iter().map(|row| rate(&row[index])).collect();
        rig.report.measured("S6", what, Unit::MegabytesPerSecond, &values, goal, note)?;
    }
    Ok(())
}
