//! Loads the kernel programs into pinned maps: new ones, or those another run left behind.

use std::fs;

use aya::programs::Program;
use aya::{Ebpf, EbpfLoader};
use smtp_common::abi::{ABI_VERSION, AbiInfo, MAPS, global, map, program};
use smtp_common::flow::HashKeys;
use smtp_common::heartbeat::Heartbeat;
use smtp_common::settings::GatewaySettings;
use smtp_common::tick;

use crate::packet_path::error::{PacketPathError, Result, is_permission};
use crate::packet_path::flows;
use crate::packet_path::maps::Maps;
use crate::packet_path::object::object;
use crate::packet_path::pins::Pins;

/// Slots of the flow tables, powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// IPv4.
    pub v4: u32,
    /// IPv6.
    pub v6: u32,
}

/// The programs, loaded, and their maps.
#[derive(Debug)]
pub struct Loaded {
    /// The object with its programs.
    pub ebpf: Ebpf,
    /// Their maps.
    pub maps: Maps,
    /// Whether the maps, and the flows in them, were there before.
    pub adopted: bool,
}

/// Loads the programs. Maps that are pinned already are taken over with their sizes if their layout is ours.
pub fn load(pins: &Pins, sizes: Sizes) -> Result<Loaded> {
    let object = object()?;
    pins.create()?;
    let before = before(pins)?;
    let adopted = before.is_some();
    let sizes = before.map_or(sizes, |abi| Sizes { v4: abi.flow_slots_v4, v6: abi.flow_slots_v6 });
    let loaded = load_into(pins, object, sizes, adopted);
    if loaded.is_err() && !adopted {
        // Nothing half made is left; the first error is the one to tell.
        let _ = pins.remove();
    }
    loaded
}

/// What an earlier run left behind, if it came so far.
fn before(pins: &Pins) -> Result<Option<AbiInfo>> {
    if !pins.exist() {
        return Ok(None);
    }
    match Maps::open(pins) {
        Ok(maps) => maps.abi().map(Some),
        // The version is written last: these maps were never used.
        Err(PacketPathError::OtherVersion { found: 0, .. }) => {
            pins.remove()?;
            pins.create()?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn load_into(pins: &Pins, object: &[u8], sizes: Sizes, adopted: bool) -> Result<Loaded> {
    let (mask_v4, mask_v6) = (sizes.v4 - 1, sizes.v6 - 1);
    let mut loader = EbpfLoader::new();
    loader
        .map_max_entries(map::FLOWS_V4, sizes.v4)
        .map_max_entries(map::FLOWS_V6, sizes.v6)
        .override_global(global::FLOW_MASK_V4, &mask_v4, true)
        .override_global(global::FLOW_MASK_V6, &mask_v6, true);
    for name in MAPS {
        loader.map_pin_path(name, pins.map(name));
    }
    let mut ebpf = loader.load(object).map_err(|error| refused("object", error))?;
    load_programs(&mut ebpf, pins)?;
    if !adopted {
        begin(pins, sizes)?;
    }
    Ok(Loaded { ebpf, maps: Maps::open(pins)?, adopted })
}

/// The programs, all at once: the kernel takes half a second to follow every way through a large one.
fn load_programs(ebpf: &mut Ebpf, pins: &Pins) -> Result<()> {
    let mut missing = vec![program::XDP_INGRESS, program::TC_INGRESS, program::WALK_V4, program::WALK_V6];
    let loaded = std::thread::scope(|scope| {
        let mut loading = Vec::new();
        for (name, program) in ebpf.programs_mut() {
            if let Some(at) = missing.iter().position(|wanted| *wanted == name) {
                let name = missing.swap_remove(at);
                let thread = std::thread::Builder::new();
                let load = move || load_one(program, name, pins);
                loading.push(thread.spawn_scoped(scope, load).map_err(|error| refused(name, error)));
            }
        }
        let wait = |thread: Result<std::thread::ScopedJoinHandle<'_, Result<()>>>| {
            thread?.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        loading.into_iter().map(wait).collect::<Vec<_>>()
    });
    loaded.into_iter().collect::<Result<()>>()?;
    match missing.first() {
        Some(name) => Err(refused(name, std::io::Error::from(std::io::ErrorKind::NotFound))),
        None => Ok(()),
    }
}

fn load_one(program: &mut Program, name: &str, pins: &Pins) -> Result<()> {
    let result = match program {
        Program::Xdp(program) => program.load(),
        Program::SchedClassifier(program) => program.load(),
        _ => return Ok(()),
    };
    result.map_err(|error| refused(name, error))?;
    pin(program, name, pins)
}

/// Pins a program in the place of an older one. The older one goes on where it is attached.
fn pin(program: &mut Program, name: &str, pins: &Pins) -> Result<()> {
    let path = pins.program(name);
    let fresh = pins.program(&format!("{name}_new"));
    let _ = fs::remove_file(&fresh);
    program.pin(&fresh).map_err(|error| refused(name, error))?;
    fs::rename(&fresh, &path).map_err(|source| PacketPathError::Pin { path, source })
}

/// Fills the single-entry maps of a new gateway; the version last.
fn begin(pins: &Pins, sizes: Sizes) -> Result<()> {
    let maps = Maps::of_new(pins);
    let mut keys = HashKeys::default();
    for key in &mut keys {
        // The flow hash is keyed, so that nobody outside can aim flows at one group of slots.
        let mut octets = [0_u8; 8];
        rustix::rand::getrandom(&mut octets, rustix::rand::GetRandomFlags::empty())
            .map_err(|error| PacketPathError::map(map::SETTINGS, error))?;
        *key = u64::from_ne_bytes(octets);
    }
    let mut settings = GatewaySettings::with_keys(keys);
    maps.set_settings(&settings)?;
    settings.ticks_per_jiffy = tick::ticks_per_jiffy(flows::measure_hz(&maps)?);
    maps.set_settings(&settings)?;
    maps.set_heartbeat(&Heartbeat { daemon_ns: 0, inspector_ns: 0, pid: 0, inspector_port: [0; 2] })?;
    maps.set_abi(&AbiInfo {
        version: ABI_VERSION,
        flow_slots_v4: sizes.v4,
        flow_slots_v6: sizes.v6,
        config_digest: 0,
    })
}

fn refused(name: &str, error: impl std::error::Error + Send + Sync + 'static) -> PacketPathError {
    if is_permission(&error) && !nix::unistd::geteuid().is_root() {
        return PacketPathError::NoRights { what: "load the kernel programs".to_owned() };
    }
    PacketPathError::Program { name: name.to_owned(), source: Box::new(error) }
}
