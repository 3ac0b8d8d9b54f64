//! The subject: the real `postern` binary, run in a gateway namespace, and its counters read from its pins.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use smtp_common::packet_path::PacketPath;
use smtp_common::stats::Counter;
use smtp_user::packet_path::maps::Maps;
use smtp_user::packet_path::pins::Pins;
use smtp_user::packet_path::stats;

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
                "\n[[rule]]\nname = \"inspected\"\nservice = [\"tcp/{port}\"]\naction = \"inspect\"\n\
                 resource = \"mail\"\nwhen_down = \"refuse\"\n\n[[resource]]\nname = \"mail\"\n"
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
    pins: Pins,
}

/// What its counters say.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    /// Packets on the accelerated path.
    pub(crate) accelerated: u64,
    /// Packets by reason, whatever the path, and every single counter.
    all: BTreeMap<&'static str, u64>,
    /// Times the rule base was asked.
    pub(crate) rule_lookups: u64,
    /// Entries made in the flow tables.
    pub(crate) flows_opened: u64,
    /// CPU time of the daemon, which is not in any packet's share.
    pub(crate) daemon_ns: u64,
}

impl Counted {
    /// What was counted since `before`, for people.
    pub(crate) fn since(&self, before: &Self) -> String {
        let text: Vec<String> = self
            .all
            .iter()
            .map(|(name, count)| (name, count - before.all.get(name).unwrap_or(&0)))
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        if text.is_empty() { "nothing".into() } else { text.join(", ") }
    }
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
        let folder = place.scratch.join(gateway.name());
        let command = Command::new(&place.binary);
        Self::start_with(gateway, &folder, &setup.configuration(&folder), command)
    }

    /// Starts it with a configuration of one's own; `command` becomes the binary.
    pub(crate) fn start_with(
        gateway: &NetNs,
        folder: &Path,
        configuration: &str,
        mut command: Command,
    ) -> Result<Self> {
        let place = PLACE.get().context("no place prepared")?;
        if !place.binary.is_file() {
            return Err(Skipped::because(format!("{} is not built", place.binary.display())));
        }
        fs::create_dir_all(folder)?;
        let config = folder.join("postern.toml");
        fs::write(&config, configuration)?;
        let log = folder.join("log");
        let output = File::create(&log)?;
        let pins = Pins::new(place.scratch.join("bpf").join(gateway.name()));
        command.args(["run", "--config"]).arg(&config).arg("--pin-dir").arg(pins.dir());
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = gateway.run(|| command.spawn().context("starting postern"))?;
        let mut subject = Self { child, pins };
        subject.wait_ready(&log)?;
        Ok(subject)
    }

    /// A pinned program's path.
    pub(crate) fn program_pin(&self, program: &str) -> PathBuf {
        self.pins.program(program)
    }

    /// Reads the counters.
    pub(crate) fn counted(&self) -> Result<Counted> {
        let maps = Maps::open(&self.pins)?;
        let (mut accelerated, mut all) = (0, BTreeMap::new());
        for count in stats::path_counts(&maps)? {
            if count.reason.path() == PacketPath::ACCELERATED {
                accelerated += count.stats.packets;
            }
            *all.entry(count.reason.name()).or_default() += count.stats.packets;
        }
        let counters = stats::counters(&maps)?;
        all.extend(counters.iter().map(|(counter, value)| (counter.name(), *value)));
        let value = |wanted: Counter| {
            counters.iter().filter(|(counter, _)| *counter == wanted).map(|(_, value)| value).sum()
        };
        Ok(Counted {
            accelerated,
            all,
            rule_lookups: value(Counter::RULE_LOOKUPS),
            flows_opened: value(Counter::FLOWS_OPENED),
            daemon_ns: crate::schedstat::process_ns(self.child.id())?,
        })
    }

    /// Waits for the line that says that policy and programs are in place.
    fn wait_ready(&mut self, log: &Path) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            interrupt::check()?;
            let text = fs::read_to_string(log).unwrap_or_default();
            if text.lines().any(|line| line == READY) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                // Once more: its last words may have come after the look.
                let text = fs::read_to_string(log).unwrap_or_default();
                bail!("postern ended at once, {status}: {}", last_lines(&text));
            }
            ensure!(Instant::now() < deadline, "postern was not ready in 30 s: {}", last_lines(&text));
            sleep(Duration::from_millis(20));
        }
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
        let _ = fs::remove_dir_all(self.pins.dir());
    }
}

/// The end of a log, on one line.
fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join(" / ")
}

/// What `postern run` says on standard error when it is at work.
const READY: &str = "postern: ready";
