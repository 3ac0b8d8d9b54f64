//! S7 and S8: sessions with STARTTLS on both sides and no mail in them.

use std::sync::Arc;

use anyhow::{Result, ensure};

use super::super::SmtpRig;
use super::super::stand::{Between, Leg, Security, Station, run_legs};
use crate::report::{Goal, Unit};

fn a_second(leg: &Leg) -> f64 {
    1e6 / leg.micros_a_session()
}

/// S7.
pub(super) fn full(rig: &mut SmtpRig) -> Result<()> {
    let stations = [Station::create(rig, Between::Postern, Security::Full)?];
    let data = Arc::default();
    let load = |station: &Station| station.load(8, 0, &data);
    let rows = run_legs(rig, "S7", &stations, load, "sessions/s of one core", a_second)?;
    let (_, resumed) = stations[0].sink.handshakes();
    ensure!(resumed == 0, "void: {resumed} handshakes resumed a session");
    let values: Vec<f64> = rows.iter().map(|row| a_second(&row[0])).collect();
    let goal = Some(Goal::AtLeast(2500.0, 3500.0));
    let note = "TLS 1.3, ECDSA P-256, both handshakes full; sessions per second of CPU";
    rig.report.measured("S7", "sessions with two handshakes", Unit::PerSecond, &values, goal, note)
}

/// S8.
pub(super) fn resumed(rig: &mut SmtpRig) -> Result<()> {
    let stations = [
        Station::create(rig, Between::Postern, Security::Full)?,
        Station::create(rig, Between::Postern, Security::Resumed)?,
    ];
    let data = Arc::default();
    let load = |station: &Station| station.load(8, 0, &data);
    let rows = run_legs(rig, "S8", &stations, load, "sessions/s of one core", a_second)?;
    let (handshakes, resumed) = stations[1].sink.handshakes();
    let gains: Vec<f64> = rows.iter().map(|row| a_second(&row[1]) / a_second(&row[0])).collect();
    let share = resumed * 100 / handshakes.max(1);
    let note = format!("toward the sink {share} % of the handshakes resumed a session");
    let goal = Some(Goal::AtLeast(2.0, 3.0));
    rig.report.measured("S8", "full / resumed, CPU per session", Unit::Times, &gains, goal, note)
}
