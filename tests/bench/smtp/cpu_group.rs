//! CPU time of all processes of one subject, by a control group of either version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, bail};

/// A control group that goes with this value, once it is empty.
#[derive(Debug)]
pub(crate) struct CpuGroup {
    folder: PathBuf,
    version: Version,
}

#[derive(Clone, Copy, Debug)]
enum Version {
    One,
    Two,
}

impl CpuGroup {
    /// Makes a group.
    pub(crate) fn create() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("postern-bench-{}-{number}", std::process::id());
        for (base, version, file) in [
            ("/sys/fs/cgroup/cpuacct", Version::One, "cpuacct.usage"),
            ("/sys/fs/cgroup", Version::Two, "cpu.stat"),
        ] {
            if !Path::new(base).join(file).exists() {
                continue;
            }
            let folder = Path::new(base).join(&name);
            fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
            return Ok(Self { folder, version });
        }
        bail!("no control group counts CPU time here")
    }

    /// A command that joins the group before it becomes `program`.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]);
        command.arg(self.folder.join("cgroup.procs")).arg(program);
        command
    }

    /// CPU time of all that ran in it, nanoseconds.
    pub(crate) fn cpu_ns(&self) -> Result<u64> {
        match self.version {
            Version::One => {
                let text = fs::read_to_string(self.folder.join("cpuacct.usage"))?;
                Ok(text.trim().parse()?)
            }
            Version::Two => {
                let text = fs::read_to_string(self.folder.join("cpu.stat"))?;
                let usage = text.lines().find_map(|line| line.strip_prefix("usage_usec "));
                Ok(usage.context("cpu.stat says no usage")?.trim().parse::<u64>()? * 1000)
            }
        }
    }

    /// Processes in it.
    pub(crate) fn processes(&self) -> Result<Vec<u32>> {
        let text = fs::read_to_string(self.folder.join("cgroup.procs"))?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }
}

impl Drop for CpuGroup {
    fn drop(&mut self) {
        use nix::sys::signal::{Signal, kill};
        use nix::unistd::Pid;
        // Daemons that left their parent are still in here.
        for _ in 0..100 {
            let left = self.processes().unwrap_or_default();
            for pid in &left {
                let _ = i32::try_from(*pid).map(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL));
            }
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        eprintln!("left behind: {}", self.folder.display());
    }
}
