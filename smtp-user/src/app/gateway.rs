//! The daemon's work: attach, keep attached, follow the kernel's tables, give signs of life, make room.

use std::collections::hash_map::DefaultHasher;
use std::fs::File;
use std::hash::{Hash as _, Hasher as _};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use rtnetlink::packet_core::NetlinkPayload;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::{Handle, MulticastGroup};
use smtp_common::heartbeat::{Heartbeat, PERIOD_NS};
use smtp_common::tick;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, error, info, warn};

use crate::app::config::Config;
use crate::app::config::gateway::Hook;
use crate::app::event_log;
use crate::packet_path::attach::{self, Wish};
use crate::packet_path::error::{PacketPathError, Result};
use crate::packet_path::interface::{self, Interface};
use crate::packet_path::loader::{self, Loaded, Sizes};
use crate::packet_path::maps::Maps;
use crate::packet_path::neighbours::NextHops;
use crate::packet_path::pins::Pins;
use crate::packet_path::{bans, clock, flows, neighbours, ports, rule_base};
use crate::policy::rule_text;
use crate::policy::suggest::closest;

/// A gateway at work.
pub struct Gateway {
    config: Config,
    loaded: Loaded,
    /// Keeps a second daemon away.
    _lock: File,
    tasks: Vec<JoinHandle<()>>,
    kernel: Kernel,
    next_hops: NextHops,
}

/// The kernel's own tables: their news, and a way to ask.
struct Kernel {
    handle: Handle,
    news: std::pin::Pin<Box<dyn futures_util::Stream<Item = RouteNetlinkMessage> + Send>>,
    connection: JoinHandle<()>,
}

/// How often it is looked whether the programs are still attached.
const WATCH: Duration = Duration::from_millis(250);
/// How often ended flows and bans are cleared away.
const SWEEP: Duration = Duration::from_secs(5);
/// How often neighbours that flows use are asked for a sign of life.
const PROBE: Duration = Duration::from_secs(10);
/// How long news of routes is gathered before flows are decided again.
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
        let kernel = Kernel::open()?;
        let next_hops = NextHops::open(&loaded.maps)?;
        let tasks = vec![
            tokio::spawn(beat(loaded.maps.clone())),
            tokio::spawn(event_log::report(loaded.maps.clone())),
        ];
        warn_about_forwarding();
        Ok(Self { config, loaded, _lock: lock, tasks, kernel, next_hops })
    }

    /// The pin folder.
    pub fn pin_dir(&self) -> &Path {
        &self.config.gateway.pin_dir
    }

    /// Works until something fails that cannot be mended. May be dropped and called again.
    pub async fn run(&mut self) -> PacketPathError {
        let mut watch = ticker(WATCH);
        let mut sweep = ticker(SWEEP);
        let mut probe = ticker(PROBE);
        let mut settle: Option<tokio::time::Instant> = None;
        loop {
            let settled = async {
                match settle {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = watch.tick() => self.watch().await,
                _ = sweep.tick() => self.sweep().await,
                _ = probe.tick() => self.probe().await,
                () = settled => {
                    settle = None;
                    if let Err(error) = self.loaded.maps.raise_route_generation() {
                        return error;
                    }
                }
                news = self.kernel.news.next() => match news {
                    Some(message) => {
                        if self.hear(&message) {
                            settle.get_or_insert_with(|| tokio::time::Instant::now() + SETTLE);
                        }
                    }
                    None => match Kernel::open() {
                        Ok(kernel) => {
                            // Whatever was missed: look everything up again.
                            self.kernel = kernel;
                            settle = Some(tokio::time::Instant::now());
                        }
                        Err(error) => return error,
                    },
                },
            }
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

    /// Takes everything off.
    pub async fn stop(self) -> Result<()> {
        let pins = self.loaded.maps.pins().clone();
        self.end().await;
        attach::detach_all(&pins)
    }

    /// Leaves the kernel half at work.
    pub async fn leave(self) {
        self.end().await;
    }

    async fn end(self) {
        self.kernel.connection.abort();
        for task in self.tasks {
            task.abort();
            let _ = task.await;
        }
    }

    /// Puts back what somebody took off, and attaches to interfaces that came back.
    async fn watch(&mut self) {
        let interfaces = match interface::list_async().await {
            Ok(interfaces) => interfaces,
            Err(error) => {
                warn!(%error, "cannot look at the interfaces");
                return;
            }
        };
        let known = match ports::list(&self.loaded.maps) {
            Ok(ports) => ports,
            Err(error) => {
                error!(%error, "cannot read the port table");
                return;
            }
        };
        for name in self.config.gateway.interfaces.clone() {
            let Some(interface) = interfaces.iter().find(|interface| interface.name == name) else {
                continue;
            };
            let port = known.iter().find(|port| ports::name(port) == name);
            let changed = port.is_none_or(|port| {
                (port.ifindex, port.mtu, port.mac) != (interface.index, interface.mtu, interface.mac)
            });
            let attached = port.is_some_and(|port| {
                attach::port_status(self.loaded.maps.pins(), *port, std::slice::from_ref(interface)).attached
            });
            if attached && !changed {
                continue;
            }
            if !attached {
                warn!(interface = name, "the program is not attached; attaching it again");
            }
            let again = attach_one(&mut self.loaded, interface, wish(self.config.gateway.hook), &interfaces)
                .and_then(|port| self.next_hops.update_port(&port))
                .and_then(|()| {
                    // A device that came back has another index, which rules may name.
                    if changed { self.refresh_rules(&interfaces) } else { Ok(()) }
                })
                .and_then(|()| self.loaded.maps.raise_route_generation());
            match again {
                Ok(()) => info!(interface = name, "attached"),
                Err(error) => error!(interface = name, %error, "cannot attach"),
            }
        }
    }

    /// Compiles the active rules again, for interfaces whose index changed.
    fn refresh_rules(&self, interfaces: &[Interface]) -> Result<()> {
        let maps = &self.loaded.maps;
        let _lock = rule_base::lock(maps)?;
        let rules = rule_base::active_rules(maps)?;
        if rules.iter().any(|rule| rule.interface.is_some()) {
            rule_base::install(maps, &rules, interfaces)?;
        }
        Ok(())
    }

    async fn sweep(&self) {
        let maps = self.loaded.maps.clone();
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

    /// Neighbours of accelerated flows are never asked by the stack, which sends nothing to them: so those that
    /// have gone stale are asked here, and one that is gone or has another address is noticed.
    async fn probe(&self) {
        let (Ok(hops), Ok(now)) = (self.next_hops.list(), flows::now(&self.loaded.maps)) else {
            return;
        };
        let used: Vec<(u32, IpAddr)> = hops
            .iter()
            .filter(|(_, _, hop)| tick::since(hop.resolved, now) <= tick::from_ms(15_000))
            .map(|(key, _, _)| (key.ifindex, neighbours::address(key)))
            .collect();
        let mut table = self.kernel.handle.neighbours().get().execute();
        while let Some(Ok(message)) = table.next().await {
            // The request would take the permanence off a permanent entry, and a reachable one needs none.
            if message.header.state != NeighbourState::Stale {
                continue;
            }
            let Some((address, _)) = address_and_mac(&message) else {
                continue;
            };
            if !used.contains(&(message.header.ifindex, address)) {
                continue;
            }
            let neighbours = self.kernel.handle.neighbours();
            let request = neighbours.add(message.header.ifindex, address);
            let request = request.flags(NeighbourFlags::Use).state(NeighbourState::None).replace();
            if let Err(error) = request.execute().await {
                debug!(%error, %address, "cannot probe a neighbour");
            }
        }
    }

    /// Takes note of news; true when flows must be decided again.
    fn hear(&mut self, message: &RouteNetlinkMessage) -> bool {
        use RouteNetlinkMessage as M;
        match message {
            M::NewNeighbour(neighbour) => self.neighbour(neighbour, false),
            M::DelNeighbour(neighbour) => self.neighbour(neighbour, true),
            M::NewRoute(_)
            | M::DelRoute(_)
            | M::NewRule(_)
            | M::DelRule(_)
            | M::NewAddress(_)
            | M::DelAddress(_) => true,
            _ => false,
        }
    }

    fn neighbour(&mut self, message: &NeighbourMessage, gone: bool) -> bool {
        let Some((address, mac)) = address_and_mac(message) else {
            return false;
        };
        let useless =
            gone || matches!(message.header.state, NeighbourState::Failed | NeighbourState::Incomplete);
        let mac = mac.filter(|_| !useless);
        match self.next_hops.update(message.header.ifindex, address, mac) {
            Ok(true) => debug!(%address, known = mac.is_some(), "a neighbour changed"),
            Ok(false) => {}
            Err(error) => warn!(%error, "cannot change the next hop table"),
        }
        // The table itself was changed; no flow need be decided again.
        false
    }
}

/// A neighbour's address, and its MAC address if it has one.
fn address_and_mac(message: &NeighbourMessage) -> Option<(IpAddr, Option<[u8; 6]>)> {
    let mut address = None;
    let mut mac = None;
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => address = Some(IpAddr::V4(*v4)),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => address = Some(IpAddr::V6(*v6)),
            NeighbourAttribute::LinkLayerAddress(octets) => mac = <[u8; 6]>::try_from(octets.as_slice()).ok(),
            _ => {}
        }
    }
    address.map(|address| (address, mac))
}

impl Kernel {
    fn open() -> Result<Self> {
        let groups = [
            MulticastGroup::Link,
            MulticastGroup::Neigh,
            MulticastGroup::Ipv4Route,
            MulticastGroup::Ipv6Route,
            MulticastGroup::Ipv4Rule,
            MulticastGroup::Ipv6Rule,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
        ];
        let (connection, handle, news) = rtnetlink::new_multicast_connection(&groups)
            .map_err(|error| interface::netlink("tables", &error))?;
        let news = news.filter_map(|(message, _)| async move {
            match message.payload {
                NetlinkPayload::InnerMessage(message) => Some(message),
                _ => None,
            }
        });
        Ok(Self { handle, news: Box::pin(news), connection: tokio::spawn(connection) })
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
    let mut done: Vec<&str> = Vec::new();
    for interface in wanted {
        match attach_one(loaded, interface, wish(config.gateway.hook), all) {
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

fn attach_one(
    loaded: &mut Loaded,
    interface: &Interface,
    wish: Wish,
    all: &[Interface],
) -> Result<smtp_common::port::Port> {
    let port = attach::attach(loaded, interface, wish, all)?;
    ports::put(&loaded.maps, &port)?;
    Ok(port)
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

fn wish(hook: Hook) -> Wish {
    match hook {
        Hook::Auto => Wish::Auto,
        Hook::Xdp => Wish::Xdp,
        Hook::Tc => Wish::Tc,
    }
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

fn ticker(period: Duration) -> tokio::time::Interval {
    let mut ticker = interval(period);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}

/// Writes the daemon's sign of life.
async fn beat(maps: Maps) {
    let mut ticker = ticker(Duration::from_nanos(PERIOD_NS));
    loop {
        ticker.tick().await;
        let beat = Heartbeat { daemon_ns: clock::now_ns(), inspector_ns: 0, pid: std::process::id(), pad: 0 };
        if let Err(error) = maps.set_heartbeat(&beat) {
            error!(%error, "cannot give a sign of life");
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
