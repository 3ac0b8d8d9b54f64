//! Typed views of the pinned maps.

use std::error::Error;
use std::io::ErrorKind;

use aya::Pod;
use aya::maps::{Array, HashMap, LpmTrie, Map, MapData, MapError, PerCpuArray};
use smtp_common::abi::{self, AbiInfo, map};
use smtp_common::heartbeat::{Heartbeat, is_fresh};
use smtp_common::settings::{Active, GatewaySettings};

use crate::packet_path::clock;
use crate::packet_path::error::{PacketPathError, Result, is_permission};
use crate::packet_path::pins::Pins;

/// The pinned maps of one gateway, of a layout this binary speaks.
#[derive(Clone, Debug)]
pub struct Maps {
    pins: Pins,
}

/// The map of signs of life, open.
pub struct HeldHeartbeat(Array<MapData, Heartbeat>);

impl HeldHeartbeat {
    /// Writes signs of life.
    pub fn set(&mut self, beat: &Heartbeat) -> Result<()> {
        self.0.set(0, *beat, 0).map_err(|error| failed(map::HEARTBEAT, error))
    }
}

/// The map of the word that says which policy and which routes are valid, open.
pub struct HeldActive(Array<MapData, u64>);

impl HeldActive {
    /// The word.
    pub fn get(&self) -> Result<Active> {
        self.0.get(&0, 0).map(Active).map_err(|error| failed(map::ACTIVE, error))
    }

    /// Has every flow decided again at its next packet, by the same policy.
    pub fn raise_route_generation(&mut self) -> Result<()> {
        let next = self.get()?.next_route();
        self.0.set(0, next.0, 0).map_err(|error| failed(map::ACTIVE, error))
    }
}

impl Maps {
    /// Opens them, after a look at their version.
    pub fn open(pins: &Pins) -> Result<Self> {
        if !pins.exist() {
            // A folder that may not be entered looks as if it were not there.
            return match std::fs::metadata(pins.dir()) {
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    Err(PacketPathError::NoRights { what: format!("look into {}", pins.dir().display()) })
                }
                _ => Err(PacketPathError::NotLoaded { dir: pins.dir().to_owned() }),
            };
        }
        let maps = Self { pins: pins.clone() };
        let found = maps.abi()?.version;
        if found == abi::ABI_VERSION {
            Ok(maps)
        } else {
            Err(PacketPathError::OtherVersion {
                dir: pins.dir().to_owned(),
                found,
                expected: abi::ABI_VERSION,
            })
        }
    }

    /// Those that a loader is about to fill.
    pub(in crate::packet_path) fn of_new(pins: &Pins) -> Self {
        Self { pins: pins.clone() }
    }

    /// The pin folder.
    pub fn pins(&self) -> &Pins {
        &self.pins
    }

    /// Version and sizes.
    pub fn abi(&self) -> Result<AbiInfo> {
        self.single(map::ABI)
    }

    /// Writes version and sizes.
    pub fn set_abi(&self, abi: &AbiInfo) -> Result<()> {
        self.set_single(map::ABI, *abi)
    }

    /// Tunables.
    pub fn settings(&self) -> Result<GatewaySettings> {
        self.single(map::SETTINGS)
    }

    /// Changes the tunables.
    pub fn set_settings(&self, settings: &GatewaySettings) -> Result<()> {
        self.set_single(map::SETTINGS, *settings)
    }

    /// The word that says which policy and which routes are valid.
    pub fn active(&self) -> Result<Active> {
        self.single(map::ACTIVE).map(Active)
    }

    /// Makes a policy and a view of the routes valid, by one store.
    pub fn set_active(&self, active: Active) -> Result<()> {
        self.set_single(map::ACTIVE, active.0)
    }

    /// Has every flow decided again at its next packet, by the same policy.
    pub fn raise_route_generation(&self) -> Result<()> {
        self.hold_active()?.raise_route_generation()
    }

    /// Signs of life.
    pub fn heartbeat(&self) -> Result<Heartbeat> {
        self.single(map::HEARTBEAT)
    }

    /// Writes signs of life.
    pub fn set_heartbeat(&self, beat: &Heartbeat) -> Result<()> {
        self.set_single(map::HEARTBEAT, *beat)
    }

    /// The map of signs of life, for whoever gives them again and again.
    pub fn hold_heartbeat(&self) -> Result<HeldHeartbeat> {
        self.array(map::HEARTBEAT).map(HeldHeartbeat)
    }

    /// The map of the word that says what is valid, for whoever looks at it again and again.
    pub fn hold_active(&self) -> Result<HeldActive> {
        self.array(map::ACTIVE).map(HeldActive)
    }

    /// Process of the daemon, if it is alive.
    pub fn daemon(&self) -> Result<Option<u32>> {
        let beat = self.heartbeat()?;
        Ok(is_fresh(beat.daemon_ns, clock::now_ns()).then_some(beat.pid))
    }

    /// An array by name.
    pub fn array<V: Pod>(&self, name: &'static str) -> Result<Array<MapData, V>> {
        Array::try_from(self.map(name)?).map_err(|error| failed(name, error))
    }

    /// A per-CPU array by name.
    pub fn per_cpu_array<V: Pod>(&self, name: &'static str) -> Result<PerCpuArray<MapData, V>> {
        PerCpuArray::try_from(self.map(name)?).map_err(|error| failed(name, error))
    }

    /// A hash map by name.
    pub fn hash_map<K: Pod, V: Pod>(&self, name: &'static str) -> Result<HashMap<MapData, K, V>> {
        HashMap::try_from(self.map(name)?).map_err(|error| failed(name, error))
    }

    /// A longest-prefix table by name.
    pub fn lpm_trie<K: Pod, V: Pod>(&self, name: &'static str) -> Result<LpmTrie<MapData, K, V>> {
        LpmTrie::try_from(self.map(name)?).map_err(|error| failed(name, error))
    }

    /// A map of any kind by name.
    pub fn map(&self, name: &'static str) -> Result<Map> {
        let data = MapData::from_pin(self.pins.map(name)).map_err(|error| failed(name, error))?;
        Map::from_map_data(data).map_err(|error| failed(name, error))
    }

    fn single<V: Pod>(&self, name: &'static str) -> Result<V> {
        self.array(name)?.get(&0, 0).map_err(|error| failed(name, error))
    }

    fn set_single<V: Pod>(&self, name: &'static str, value: V) -> Result<()> {
        self.array(name)?.set(0, value, 0).map_err(|error| failed(name, error))
    }
}

/// A failed operation on a map; missing rights are told apart.
pub fn failed(name: &'static str, error: MapError) -> PacketPathError {
    let source: Box<dyn Error + Send + Sync> = Box::new(error);
    if is_permission(source.as_ref()) {
        PacketPathError::NoRights { what: format!("use the map {name}") }
    } else {
        PacketPathError::Map { name, source }
    }
}
