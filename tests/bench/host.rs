//! What the numbers were taken on.

use std::fs;
use std::process::Command;

use serde::Serialize;

/// Facts printed above every report.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Host {
    /// Kernel release.
    pub(crate) kernel: String,
    /// CPU model.
    pub(crate) cpu: String,
    /// CPUs online.
    pub(crate) cpus: usize,
    /// Commit of the working tree, `+` when it has changes.
    pub(crate) commit: String,
    /// Build profile of this program; it does none of the measured work.
    pub(crate) profile: &'static str,
}

/// How busy the machine is with other things.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Load {
    /// Load average over one minute.
    pub(crate) load1: f64,
    /// Ticks of time stolen by the hypervisor since boot.
    pub(crate) steal_ticks: u64,
}

impl Host {
    /// Looks.
    pub(crate) fn look() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|l| l.strip_prefix("model name")).unwrap_or("unknown");
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let git = |arguments: &[&str]| {
            let output = Command::new("git")
                .args(["-c", "safe.directory=*", "-C", root])
                .args(arguments)
                .output()
                .ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let mut commit = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".into());
        if git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|changes| !changes.is_empty())
        {
            commit.push('+');
        }
        Self {
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            cpu: model.trim_start_matches([' ', '\t', ':']).to_owned(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            commit,
            profile: if cfg!(debug_assertions) { "dev" } else { "release" },
        }
    }
}

impl Load {
    /// Looks.
    pub(crate) fn look() -> Self {
        let loadavg = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        Self {
            load1: loadavg.split_whitespace().next().and_then(|v| v.parse().ok()).unwrap_or(0.0),
            steal_ticks: stat
                .lines()
                .next()
                .and_then(|l| l.split_whitespace().nth(8))
                .and_then(|v| v.parse().ok())
                .unwrap_or(0),
        }
    }
}
