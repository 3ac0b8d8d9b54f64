//! S10: memory of connections that said EHLO and nothing since.

use std::sync::Arc;

use anyhow::Result;

use super::super::SmtpRig;
use super::super::memory;
use super::super::stand::{Between, Security, Station};
use crate::report::{Goal, Unit};
use crate::skipped;

/// S10.
pub(super) fn run(rig: &mut SmtpRig) -> Result<()> {
    for (between, security, what, goal) in [
        (Between::Postern, Security::Plain, "Postern, plaintext", Some(Goal::AtMost(12.0, 6.0))),
        (Between::Postern, Security::Full, "Postern, TLS on both sides", Some(Goal::AtMost(48.0, 30.0))),
        (Between::Haproxy, Security::Plain, "haproxy (TCP), plaintext", None),
        (Between::PostfixProxy, Security::Plain, "Postfix before-queue proxy, plaintext", None),
    ] {
        let station = match Station::create(rig, between, security) {
            Ok(station) => station,
            Err(error) => match skipped::reason_of(&error) {
                Some(reason) => {
                    rig.report.missing("S10", format!("{what}: skipped: {reason}"));
                    continue;
                }
                None => return Err(error),
            },
        };
        // A process for each connection is soon more than this machine has room for.
        let count = match (between, rig.quick) {
            (Between::PostfixProxy, _) => 50,
            (_, true) => 500,
            (_, false) => 2000,
        };
        let load = station.load(1, 0, &Arc::default());
        // One sample: what an earlier round leaves allocated would make later ones look cheap.
        let empty = memory::pss_kib(&station.group.processes()?)?;
        let full = load.hold(&station.lane.client, count, || memory::pss_kib(&station.group.processes()?))?;
        let values = [full.saturating_sub(empty) as f64 / count as f64];
        let note = format!("proportional set size, {count} connections, one sample");
        rig.report.measured("S10", what, Unit::Kibibytes, &values, goal, note)?;
    }
    Ok(())
}
