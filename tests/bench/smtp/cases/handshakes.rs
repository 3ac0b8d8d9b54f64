//! S7 and S8: sessions with STARTTLS on both sides and no mail in them; and what the same sessions cost somebody who only
//! moves their octets, so that a goal can be told from what its connections and turns cost alone.

use std::sync::Arc;

use anyhow::{Result, ensure};

use super::super::SmtpRig;
use super::super::stand::{Between, Leg, Security, Station, run_legs};
use super::stations_with;
use crate::report::{Goal, Unit};

/// S7.
pub(super) fn full(rig: &mut SmtpRig) -> Result<()> {
    let wanted = [(Between::Postern, Security::Full), (Between::Haproxy, Security::Full)];
    let stations = stations_with(rig, "S7", &wanted)?;
    let rows = measure(rig, "S7", &stations)?;
    let (_, resumed) = stations[0].sink.handshakes();
    ensure!(resumed == 0, "void: {resumed} handshakes resumed a session");
    let values: Vec<f64> = rows.iter().map(|row| a_second(&row[0])).collect();
    let goal = Some(Goal::AtLeast(2500.0, 3500.0));
    let note = "TLS 1.3, ECDSA P-256, both handshakes full; sessions per second of CPU";
    rig.report.measured("S7", "sessions with two handshakes", Unit::PerSecond, &values, goal, note)?;
    costs(rig, "S7", &stations, &rows)?;
    if stations.len() < 2 {
        return Ok(());
    }
    let most: Vec<f64> = rows.iter().map(|row| a_second(&row[1])).collect();
    let note = "no public-key work at all: client and sink shake hands with each other";
    rig.report.measured("S7", "haproxy (TCP), the same sessions", Unit::PerSecond, &most, None, note)
}

/// S8.
pub(super) fn resumed(rig: &mut SmtpRig) -> Result<()> {
    let wanted = [
        (Between::Postern, Security::Full),
        (Between::Postern, Security::Resumed),
        (Between::Haproxy, Security::Resumed),
    ];
    let stations = stations_with(rig, "S8", &wanted)?;
    let rows = measure(rig, "S8", &stations)?;
    let (handshakes, resumed) = stations[1].sink.handshakes();
    let gains: Vec<f64> = rows.iter().map(|row| a_second(&row[1]) / a_second(&row[0])).collect();
    let share = resumed * 100 / handshakes.max(1);
    let note = format!("toward the sink {share} % of the handshakes resumed a session");
    let goal = Some(Goal::AtLeast(2.0, 3.0));
    rig.report.measured("S8", "full / resumed, CPU per session", Unit::Times, &gains, goal, note)?;
    costs(rig, "S8", &stations, &rows)?;
    if stations.len() < 3 {
        return Ok(());
    }
    let most: Vec<f64> =
        rows.iter().map(|row| row[0].micros_a_session() / row[2].micros_a_session()).collect();
    let what = "full / haproxy (TCP), what it would be if TLS cost nothing";
    rig.report.measured("S8", what, Unit::Times, &most, None, "haproxy moves octets and knows of no TLS")
}

fn a_second(leg: &Leg) -> f64 {
    1e6 / leg.micros_a_session()
}

fn measure(rig: &mut SmtpRig, case: &str, stations: &[Station]) -> Result<Vec<Vec<Leg>>> {
    let data = Arc::default();
    let load = |station: &Station| station.load(8, 0, &data);
    run_legs(rig, case, stations, load, "sessions/s of one core", a_second)
}

/// What a session costs each of them.
fn costs(rig: &mut SmtpRig, case: &'static str, stations: &[Station], rows: &[Vec<Leg>]) -> Result<()> {
    for (index, station) in stations.iter().enumerate() {
        let costs: Vec<f64> = rows.iter().map(|row| row[index].micros_a_session()).collect();
        let what = format!("{}, {}, CPU per session", station.between.name(), station.security.name());
        rig.report.measured(case, what, Unit::Microseconds, &costs, None, "")?;
    }
    Ok(())
}
