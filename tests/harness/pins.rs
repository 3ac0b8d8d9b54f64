//! The pinned maps of a gateway under test, read without its help.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use aya::maps::{Array, Map, MapData, PerCpuArray, RingBuf};
use smtp_common::abi::{AbiInfo, map};
use smtp_common::flow::{Control, FlowState, FlowV4, FlowV6};
use smtp_common::packet_event::PacketEvent;
use smtp_common::packet_path::PathReason;
use smtp_common::stats::{Counter, PathStats, path_stats_index};

/// The folder of a gateway's pins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pins {
    folder: PathBuf,
}

/// A flow as its entry has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Endpoints, in the entry's order.
    pub sides: [SocketAddr; 2],
    /// Protocol and state of the slot.
    pub control: Control,
    /// What is known.
    pub state: FlowState,
}

impl Flow {
    /// Packets of both directions.
    pub fn packets(&self) -> u64 {
        self.state.packets.iter().map(|&packets| u64::from(packets)).sum()
    }
}

/// Gateway interfaces that a test has at most; more would only make every reading slower.
const PORTS: u8 = 4;

/// Packets by reason, over all interfaces.
pub type ReasonCounts = BTreeMap<&'static str, u64>;

impl Pins {
    /// The pins in a folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The pin of a map or program.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name.to_lowercase())
    }

    /// Names of everything pinned; none when the folder is not there.
    pub fn names(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    fn open(&self, name: &str) -> MapData {
        let path = self.path(name);
        MapData::from_pin(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// One entry of an array.
    ///
    /// # Panics
    ///
    /// When the map is not pinned, or smaller.
    pub fn array_entry<T: aya::Pod>(&self, name: &str, index: u32) -> T {
        let array = Array::<_, T>::try_from(Map::Array(self.open(name))).expect("an array of this type");
        array.get(&index, 0).expect("the entry is there")
    }

    /// Writes one entry of an array.
    ///
    /// # Panics
    ///
    /// When the map is not pinned, or smaller.
    pub fn set_array_entry<T: aya::Pod>(&self, name: &str, index: u32, value: T) {
        let mut array = Array::<_, T>::try_from(Map::Array(self.open(name))).expect("an array of this type");
        array.set(index, value, 0).expect("the entry can be written");
    }

    /// Packets by reason so far.
    ///
    /// # Panics
    ///
    /// When the map is not pinned.
    pub fn reasons(&self) -> ReasonCounts {
        let array = PerCpuArray::<_, PathStats>::try_from(Map::PerCpuArray(self.open(map::PATH_STATS)))
            .expect("a per-CPU array of path statistics");
        let mut counts = ReasonCounts::new();
        for port in 0..=PORTS {
            for reason in PathReason::ALL {
                let values =
                    array.get(&path_stats_index(port, reason.0), 0).expect("the map has room for all ports");
                let packets: u64 = values.iter().map(|value| value.packets).sum();
                if packets > 0 {
                    *counts.entry(reason.name()).or_default() += packets;
                }
            }
        }
        counts
    }

    /// Packets with one reason so far.
    ///
    /// # Panics
    ///
    /// When the map is not pinned.
    pub fn packets(&self, reason: PathReason) -> u64 {
        self.reasons().get(reason.name()).copied().unwrap_or_default()
    }

    /// A counter so far.
    ///
    /// # Panics
    ///
    /// When the map is not pinned.
    pub fn counter(&self, counter: Counter) -> u64 {
        let array = PerCpuArray::<_, u64>::try_from(Map::PerCpuArray(self.open(map::COUNTERS)))
            .expect("a per-CPU array of counters");
        array.get(&counter.0, 0).expect("the map has room for all counters").iter().sum()
    }

    /// Every counter so far, by name, zeros left out.
    ///
    /// # Panics
    ///
    /// When the map is not pinned.
    pub fn counters(&self) -> BTreeMap<&'static str, u64> {
        Counter::ALL
            .iter()
            .map(|&counter| (counter.name(), self.counter(counter)))
            .filter(|&(_, count)| count > 0)
            .collect()
    }

    /// Every live flow.
    ///
    /// # Panics
    ///
    /// When the maps are not pinned.
    pub fn flows(&self) -> Vec<Flow> {
        let info: AbiInfo = self.array_entry(map::ABI, 0);
        let v4 = Array::<_, FlowV4>::try_from(Map::Array(self.open(map::FLOWS_V4))).expect("IPv4 flows");
        let v6 = Array::<_, FlowV6>::try_from(Map::Array(self.open(map::FLOWS_V6))).expect("IPv6 flows");
        let v4 =
            (0..info.flow_slots_v4).map(|slot| v4.get(&slot, 0).expect("the slot is there")).map(|flow| {
                Flow {
                    sides: [0, 1].map(|side| {
                        let address = Ipv4Addr::from(flow.address[side].to_ne_bytes());
                        SocketAddr::new(IpAddr::V4(address), u16::from_be(flow.port[side]))
                    }),
                    control: Control(flow.control),
                    state: flow.state,
                }
            });
        let v6 =
            (0..info.flow_slots_v6).map(|slot| v6.get(&slot, 0).expect("the slot is there")).map(|flow| {
                Flow {
                    sides: [0, 1].map(|side| {
                        let octets: [u8; 16] = bytemuck::cast(flow.address[side]);
                        SocketAddr::new(IpAddr::V6(Ipv6Addr::from(octets)), u16::from_be(flow.port[side]))
                    }),
                    control: Control(flow.control),
                    state: flow.state,
                }
            });
        v4.chain(v6).filter(|flow| flow.control.state() == Control::LIVE).collect()
    }

    /// The flow that has this endpoint, if there is one.
    ///
    /// # Panics
    ///
    /// When the maps are not pinned.
    pub fn flow_of(&self, endpoint: SocketAddr) -> Option<Flow> {
        self.flows().into_iter().find(|flow| flow.sides.contains(&endpoint))
    }

    /// The events that wait in the ring buffer. Nobody else may read it at the same time: stop the daemon first.
    ///
    /// # Panics
    ///
    /// When the map is not pinned.
    pub fn events(&self) -> Vec<PacketEvent> {
        let mut ring =
            RingBuf::try_from(Map::RingBuf(self.open(map::EVENTS))).expect("a ring buffer of events");
        let mut events = Vec::new();
        while let Some(item) = ring.next() {
            events.push(bytemuck::pod_read_unaligned(&item));
        }
        events
    }
}

/// What was counted between two readings.
pub fn moved(before: &ReasonCounts, after: &ReasonCounts) -> ReasonCounts {
    after
        .iter()
        .map(|(&name, &count)| (name, count - before.get(name).copied().unwrap_or_default()))
        .filter(|&(_, count)| count > 0)
        .collect()
}
