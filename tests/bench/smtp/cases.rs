//! The cases, named after the goals.

mod bulk_tls;
mod full_spool;
mod handshakes;
mod idle;
mod large_message;
mod latency;
mod scanned;
mod spool;
mod unscanned;

use anyhow::Result;

use super::SmtpRig;
use super::stand::{Between, Security, Station};
use crate::{interrupt, skipped};

/// Name, what it asks, and how it is answered.
type Case = (&'static str, &'static str, fn(&mut SmtpRig) -> Result<()>);

const CASES: [Case; 13] = [
    ("S1", "10 KiB, a new connection each", unscanned::new_connections),
    ("S2", "10 KiB, connections reused", unscanned::reused_connections),
    ("S3", "10 KiB, judged, against a mail gateway with clamd", scanned::small),
    ("S4", "the same against amavisd", scanned::amavisd),
    ("S5", "1 MiB, judged, against a mail gateway with clamd", scanned::large),
    ("S6", "bulk through STARTTLS on both sides", bulk_tls::run),
    ("S7", "full STARTTLS sessions a second, both sides", handshakes::full),
    ("S8", "what resumption saves", handshakes::resumed),
    ("S9", "10 KiB, taken over and delivered, against Postfix' queue", spool::run),
    ("S9R", "a start with 100,000 messages in the spool", full_spool::run),
    ("S10", "memory of an idle connection", idle::run),
    ("S11", "memory for one message of 100 MB", large_message::run),
    ("S12", "latency at half load", latency::run),
];

/// Names and questions.
pub(crate) fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    CASES.iter().map(|(name, asks, _)| (*name, *asks))
}

/// Runs the chosen cases; what is missing is said and does not stop the others.
pub(super) fn run(rig: &mut SmtpRig, chosen: &[String]) -> Result<()> {
    for (name, asks, case) in CASES {
        if !chosen.is_empty() && !chosen.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)) {
            continue;
        }
        interrupt::check()?;
        eprintln!("{name}: {asks}");
        if let Err(error) = case(rig) {
            interrupt::check()?;
            match skipped::reason_of(&error) {
                Some(reason) => rig.report.missing(name, format!("skipped: {reason}")),
                None => rig.report.missing(name, format!("failed: {error:#}")),
            }
        }
    }
    Ok(())
}

/// Makes the stations that can be made here, without TLS; what cannot, except the subject, is said aloud.
fn stations(rig: &mut SmtpRig, case: &'static str, wanted: &[Between]) -> Result<Vec<Station>> {
    let plain: Vec<_> = wanted.iter().map(|between| (*between, Security::Plain)).collect();
    stations_with(rig, case, &plain)
}

/// The same, each with its own TLS.
fn stations_with(
    rig: &mut SmtpRig,
    case: &'static str,
    wanted: &[(Between, Security)],
) -> Result<Vec<Station>> {
    let mut made = Vec::new();
    for (place, (between, security)) in wanted.iter().enumerate() {
        match Station::create(rig, *between, *security) {
            Ok(station) => made.push(station),
            Err(error) if place == 0 => return Err(error),
            Err(error) => {
                interrupt::check()?;
                let reason = skipped::reason_of(&error)
                    .map_or_else(|| format!("failed: {error:#}"), |reason| format!("skipped: {reason}"));
                rig.report.missing(case, format!("{}: {reason}", between.name()));
            }
        }
    }
    Ok(made)
}
