//! S11: how much memory one message of 100 MB costs.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::super::SmtpRig;
use super::super::memory;
use super::super::message;
use super::super::stand::{Between, Security, Station};
use crate::report::{Goal, Unit};

/// S11.
pub(super) fn run(rig: &mut SmtpRig) -> Result<()> {
    for (security, what) in [(Security::Plain, "plaintext"), (Security::Full, "STARTTLS on both sides")] {
        let station = Station::create(rig, Between::Postern, security)?;
        // A little below the limit of 100 MiB.
        let data = Arc::new(message::of_size(100_000_000));
        let processes = station.group.processes()?;
        let before = memory::rss_kib(&processes)?;
        memory::forget_peaks(&processes)?;
        station.leg(&station.load(1, 1, &data), Duration::from_millis(1))?;
        let growth = [memory::peak_kib(&processes)?.saturating_sub(before) as f64];
        let goal = Some(Goal::AtMost(4096.0, 1024.0));
        let note = "peak of the resident set above the idle daemon's, one sample";
        rig.report.measured(
            "S11",
            format!("growth for 100 MB, {what}"),
            Unit::Kibibytes,
            &growth,
            goal,
            note,
        )?;
    }
    Ok(())
}
