//! Control groups: a limit for a daemon and everything it starts. Version 2 of the kernel's interface, or version 1.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::netns;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    /// Memory, with what is kept of files.
    Memory,
    /// Processes and threads.
    Pids,
}

/// A group of processes; it is gone with this value, and so is every process in it.
#[derive(Debug)]
pub struct ControlGroup {
    folder: PathBuf,
    controller: Controller,
    is_v2: bool,
}

/// How long processes that were killed may take to be gone.
const GONE: Duration = Duration::from_secs(5);

impl Controller {
    const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Pids => "pids",
        }
    }

    /// Where groups of it are made, and by which version.
    fn root(self) -> Option<(PathBuf, bool)> {
        let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
        mounts.lines().find_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (at, kind, options) = (PathBuf::from(words.next()?), words.next()?, words.next()?);
            match kind {
                "cgroup" if options.split(',').any(|option| option == self.name()) => Some((at, false)),
                // Where it is not handed down, the files would be missing.
                "cgroup2" => {
                    let handed_down = fs::read_to_string(at.join("cgroup.subtree_control")).ok()?;
                    handed_down.split_whitespace().any(|name| name == self.name()).then_some((at, true))
                }
                _ => None,
            }
        })
    }
}

impl ControlGroup {
    /// Makes one, or says why that cannot be done on this machine.
    pub fn try_new(controller: Controller) -> Result<Self, String> {
        let (root, is_v2) = controller.root().ok_or_else(|| {
            format!("no control groups with the {} controller are mounted", controller.name())
        })?;
        let folder = root.join(netns::unique_name("group"));
        fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self { folder, controller, is_v2 })
    }

    /// The file that takes a process into it.
    pub fn door(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// Sets the limit, or takes it away.
    ///
    /// # Panics
    ///
    /// When it cannot be set.
    #[track_caller]
    pub fn limit(&self, most: Option<u64>) {
        assert!(self.try_limit(most), "the limit can be set");
    }

    /// The same where it may be refused: version 1 sets no limit of memory below what is in use and cannot be given back.
    pub fn try_limit(&self, most: Option<u64>) -> bool {
        let (file, none) = match (self.controller, self.is_v2) {
            (Controller::Memory, true) => ("memory.max", "max"),
            (Controller::Memory, false) => ("memory.limit_in_bytes", "-1"),
            (Controller::Pids, _) => ("pids.max", "max"),
        };
        let text = most.map_or_else(|| none.to_owned(), |most| most.to_string());
        fs::write(self.folder.join(file), text).is_ok()
    }

    /// How much of it is used now.
    pub fn used(&self) -> u64 {
        self.number(match (self.controller, self.is_v2) {
            (Controller::Memory, true) => "memory.current",
            (Controller::Memory, false) => "memory.usage_in_bytes",
            (Controller::Pids, _) => "pids.current",
        })
    }

    /// How much of it was used at most.
    pub fn peak(&self) -> u64 {
        self.number(match (self.controller, self.is_v2) {
            (Controller::Memory, true) => "memory.peak",
            (Controller::Memory, false) => "memory.max_usage_in_bytes",
            (Controller::Pids, _) => "pids.peak",
        })
    }

    /// How often the limit was run into: allocations that had to wait or failed, or processes and threads that were not made.
    pub fn hits(&self) -> u64 {
        match (self.controller, self.is_v2) {
            (Controller::Memory, true) => self.event("memory.events", "max"),
            (Controller::Memory, false) => self.number("memory.failcnt"),
            (Controller::Pids, _) => self.event("pids.events", "max"),
        }
    }

    /// How many processes the kernel has killed for want of memory.
    pub fn killed(&self) -> u64 {
        self.event(if self.is_v2 { "memory.events" } else { "memory.oom_control" }, "oom_kill")
    }

    /// Processes in it.
    pub fn processes(&self) -> Vec<Pid> {
        let text = fs::read_to_string(self.door()).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).map(Pid::from_raw).collect()
    }

    fn number(&self, file: &str) -> u64 {
        self.read(file).trim().parse().unwrap_or(0)
    }

    fn event(&self, file: &str, name: &str) -> u64 {
        let text = self.read(file);
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap_or_default()
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        // A test that failed may have left some; nobody else is in it.
        let end = Instant::now() + GONE;
        while fs::remove_dir(&self.folder).is_err() && Instant::now() < end {
            for process in self.processes() {
                let _ = kill(process, Signal::SIGKILL);
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}
