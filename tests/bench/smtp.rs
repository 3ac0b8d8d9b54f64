//! The slow path: what inspecting mail costs, against a proxy that only moves octets and gateways that look at mail.
//!
//! Load generator and sink are threads of this process. Whatever stands between them runs in a control group of its
//! own, and the group's CPU time for every message that arrived is the figure.

mod cases;
mod cpu_group;
mod load;
mod memory;
mod message;
mod own_disk;
mod peers;
mod sink;
mod stand;
mod tls;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::report::{Report, Suite};

pub(crate) use cases::names;

/// What all cases share.
#[derive(Debug)]
pub(crate) struct SmtpRig {
    /// The gateway to measure.
    pub(crate) postern: PathBuf,
    /// Pairs a case.
    pub(crate) pairs: usize,
    /// Length of a leg.
    pub(crate) leg: Duration,
    /// Short run.
    pub(crate) quick: bool,
    /// Measures haproxy in the subject's place, to try the rig out.
    pub(crate) stand_in: bool,
    /// Folder for configurations and spools.
    pub(crate) scratch: PathBuf,
    /// Where results go.
    pub(crate) report: Report,
}

/// What a reader must know to judge the numbers.
pub(crate) const SUITE: Suite = Suite {
    title: "Inspected mail",
    honesty: &[
        "CPU is that of the subject's or peer's own processes (a control group), per message that the sink counted; softirq work is charged to whoever's system call it interrupts, for all alike.",
        "Client, gateway and server are namespaces joined by veth; generator and sink are part of the measuring program and share the machine's CPUs with what is measured.",
        "The client waits for every reply (no PIPELINING), as the peers' published figures do.",
        "Ratios are medians of ratios within a pair of adjacent legs (ABBA); rates by the clock are marked noisy, and no goal but S9's is held against them.",
        "A leg counts only if the sink took exactly the messages that the generator was told were taken.",
        "S9: both have every message on disk before their 250, each on an ext4 of its own as mkfs makes it, in a file on the scratch folder's disk; a message counts when the sink has it. Postfix has `in_flow_delay = 0s`, so that it never holds clients back; Postern judges and records every message, Postfix' log goes nowhere.",
        "Postern without inspection looks at no message, as the peers of S1 and S2 do; else it walks MIME, hashes every part and looks for EICAR and listed hashes. S3 and S5 have clamd on neither or both sides, as the line says; clamd's signatures are 20,000 of chance and EICAR, no official set.",
    ],
};

/// Runs the chosen cases.
pub(crate) fn run(rig: &mut SmtpRig, chosen: &[String]) -> Result<()> {
    cases::run(rig, chosen)
}

/// Whether there is a case of this name.
pub(crate) fn knows(name: &str) -> bool {
    names().any(|(known, _)| known.eq_ignore_ascii_case(name))
}

impl SmtpRig {
    /// The subject, or what stands in for it.
    pub(crate) fn subject(&self) -> stand::Between {
        if self.stand_in { stand::Between::Haproxy } else { stand::Between::Postern }
    }

    /// A folder of its own for one station.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.scratch.join(name);
        std::fs::create_dir_all(&folder)?;
        // Daemons that give root up must get through.
        open_to_all(&self.scratch)?;
        open_to_all(&folder)?;
        Ok(folder)
    }
}

fn open_to_all(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}
