//! The `[gateway]` table: interfaces, hook, folders, sizes and idle times.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use smtp_common::abi::{DEFAULT_FLOW_SLOTS_V4, DEFAULT_FLOW_SLOTS_V6, DEFAULT_PIN_DIR, MIN_FLOW_SLOTS};
use smtp_common::settings::GatewaySettings;
use smtp_common::tick;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::app::config::document::Notes;
use crate::app::config::duration::parse_duration;
use crate::app::config::problem::ConfigProblem;
use crate::policy::action::UnknownWord;
use crate::policy::rule_table::parse_interface_name;
use crate::policy::toml_table::TableReader;

/// The gateway itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayConfig {
    /// Interfaces on which packets are seen. A file must name them; there is no default.
    pub interfaces: Vec<String>,
    /// Where the programs are attached. Default `auto`: what suits each device.
    pub hook: Hook,
    /// Folder of the pinned maps and programs, in a BPF file system.
    pub pin_dir: PathBuf,
    /// Folder of everything that outlives a restart of the machine.
    pub data_dir: PathBuf,
    /// IPv4 flows there is room for. Default 1,048,576: 128 MiB.
    pub flows_v4: u32,
    /// IPv6 flows there is room for. Default 262,144: 64 MiB.
    pub flows_v6: u32,
    /// When flows end that nobody ended.
    pub idle: IdleTimes,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            hook: Hook::Auto,
            pin_dir: PathBuf::from(DEFAULT_PIN_DIR),
            data_dir: PathBuf::from(DEFAULT_DATA_DIR),
            flows_v4: DEFAULT_FLOW_SLOTS_V4 / 2,
            flows_v6: DEFAULT_FLOW_SLOTS_V6 / 2,
            idle: IdleTimes::default(),
        }
    }
}

impl GatewayConfig {
    /// Slots of the IPv4 flow table.
    pub fn flow_slots_v4(&self) -> u32 {
        flow_slots(self.flows_v4)
    }

    /// Slots of the IPv6 flow table.
    pub fn flow_slots_v6(&self) -> u32 {
        flow_slots(self.flows_v6)
    }
}

/// Slots for a number of flows: a power of two, at most half of it used.
pub const fn flow_slots(flows: u32) -> u32 {
    let limited = if flows > MAX_FLOWS { MAX_FLOWS } else { flows };
    let slots = (limited * 2).next_power_of_two();
    if slots < MIN_FLOW_SLOTS { MIN_FLOW_SLOTS } else { slots }
}

/// Flows in one table at most: 2^26 slots, which are 4 GiB for IPv4 and 8 GiB for IPv6.
pub const MAX_FLOWS: u32 = 1 << 25;

/// Default folder of everything that outlives a restart of the machine.
pub const DEFAULT_DATA_DIR: &str = "/var/lib/postern";

/// Where the programs are attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hook {
    /// XDP where the device hands over frames, TC elsewhere.
    #[default]
    Auto,
    /// XDP on every interface.
    Xdp,
    /// TC on every interface.
    Tc,
}

impl FromStr for Hook {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "auto" => Ok(Self::Auto),
            "xdp" => Ok(Self::Xdp),
            "tc" => Ok(Self::Tc),
            _ => Err(UnknownWord::new(text, "a hook", &["auto", "xdp", "tc"])),
        }
    }
}

/// When flows end that nobody ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleTimes {
    /// Established TCP. Default `2h4m`, RFC 5382 REQ-5.
    pub tcp_established: Duration,
    /// TCP that is not yet established. Default `30s`.
    pub tcp_half_open: Duration,
    /// TCP that has been closed or reset, kept for stragglers. Default `10s`.
    pub tcp_closing: Duration,
    /// UDP of which one side has been seen. Default `30s`.
    pub udp: Duration,
    /// UDP of which both sides have been seen. Default `3m`.
    pub udp_stream: Duration,
}

impl Default for IdleTimes {
    fn default() -> Self {
        Self {
            tcp_established: Duration::from_mins(124),
            tcp_half_open: Duration::from_secs(30),
            tcp_closing: Duration::from_secs(10),
            udp: Duration::from_secs(30),
            udp_stream: Duration::from_mins(3),
        }
    }
}

impl IdleTimes {
    /// Writes the idle times into the kernel programs' settings.
    pub fn apply(&self, settings: &mut GatewaySettings) {
        settings.idle_tcp_established = ticks(self.tcp_established);
        settings.idle_tcp_half_open = ticks(self.tcp_half_open);
        settings.idle_tcp_closing = ticks(self.tcp_closing);
        settings.idle_udp = ticks(self.udp);
        settings.idle_udp_stream = ticks(self.udp_stream);
    }
}

/// Shortest idle time: less would end flows that are only slow.
pub const MIN_IDLE: Duration = Duration::from_secs(1);
/// Longest idle time: ticks wrap after 52 days and are only ever subtracted.
pub const MAX_IDLE: Duration = Duration::from_hours(14 * 24);

fn ticks(duration: Duration) -> u32 {
    tick::from_ms(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 1_000_000))
}

const KEYS: &[&str] = &["interfaces", "hook", "pin_dir", "data_dir", "flows_v4", "flows_v6", "idle"];
const IDLE_KEYS: &[&str] = &["tcp_established", "tcp_half_open", "tcp_closing", "udp", "udp_stream"];

/// The gateway as it was read, with the places of its interfaces.
#[derive(Debug, Default)]
pub(crate) struct GatewayTable {
    pub(crate) gateway: GatewayConfig,
    pub(crate) interface_spans: Vec<Range<usize>>,
}

/// Reads the table.
pub(crate) fn read(table: &DeTable<'_>, span: Range<usize>, notes: &mut Notes) -> GatewayTable {
    let mut reader = TableReader::new(table, span, "[gateway]", KEYS);
    let mut gateway = GatewayConfig::default();
    reader.require("interfaces");
    let mut interface_spans = Vec::new();
    for text in reader.texts("interfaces") {
        if let Some(name) = reader.parsed(&text, parse_interface_name) {
            gateway.interfaces.push(name);
            interface_spans.push(text.span());
        }
    }
    if let Some(hook) = reader.word("hook") {
        gateway.hook = hook;
    }
    let flows = 1..=u64::from(MAX_FLOWS);
    if let Some(count) = reader.integer("flows_v4", flows.clone()) {
        gateway.flows_v4 = count as u32;
    }
    if let Some(count) = reader.integer("flows_v6", flows) {
        gateway.flows_v6 = count as u32;
    }
    if let Some(path) = folder(&mut reader, "pin_dir", notes) {
        gateway.pin_dir = path;
    }
    if let Some(path) = folder(&mut reader, "data_dir", notes) {
        gateway.data_dir = path;
    }
    if let Some(value) = reader.value("idle") {
        if let DeValue::Table(idle) = value.get_ref() {
            gateway.idle = read_idle(idle, value.span(), notes);
        } else {
            reader.wrong_type("idle", "a table", value, Some("[gateway.idle]".to_owned()));
        }
    }
    notes.adopt(reader.finish());
    GatewayTable { gateway, interface_spans }
}

fn read_idle(table: &DeTable<'_>, span: Range<usize>, notes: &mut Notes) -> IdleTimes {
    let mut reader = TableReader::new(table, span, "[gateway.idle]", IDLE_KEYS);
    let mut idle = IdleTimes::default();
    let places: [(&'static str, &mut Duration); 5] = [
        ("tcp_established", &mut idle.tcp_established),
        ("tcp_half_open", &mut idle.tcp_half_open),
        ("tcp_closing", &mut idle.tcp_closing),
        ("udp", &mut idle.udp),
        ("udp_stream", &mut idle.udp_stream),
    ];
    for (key, place) in places {
        if let Some(text) = reader.duration(key) {
            match idle_time(key, &text) {
                Ok(duration) => *place = duration,
                Err(problem) => notes.error(text.span(), problem),
            }
        }
    }
    notes.adopt(reader.finish());
    idle
}

fn idle_time(key: &'static str, text: &Spanned<&str>) -> Result<Duration, ConfigProblem> {
    let duration = parse_duration(text.get_ref())?;
    if (MIN_IDLE..=MAX_IDLE).contains(&duration) {
        Ok(duration)
    } else {
        Err(ConfigProblem::DurationOutOfRange { key, min: MIN_IDLE, max: MAX_IDLE })
    }
}

fn folder(reader: &mut TableReader<'_>, key: &'static str, notes: &mut Notes) -> Option<PathBuf> {
    let text = reader.text(key)?;
    let path = Path::new(*text.get_ref());
    if path.is_absolute() {
        Some(path.to_owned())
    } else {
        let path = (*text.get_ref()).to_owned();
        notes.error(text.span(), ConfigProblem::RelativePath { key, path });
        None
    }
}

#[cfg(test)]
mod tests;
