//! The subject: the real `postern` binary, run in a gateway namespace, and its counters read from its pins.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use aya::maps::{Array, Map, MapData, PerCpuArray};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use smtp_common::abi;
use smtp_common::packet_path::{PacketPath, PathReason, REASON_SLOTS};
use smtp_common::settings::Active;
use smtp_common::stats::{Counter, PathStats};

use crate::interrupt;
use crate::lane::{GATEWAY_CLIENT, GATEWAY_SERVER};
use crate::netns::NetNs;
use crate::skipped::Skipped;

/// How the subject is configured.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// `xdp`, `tc` or `auto`.
    pub(crate) hook: &'static str,
    /// Rules that do not match, before the one that accelerates everything.
    pub(crate) filler_rules: u32,
    /// A port whose flows are to be inspected.
    pub(crate) inspect_port: Option<u16>,
    /// Capacity of the IPv4 flow table.
    pub(crate) flows_v4: u32,
    /// Capacity of the IPv6 flow table.
    pub(crate) flows_v6: u32,
}

impl Setup {
    /// One rule, a small flow table.
    pub(crate) const fn plain(hook: &'static str) -> Self {
        Self { hook, filler_rules: 0, inspect_port: None, flows_v4: 1 << 16, flows_v6: 1 << 16 }
    }

    /// One line for people.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!("hook {}", self.hook);
        if self.filler_rules > 0 {
            let _ = write!(text, ", {} rules first", self.filler_rules);
        }
        if let Some(port) = self.inspect_port {
            let _ = write!(text, ", tcp/{port} inspected");
        }
        text
    }

    fn configuration(&self, data_dir: &Path) -> String {
        let mut text = format!(
            "[gateway]\ninterfaces = [\"{GATEWAY_CLIENT}\", \"{GATEWAY_SERVER}\"]\nhook = \"{}\"\n\
             data_dir = \"{}\"\nflows_v4 = {}\nflows_v6 = {}\n",
            self.hook,
            data_dir.display(),
            self.flows_v4,
            self.flows_v6
        );
        if let Some(port) = self.inspect_port {
            let _ = write!(
                text,
                "\n[[rule]]\nname = \"inspected\"\nservice = [\"tcp/{port}\"]\naction = \"inspect\"\nwhen_down = \"refuse\"\n"
            );
        }
        for n in 1..=self.filler_rules {
            let port = 30_000 + n;
            let _ = write!(
                text,
                "\n[[rule]]\nname = \"filler {n}\"\nservice = [\"udp/{port}\"]\naction = \"drop\"\n"
            );
        }
        text.push_str("\n[[rule]]\nname = \"everything else\"\naction = \"accelerate\"\n");
        text
    }
}

/// A running gateway.
#[derive(Debug)]
pub(crate) struct Subject {
    child: Child,
    pins: PathBuf,
}

/// What its counters say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    /// Packets on the accelerated path.
    pub(crate) accelerated: u64,
    /// Times the rule base was asked.
    pub(crate) rule_lookups: u64,
    /// Entries made in the flow tables.
    pub(crate) flows_opened: u64,
    /// CPU time of the daemon, which is not in any packet's share.
    pub(crate) daemon_ns: u64,
}

/// Where the binary is and where things may be put; set once.
static PLACE: OnceLock<Place> = OnceLock::new();

/// The binary and a scratch folder with a bpffs of our own, unmounted at the end with all pins in it.
#[derive(Debug)]
pub(crate) struct Place {
    binary: PathBuf,
    scratch: PathBuf,
}

/// Unmounts the bpffs.
#[derive(Debug)]
pub(crate) struct Bpffs(PathBuf);

impl Place {
    /// Mounts a bpffs below `scratch`.
    pub(crate) fn prepare(binary: PathBuf, scratch: &Path) -> Result<Bpffs> {
        let bpffs = scratch.join("bpf");
        fs::create_dir_all(&bpffs)?;
        mount(Some("bpf"), &bpffs, Some("bpf"), MsFlags::empty(), None::<&str>)
            .context("mounting a bpffs")?;
        let guard = Bpffs(bpffs);
        if PLACE.set(Self { binary, scratch: scratch.to_owned() }).is_err() {
            bail!("prepared twice");
        }
        Ok(guard)
    }
}

impl Drop for Bpffs {
    fn drop(&mut self) {
        if let Err(error) = umount2(&self.0, MntFlags::MNT_DETACH) {
            eprintln!("left behind: bpffs at {}: {error}", self.0.display());
        }
    }
}

impl Subject {
    /// Starts it in a gateway's namespace and waits until its policy is active.
    pub(crate) fn start(gateway: &NetNs, setup: &Setup) -> Result<Self> {
        let place = PLACE.get().context("no place prepared")?;
        if !place.binary.is_file() {
            return Err(Skipped::because(format!("{} is not built", place.binary.display())));
        }
        let name = gateway.name();
        let folder = place.scratch.join(name);
        fs::create_dir_all(&folder)?;
        let config = folder.join("postern.toml");
        fs::write(&config, setup.configuration(&folder))?;
        let log = folder.join("log");
        let pins = place.scratch.join("bpf").join(name);
        let mut command = Command::new(&place.binary);
        command.args(["run", "--config"]).arg(&config).arg("--pin-dir").arg(&pins);
        command
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?);
        let child = gateway.run(|| command.spawn().context("starting postern"))?;
        let mut subject = Self { child, pins };
        subject.wait_ready(&log)?;
        Ok(subject)
    }

    /// A pinned program's path.
    pub(crate) fn program_pin(&self, program: &str) -> PathBuf {
        self.pins.join(format!("prog_{program}"))
    }

    /// Reads the counters.
    pub(crate) fn counted(&self) -> Result<Counted> {
        let stats: PerCpuArray<_, PathStats> =
            PerCpuArray::try_from(Map::PerCpuArray(self.map(abi::map::PATH_STATS)?))?;
        let counters: PerCpuArray<_, u64> =
            PerCpuArray::try_from(Map::PerCpuArray(self.map(abi::map::COUNTERS)?))?;
        let reasons: Vec<u32> = PathReason::ALL
            .iter()
            .filter(|reason| reason.path() == PacketPath::ACCELERATED)
            .map(|reason| u32::from(reason.0))
            .collect();
        let mut accelerated = 0;
        for port in 0..stats.len() / REASON_SLOTS {
            for reason in &reasons {
                accelerated +=
                    stats.get(&(port * REASON_SLOTS + reason), 0)?.iter().map(|s| s.packets).sum::<u64>();
            }
        }
        Ok(Counted {
            accelerated,
            rule_lookups: counters.get(&Counter::RULE_LOOKUPS.0, 0)?.iter().sum(),
            flows_opened: counters.get(&Counter::FLOWS_OPENED.0, 0)?.iter().sum(),
            daemon_ns: crate::schedstat::process_ns(self.child.id())?,
        })
    }

    fn wait_ready(&mut self, log: &Path) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut active_since = None;
        loop {
            interrupt::check()?;
            if let Some(status) = self.child.try_wait()? {
                let text = fs::read_to_string(log).unwrap_or_default();
                return Err(Skipped::because(format!(
                    "postern ended at once, {status}: {}",
                    last_lines(&text)
                )));
            }
            if self.has_policy() {
                // A filter of old kernels has no link to be pinned; then time must do.
                let since = *active_since.get_or_insert_with(Instant::now);
                if self.is_linked() || since.elapsed() > Duration::from_secs(1) {
                    return Ok(());
                }
            }
            if Instant::now() > deadline {
                let text = fs::read_to_string(log).unwrap_or_default();
                return Err(Skipped::because(format!(
                    "postern was not ready in 30 s: {}",
                    last_lines(&text)
                )));
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Whether a policy is active.
    fn has_policy(&self) -> bool {
        let active = || -> Result<u64> {
            let map: Array<_, u64> = Array::try_from(Map::Array(self.map(abi::map::ACTIVE)?))?;
            Ok(map.get(&0, 0)?)
        };
        active().is_ok_and(|word| Active(word).policy() != 0)
    }

    /// Whether links to both interfaces are pinned.
    fn is_linked(&self) -> bool {
        let Ok(folder) = fs::read_dir(&self.pins) else { return false };
        let names: Vec<_> = folder.filter_map(Result::ok).map(|entry| entry.file_name()).collect();
        [GATEWAY_CLIENT, GATEWAY_SERVER].iter().all(|device| {
            let prefix = format!("link_{device}_");
            names.iter().any(|name| name.to_string_lossy().starts_with(&prefix))
        })
    }

    fn map(&self, name: &str) -> Result<MapData> {
        let path = self.pins.join(name.to_lowercase());
        MapData::from_pin(&path).with_context(|| format!("opening {}", path.display()))
    }

    /// Asks it to detach and end.
    fn stop(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        kill(Pid::from_raw(i32::try_from(self.child.id())?), Signal::SIGINT)?;
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            sleep(Duration::from_millis(20));
        }
        bail!("postern did not end within 5 s of SIGINT");
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("{error:#}; killing process {}", self.child.id());
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        // Normally gone by now; whatever is left would keep its maps alive.
        let _ = fs::remove_dir_all(&self.pins);
    }
}

/// The end of a log, on one line.
fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join(" / ")
}
