//! The daemon from its start to its end: load, install the policy, attach; then signs of life, and making room.

use std::collections::hash_map::DefaultHasher;
use std::convert::Infallible;
use std::fs::File;
use std::hash::{Hash as _, Hasher as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use smtp_common::heartbeat::{Heartbeat, PERIOD_NS};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{debug, error, info, warn};

use crate::app::config::Config;
use crate::app::kernel_follower::{KernelFollower, Meaning};
use crate::app::{attachments, event_log, neighbour_probe};
use crate::gateway::descriptors;
use crate::model::pulse::Pulse;
use crate::model::shortage::Shortage;
use crate::packet_path::error::{PacketPathError, Result};
use crate::packet_path::interface::{self, Interface};
use crate::packet_path::loader::{self, Loaded, Sizes};
use crate::packet_path::maps::{HeldActive, HeldHeartbeat, Maps};
use crate::packet_path::pins::Pins;
use crate::packet_path::{attach, bans, clock, flows, ports, rule_base};
use crate::policy::rule_text;
use crate::policy::suggest::closest;

/// A gateway at work.
pub struct Gateway {
    config: Config,
    loaded: Loaded,
    /// Keeps a second daemon away.
    _lock: File,
    tasks: Vec<JoinHandle<()>>,
    follower: KernelFollower,
    pulse: Arc<Pulse>,
    /// Where flows are told that routes have changed. It stays open: there may be no descriptor left for it then.
    active: HeldActive,
    /// Nothing can be seen of the interfaces, the programs on them or the kernel's news.
    blind: Shortage,
}

/// How often it is looked whether the programs are still attached: the kernel does not tell when a link is detached.
const WATCH: Duration = Duration::from_millis(250);
/// How often ended flows and bans are cleared away.
const SWEEP: Duration = Duration::from_secs(5);
/// How often neighbours that flows use are asked for a sign of life.
const PROBE: Duration = Duration::from_secs(10);
/// How long news of routes and interfaces is gathered before something is done about them.
const SETTLE: Duration = Duration::from_millis(20);

impl Gateway {
    /// Loads, installs the policy and attaches. On failure nothing is left half done.
    pub async fn start(config: Config) -> Result<Self> {
        let interfaces = interface::list_async().await?;
        let wanted = named(&config.gateway.interfaces, &interfaces)?;
        let pins = Pins::new(&config.gateway.pin_dir);
        pins.create()?;
        let lock = match pins.lock() {
            Ok(Some(lock)) => lock,
            Ok(None) => {
                let pid = Maps::open(&pins).and_then(|maps| maps.heartbeat()).map_or(0, |beat| beat.pid);
                return Err(PacketPathError::Busy { dir: pins.dir().to_owned(), pid });
            }
            Err(error) => return Err(error),
        };
        let sizes = Sizes { v4: config.gateway.flow_slots_v4(), v6: config.gateway.flow_slots_v6() };
        let mut loaded = loader::load(&pins, sizes).inspect_err(|_| {
            if !pins.exist() {
                let _ = pins.remove();
            }
        })?;
        let started = begin(&config, &mut loaded, &wanted, &interfaces);
        if let Err(error) = started {
            if !loaded.adopted {
                let _ = attach::detach_all(&pins);
            }
            return Err(error);
        }
        let follower = KernelFollower::open(&loaded.maps)?;
        // Whoever is told that the gateway is ready finds its sign of life.
        let pulse = Arc::new(Pulse::default());
        loaded.maps.set_heartbeat(&sign_of_life(&pulse))?;
        let active = loaded.maps.hold_active()?;
        let tasks = vec![
            tokio::spawn(beat(loaded.maps.clone(), Arc::clone(&pulse))),
            tokio::spawn(event_log::report(loaded.maps.clone())),
            tokio::spawn(sweep(loaded.maps.clone())),
            tokio::spawn(probe(loaded.maps.clone())),
        ];
        warn_about_forwarding();
        let blind = Shortage::default();
        Ok(Self { config, loaded, _lock: lock, tasks, follower, pulse, active, blind })
    }

    /// Where the inspector tells that it is there.
    pub fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.pulse)
    }

    /// Gives a sign of life now, not at the next beat: the kernel refuses what is to be inspected until it is there.
    pub fn give_sign_of_life(&self) -> Result<()> {
        self.loaded.maps.set_heartbeat(&sign_of_life(&self.pulse))
    }

    /// The pinned maps.
    pub fn maps(&self) -> &Maps {
        &self.loaded.maps
    }

    /// The pin folder.
    pub fn pin_dir(&self) -> &Path {
        &self.config.gateway.pin_dir
    }

    /// Works: what fails is tried again. May be dropped and called again.
    pub async fn run(&mut self) -> Infallible {
        // Nothing in this loop may wait for a lock or a long walk: it is what notices a program that is gone.
        let mut watch = ticker(WATCH);
        let mut look: Option<Instant> = None;
        let mut settle: Option<Instant> = None;
        let mut listen_again: Option<Instant> = None;
        loop {
            tokio::select! {
                _ = watch.tick() => self.keep_attached().await,
                () = at(look) => {
                    look = None;
                    self.keep_attached().await;
                }
                () = at(settle) => {
                    settle = None;
                    if let Err(error) = self.active.raise_route_generation() {
                        self.cannot_see(&error);
                        settle = Some(Instant::now() + WATCH);
                    }
                }
                () = at(listen_again) => match self.follower.reopen() {
                    // Whatever was missed: look everything up again.
                    Ok(()) => {
                        listen_again = None;
                        settle = Some(Instant::now());
                    }
                    Err(error) => {
                        self.cannot_see(&error);
                        listen_again = Some(Instant::now() + WATCH);
                    }
                },
                news = self.follower.news(), if listen_again.is_none() => match news.map(|message| self.follower.hear(&message)) {
                    Some(Meaning::Nothing) => {}
                    Some(Meaning::Interfaces) => {
                        look.get_or_insert_with(|| Instant::now() + SETTLE);
                    }
                    Some(Meaning::Routes) => {
                        settle.get_or_insert_with(|| Instant::now() + SETTLE);
                    }
                    None => listen_again = Some(Instant::now()),
                },
            }
        }
    }

    async fn keep_attached(&mut self) {
        // What cannot be opened looks as if somebody had taken it off, and putting it back would do that.
        if descriptors::are_short() {
            return self.cannot_see(&"there are too few descriptors");
        }
        let kept = attachments::keep(&self.config.gateway, &mut self.loaded, &mut self.follower).await;
        if let Err(error) = kept {
            self.cannot_see(&error);
        } else if let Some(over) = self.blind.ends(Instant::now().into_std()) {
            info!(lasted = ?over.lasted, "it can be seen again whether the programs are attached");
        }
    }

    /// Says so once: it is looked several times a second.
    fn cannot_see(&self, error: &dyn std::fmt::Display) {
        if self.blind.begins(Instant::now().into_std()) {
            warn!(%error, "it cannot be seen whether the programs are attached, nor what is new in the kernel");
        }
    }

    /// Installs another configuration's rules and tunables; interfaces and sizes need a restart.
    pub fn reload(&mut self, config: Config) -> Result<u16> {
        let interfaces = interface::on_thread(interface::list)?;
        if config.gateway.interfaces != self.config.gateway.interfaces {
            warn!("another set of interfaces takes effect at the next start");
        }
        let revision = install(&config, &self.loaded.maps, &interfaces)?;
        self.config.rules = config.rules;
        Ok(revision)
    }

    /// Undoes the start of a daemon that cannot do all it should: what was there before stays, nothing else does.
    pub async fn give_up(self) {
        if self.loaded.adopted {
            self.leave().await;
        } else if let Err(error) = self.stop().await {
            warn!(%error, "cannot take the programs off");
        }
    }

    /// Takes everything off.
    pub async fn stop(self) -> Result<()> {
        let pins = self.loaded.maps.pins().clone();
        self.end().await;
        attach::detach_all(&pins)
    }

    /// Leaves the kernel half at work.
    pub async fn leave(self) {
        let maps = self.loaded.maps.clone();
        self.end().await;
        // Nobody need wait until the last sign of life is stale.
        let gone = Heartbeat { daemon_ns: 0, inspector_ns: 0, pid: 0, inspector_port: [0; 2] };
        if let Err(error) = maps.set_heartbeat(&gone) {
            warn!(%error, "cannot take the sign of life back");
        }
    }

    async fn end(self) {
        self.follower.end();
        for task in self.tasks {
            task.abort();
            let _ = task.await;
        }
    }
}

/// Policy, tunables and attachments at the start.
fn begin(config: &Config, loaded: &mut Loaded, wanted: &[Interface], all: &[Interface]) -> Result<()> {
    let abi = loaded.maps.abi()?;
    let digest = digest(config)?;
    if loaded.adopted && abi.config_digest == digest && loaded.maps.active()?.policy() != 0 {
        info!("the configuration is the one that was loaded; rules and tunables stay as they are");
    } else {
        let revision = install(config, &loaded.maps, all)?;
        info!(revision, rules = config.rules.len(), "policy installed");
    }
    attachments::follow_renames(&loaded.maps, all, &ports::list(&loaded.maps)?)?;
    let mut done: Vec<&str> = Vec::new();
    for interface in wanted {
        match attachments::attach_one(loaded, interface, config.gateway.hook, all) {
            Ok(port) => {
                let (hook, why) = ports::hook(&port);
                info!(interface = interface.name, hook, why, "attached");
                done.push(&interface.name);
            }
            Err(error) => {
                if !loaded.adopted {
                    for name in done {
                        attach::detach(loaded.maps.pins(), name);
                    }
                }
                return Err(error);
            }
        }
    }
    for port in ports::list(&loaded.maps)? {
        let name = ports::name(&port);
        if !config.gateway.interfaces.contains(&name) {
            info!(interface = name, "no longer a gateway interface");
            attach::detach(loaded.maps.pins(), &name);
            ports::remove(&loaded.maps, &port)?;
        }
    }
    if loaded.adopted {
        // Routes may have changed while nobody looked.
        loaded.maps.raise_route_generation()?;
    }
    Ok(())
}

fn install(config: &Config, maps: &Maps, interfaces: &[Interface]) -> Result<u16> {
    let _lock = rule_base::lock(maps)?;
    let before = rule_base::active_rules(maps)?;
    let rules = config.rules.clone().keep_ids(&before).unwrap_or_else(|_| config.rules.clone());
    let installed = rule_base::install(maps, &rules, interfaces)?;
    for missing in &installed.missing_interfaces {
        warn!("a rule matches nothing: {missing:?}");
    }
    let mut settings = maps.settings()?;
    config.gateway.idle.apply(&mut settings);
    maps.set_settings(&settings)?;
    let mut abi = maps.abi()?;
    abi.config_digest = digest(config)?;
    maps.set_abi(&abi)?;
    Ok(installed.revision)
}

/// What of a configuration the maps hold, in 32 bits.
fn digest(config: &Config) -> Result<u32> {
    let mut hasher = DefaultHasher::new();
    rule_text::write(&config.rules)?.hash(&mut hasher);
    format!("{:?}", config.gateway.idle).hash(&mut hasher);
    // 0 is "never installed".
    Ok((hasher.finish() as u32).max(1))
}

/// The interfaces of these names.
fn named(names: &[String], interfaces: &[Interface]) -> Result<Vec<Interface>> {
    names
        .iter()
        .map(|name| {
            interfaces.iter().find(|interface| interface.name == *name).cloned().ok_or_else(|| {
                let suggestion = closest(name, interfaces.iter().map(|interface| interface.name.as_str()));
                PacketPathError::NoInterface { name: name.clone(), suggestion: suggestion.map(str::to_owned) }
            })
        })
        .collect()
}

/// Waits for a moment that may never come.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn ticker(period: Duration) -> tokio::time::Interval {
    let mut ticker = interval(period);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}

fn sign_of_life(inspector: &Pulse) -> Heartbeat {
    let now = clock::now_ns();
    Heartbeat {
        daemon_ns: now,
        inspector_ns: if inspector.is_alive() { now } else { 0 },
        pid: std::process::id(),
        inspector_port: inspector.ports(),
    }
}

/// Writes the daemon's sign of life.
async fn beat(maps: Maps, inspector: Arc<Pulse>) {
    let mut ticker = ticker(Duration::from_nanos(PERIOD_NS));
    let (mut held, failing) = (None, Shortage::default());
    loop {
        ticker.tick().await;
        let now = Instant::now().into_std();
        match give_sign_of_life(&maps, &mut held, &inspector) {
            Ok(()) => {
                if let Some(over) = failing.ends(now) {
                    info!(lasted = ?over.lasted, "signs of life are given again");
                }
            }
            Err(error) => {
                if failing.begins(now) {
                    error!(%error, "cannot give a sign of life");
                }
            }
        }
    }
}

/// Gives one, in a map that stays open: whoever has no descriptors left is alive nevertheless.
fn give_sign_of_life(maps: &Maps, held: &mut Option<HeldHeartbeat>, inspector: &Pulse) -> Result<()> {
    let map = match held {
        Some(map) => map,
        None => held.insert(maps.hold_heartbeat()?),
    };
    map.set(&sign_of_life(inspector))
}

/// Clears ended flows and bans away.
async fn sweep(maps: Maps) {
    let mut ticker = ticker(SWEEP);
    loop {
        ticker.tick().await;
        let maps = maps.clone();
        let swept = tokio::task::spawn_blocking(move || -> Result<u32> {
            bans::expire(&maps)?;
            Ok(flows::expire(&maps)?.freed)
        });
        match swept.await {
            Ok(Ok(0)) | Err(_) => {}
            Ok(Ok(freed)) => debug!(freed, "ended flows cleared away"),
            Ok(Err(error)) => warn!(%error, "cannot clear ended flows away"),
        }
    }
}

/// Asks the neighbours that flows use.
async fn probe(maps: Maps) {
    let mut ticker = ticker(PROBE);
    loop {
        ticker.tick().await;
        if let Err(error) = neighbour_probe::probe(maps.clone()).await {
            debug!(%error, "cannot probe neighbours");
        }
    }
}

/// A router that does not route is a common first mistake.
fn warn_about_forwarding() {
    for (path, what) in
        [("/proc/sys/net/ipv4/ip_forward", "IPv4"), ("/proc/sys/net/ipv6/conf/all/forwarding", "IPv6")]
    {
        if std::fs::read_to_string(path).is_ok_and(|value| value.trim() == "0") {
            warn!(
                "{what} forwarding is off in the kernel ({path} is 0): nothing can be accelerated until it is on"
            );
        }
    }
}
