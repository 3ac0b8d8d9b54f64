//! CPU time of threads as the scheduler counts it, in nanoseconds.
//!
//! Softirq work runs either inside the thread that raised it or in ksoftirqd, so the two together are
//! the whole chain. A kernel that takes interrupt time out of the threads' time
//! (`CONFIG_IRQ_TIME_ACCOUNTING`) shows a thread that is busy all along and hardly accounted for; see
//! [`crate::live_frames`], which tells and voids the sample.

use std::fs;

use anyhow::{Context as _, Result};

/// A set of threads to be added up.
#[derive(Debug)]
pub(crate) struct CpuClock {
    threads: Vec<u32>,
}

impl CpuClock {
    /// Of the calling thread and everything that does softirq work on `cpu`.
    pub(crate) fn of_chain(cpu: usize) -> Result<Self> {
        let own = u32::try_from(nix::unistd::gettid().as_raw())?;
        let mut threads = vec![own];
        threads.extend(kernel_thread(&format!("ksoftirqd/{cpu}")));
        Ok(Self { threads })
    }

    /// Time so far.
    pub(crate) fn now_ns(&self) -> Result<u64> {
        self.threads.iter().map(|&tid| run_time_ns(tid)).sum()
    }
}

/// Time a process has run, all its threads.
pub(crate) fn process_ns(pid: u32) -> Result<u64> {
    let folder = fs::read_dir(format!("/proc/{pid}/task")).context("listing threads")?;
    let mut total = 0;
    for thread in folder {
        let name = thread?.file_name();
        // A thread that has just ended is no mistake.
        total += name.to_str().and_then(|n| n.parse().ok()).map_or(0, |tid| run_time_ns(tid).unwrap_or(0));
    }
    Ok(total)
}

fn run_time_ns(tid: u32) -> Result<u64> {
    let path = format!("/proc/{tid}/schedstat");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    text.split_whitespace().next().context("an empty schedstat")?.parse().context("an odd schedstat")
}

fn kernel_thread(name: &str) -> Option<u32> {
    fs::read_dir("/proc").ok()?.filter_map(Result::ok).find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let comm = fs::read_to_string(entry.path().join("comm")).ok()?;
        (comm.trim_end() == name).then_some(pid)
    })
}
