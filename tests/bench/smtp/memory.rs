//! Memory of a set of processes.

use std::fs;

use anyhow::{Context as _, Result};

/// Proportional set size of all, KiB: what they would free if they ended.
pub(crate) fn pss_kib(processes: &[u32]) -> Result<u64> {
    processes.iter().map(|pid| field(&format!("/proc/{pid}/smaps_rollup"), "Pss:")).sum()
}

/// Resident set size of all, KiB.
pub(crate) fn rss_kib(processes: &[u32]) -> Result<u64> {
    processes.iter().map(|pid| field(&format!("/proc/{pid}/status"), "VmRSS:")).sum()
}

/// Largest resident set size of all since [`forget_peaks`], KiB.
pub(crate) fn peak_kib(processes: &[u32]) -> Result<u64> {
    processes.iter().map(|pid| field(&format!("/proc/{pid}/status"), "VmHWM:")).sum()
}

/// Lets peaks begin anew.
pub(crate) fn forget_peaks(processes: &[u32]) -> Result<()> {
    for pid in processes {
        fs::write(format!("/proc/{pid}/clear_refs"), "5")?;
    }
    Ok(())
}

fn field(file: &str, name: &str) -> Result<u64> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.with_context(|| format!("{file} has no {name}"))?;
    Ok(value.trim().trim_end_matches("kB").trim().parse()?)
}
