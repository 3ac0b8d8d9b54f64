//! CPU time of threads as the scheduler counts it, in nanoseconds.
//!
//! Softirq work runs either inside the thread that raised it or in ksoftirqd, so the two together are
//! the whole chain. A kernel that takes interrupt time out of the threads' time
//! (`CONFIG_IRQ_TIME_ACCOUNTING`) shows a thread that is busy all along and hardly accounted for; see
//! [`crate::live_frames`], which tells and voids the sample.

use std::fs;

use anyhow::{Context as _, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

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

/// Time a process has run, with all its threads, also those that have ended.
pub(crate) fn process_ns(pid: u32) -> Result<u64> {
    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(i32::try_from(pid)?)).context("a process's clock")?;
    clock_ns(clock)
}

/// The same of this process.
pub(crate) fn own_process_ns() -> Result<u64> {
    clock_ns(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

/// Time of children that have ended and were waited for.
pub(crate) fn children_ns() -> Result<u64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(u64::try_from(micros)? * 1000)
}

/// Time of the kernel thread that does softirq work on `cpu` when it is too much to do in passing.
pub(crate) fn ksoftirqd_ns(cpu: usize) -> Result<u64> {
    kernel_thread(&format!("ksoftirqd/{cpu}")).map_or(Ok(0), run_time_ns)
}

fn clock_ns(clock: ClockId) -> Result<u64> {
    let time = clock_gettime(clock).context("reading a CPU time clock")?;
    Ok(u64::try_from(time.num_nanoseconds())?)
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
