//! S12: how long a message takes, connect to QUIT, at half of what the slower of both can do.

use std::sync::Arc;

use anyhow::Result;

use super::super::SmtpRig;
use super::super::load::Load;
use super::super::message;
use super::super::stand::{Between, Leg, Station, run_legs};
use super::stations;
use crate::report::{Goal, Unit};

/// S12.
pub(super) fn run(rig: &mut SmtpRig) -> Result<()> {
    let wanted = [rig.subject(), Between::Haproxy];
    let stations = stations(rig, "S12", &wanted)?;
    let data = Arc::new(message::of_size(10_240));
    let mut rate = f64::INFINITY;
    for station in &stations {
        let leg = station.leg(&station.load(10, 1, &data), rig.leg)?;
        rate = rate.min(leg.outcome.sessions as f64 / leg.outcome.seconds / 2.0);
    }
    let load = |station: &Station| Load { rate: Some(rate), ..station.load(64, 1, &data) };
    let p99 = |leg: &Leg| leg.outcome.quantile(0.99).as_secs_f64() * 1e6;
    let p50 = |leg: &Leg| leg.outcome.quantile(0.5).as_secs_f64() * 1e6;
    let rows = run_legs(rig, "S12", &stations, load, "us, 99th percentile", p99)?;
    let note = format!("10 KiB, {rate:.0} sessions a second, by the clock");
    for (index, station) in stations.iter().enumerate() {
        for (quantile, name) in [(&p50 as &dyn Fn(&Leg) -> f64, "median"), (&p99, "99th percentile")] {
            let values: Vec<f64> = rows.iter().map(|row| quantile(&row[index])).collect();
            let what = format!("{}, {name}", station.between.name());
            rig.report.measured("S12", what, Unit::Microseconds, &values, None, note.clone())?;
        }
    }
    if stations.len() == 2 {
        let ratios: Vec<f64> = rows.iter().map(|row| p99(&row[0]) / p99(&row[1])).collect();
        let goal = Some(Goal::AtMost(2.0, 1.3));
        rig.report.measured("S12", "Postern / haproxy, 99th percentile", Unit::Times, &ratios, goal, note)?;
    }
    Ok(())
}
