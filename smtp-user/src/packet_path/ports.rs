//! The gateway interfaces in the kernel's port table.

use aya::maps::xdp::{DevMap, XdpMapError};
use aya::maps::{Array, MapData};
use smtp_common::abi::{MAX_PORTS, map};
use smtp_common::port::{self, PORT_XDP, Port};

use crate::packet_path::error::{PacketPathError, Result};
use crate::packet_path::interface::Interface;
use crate::packet_path::maps::{Maps, failed};

/// Why a port has the hook it has; kept in [`Port::why`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum HookReason {
    /// `hook = "xdp"`.
    ForcedXdp = 1,
    /// `hook = "tc"`.
    ForcedTc = 2,
    /// A device with a driver hands over frames.
    Driver = 3,
    /// A virtual device hands over socket buffers.
    Virtual = 4,
    /// VLAN devices stand on it.
    Vlan = 5,
    /// The driver refused native XDP.
    Refused = 6,
}

impl HookReason {
    /// One sentence.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::ForcedXdp => "forced by hook = \"xdp\"",
            Self::ForcedTc => "forced by hook = \"tc\"",
            Self::Driver => "auto: the device's driver hands over frames",
            Self::Virtual => {
                "auto: a virtual device hands over socket buffers, and TC keeps large ones whole"
            }
            Self::Vlan => {
                "auto: VLAN devices stand on it, and hardware may take tags off before XDP sees them"
            }
            Self::Refused => "auto: the driver refused native XDP",
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::ForcedXdp),
            2 => Some(Self::ForcedTc),
            3 => Some(Self::Driver),
            4 => Some(Self::Virtual),
            5 => Some(Self::Vlan),
            6 => Some(Self::Refused),
            _ => None,
        }
    }
}

/// Ports, by number.
pub fn list(maps: &Maps) -> Result<Vec<Port>> {
    let table: Array<MapData, Port> = maps.array(map::PORTS)?;
    let mut ports = Vec::new();
    for number in 1..=MAX_PORTS as u8 {
        let port = table.get(&port::slot_of_number(number), 0).map_err(|error| failed(map::PORTS, error))?;
        if port.ifindex != 0 {
            ports.push(port);
        }
    }
    Ok(ports)
}

/// A port's name.
pub fn name(port: &Port) -> String {
    let end = port.name.iter().position(|&octet| octet == 0).unwrap_or(port.name.len());
    String::from_utf8_lossy(port.name.get(..end).unwrap_or_default()).into_owned()
}

/// A name as [`Port::name`] has it.
pub fn name_octets(name: &str) -> [u8; 16] {
    let mut octets = [0; 16];
    for (to, from) in octets.iter_mut().zip(name.bytes().take(15)) {
        *to = from;
    }
    octets
}

/// A port's hook, and why.
pub fn hook(port: &Port) -> (&'static str, String) {
    let hook = if port.flags & PORT_XDP != 0 { "xdp" } else { "tc" };
    let why = HookReason::from_code(port.why).map_or("unknown", HookReason::explanation);
    (hook, why.to_owned())
}

/// The port of an interface. Its number is the one it has had by this name, else the lowest free one.
pub fn of(interface: &Interface, ports: &[Port], flags: u16, why: HookReason) -> Result<Port> {
    let known = ports.iter().find(|port| name(port) == interface.name).map(|port| port.number);
    let free = || (1..=MAX_PORTS as u8).find(|number| ports.iter().all(|port| port.number != *number));
    let Some(number) = known.or_else(free) else {
        return Err(PacketPathError::NoPort { name: interface.name.clone(), reason: "there are 64 already" });
    };
    let clash = ports
        .iter()
        .any(|port| port.number != number && port::slot(port.ifindex) == port::slot(interface.index));
    if clash {
        return Err(PacketPathError::NoPort {
            name: interface.name.clone(),
            reason: "another gateway interface has an index that is the same modulo 1024; make the device anew",
        });
    }
    Ok(Port {
        ifindex: interface.index,
        mtu: interface.mtu,
        mac: interface.mac,
        number,
        why: why as u8,
        flags,
        pad2: [0; 6],
        name: name_octets(&interface.name),
    })
}

/// Writes a port; what stood under its number before is removed.
pub fn put(maps: &Maps, port: &Port) -> Result<()> {
    let mut table: Array<MapData, Port> = maps.array(map::PORTS)?;
    let set = |table: &mut Array<MapData, Port>, slot, value: Port| {
        table.set(slot, value, 0).map_err(|error| failed(map::PORTS, error))
    };
    let by_number = port::slot_of_number(port.number);
    let before = table.get(&by_number, 0).map_err(|error| failed(map::PORTS, error))?;
    if before.ifindex != 0 && before.ifindex != port.ifindex {
        set(&mut table, port::slot(before.ifindex), EMPTY)?;
    }
    set(&mut table, by_number, *port)?;
    set(&mut table, port::slot(port.ifindex), *port)?;
    let mut egress =
        DevMap::try_from(maps.map(map::TX_PORTS)?).map_err(|error| failed(map::TX_PORTS, error))?;
    egress.set(u32::from(port.number), port.ifindex, None, 0).map_err(|error| match error {
        XdpMapError::MapError(error) => failed(map::TX_PORTS, error),
        refused @ XdpMapError::ChainedProgramNotSupported => PacketPathError::map(map::TX_PORTS, refused),
    })
}

/// Takes a port out of the table.
pub fn remove(maps: &Maps, port: &Port) -> Result<()> {
    let mut table: Array<MapData, Port> = maps.array(map::PORTS)?;
    for slot in [port::slot(port.ifindex), port::slot_of_number(port.number)] {
        table.set(slot, EMPTY, 0).map_err(|error| failed(map::PORTS, error))?;
    }
    Ok(())
}

const EMPTY: Port =
    Port { ifindex: 0, mtu: 0, mac: [0; 6], number: 0, why: 0, flags: 0, pad2: [0; 6], name: [0; 16] };
