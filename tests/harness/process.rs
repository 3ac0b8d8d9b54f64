//! What the system says of a process, and how many descriptors it lets it have.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::unistd::Pid;
use rustix::process::{Resource, Rlimit, prlimit};

/// Descriptors that it has.
///
/// # Panics
///
/// When it is gone.
#[track_caller]
pub fn descriptors(process: Pid) -> u64 {
    fs::read_dir(format!("/proc/{process}/fd")).expect("the process is there").count() as u64
}

/// The number beyond the highest descriptor that it has.
///
/// # Panics
///
/// When it is gone.
#[track_caller]
pub fn beyond_descriptors(process: Pid) -> u64 {
    let all = fs::read_dir(format!("/proc/{process}/fd")).expect("the process is there");
    let numbers = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok());
    numbers.max().map_or(0, |highest| highest + 1)
}

/// Whether it has a file of a folder open that was removed, and whose room is not free yet.
///
/// # Panics
///
/// When it is gone.
#[track_caller]
pub fn has_removed_file_open(process: Pid, folder: &Path) -> bool {
    let all = fs::read_dir(format!("/proc/{process}/fd")).expect("the process is there");
    let mut files = all.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    files.any(|file| file.starts_with(folder) && file.as_os_str().as_encoded_bytes().ends_with(b" (deleted)"))
}

/// Lets it have so many descriptors from now on, and gives how many it could have.
///
/// # Panics
///
/// When it is gone.
#[track_caller]
pub fn limit_descriptors(process: Pid, most: u64) -> u64 {
    let id = rustix::process::Pid::from_raw(process.as_raw()).expect("a process id");
    // The hard limit stays: the process could not be given more again.
    let now = rustix::process::getrlimit(Resource::Nofile);
    let before = prlimit(Some(id), Resource::Nofile, Rlimit { current: Some(most), maximum: now.maximum });
    before.expect("the process is there").current.unwrap_or(u64::MAX)
}

/// Time that it has spent on CPUs.
///
/// # Panics
///
/// When it is gone.
#[track_caller]
pub fn cpu_time(process: Pid) -> Duration {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).expect("the process is there");
    // Behind the name: fields 14 and 15 of proc(5) are user and system time, in hundredths of a second.
    let fields = text.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Memory that is its own, in octets, without what it shares with files.
///
/// # Panics
///
/// When it is gone.
#[track_caller]
pub fn resident(process: Pid) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).expect("the process is there");
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}
