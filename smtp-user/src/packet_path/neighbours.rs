//! The next hop table: what the kernel program has resolved, kept true while neighbours change.

use std::net::{IpAddr, Ipv6Addr};

use aya::maps::{Array, HashMap, MapData};
use smtp_common::abi::map;
use smtp_common::next_hop::{NEXT_HOP_VALID, NEXT_HOP_XDP_TX, NextHop, NextHopKey, mapped};
use smtp_common::port::{PORT_XDP_TX, Port};

use crate::packet_path::error::Result;
use crate::packet_path::maps::{Maps, failed};

/// The next hop table.
pub struct NextHops {
    index: HashMap<MapData, NextHopKey, u32>,
    table: Array<MapData, NextHop>,
}

impl NextHops {
    /// Opens it.
    pub fn open(maps: &Maps) -> Result<Self> {
        Ok(Self { index: maps.hash_map(map::NEXT_HOP_INDEX)?, table: maps.array(map::NEXT_HOPS)? })
    }

    /// A neighbour has this MAC address now, or none. True when flows use it and it was another.
    pub fn update(&mut self, ifindex: u32, address: IpAddr, mac: Option<[u8; 6]>) -> Result<bool> {
        let Ok(index) = self.index.get(&key(ifindex, address), 0) else {
            return Ok(false);
        };
        let mut hop = self.table.get(&index, 0).map_err(|error| failed(map::NEXT_HOPS, error))?;
        let before = hop;
        match mac {
            Some(mac) => {
                hop.flags |= NEXT_HOP_VALID;
                for (to, from) in hop.macs.iter_mut().zip(mac) {
                    *to = from;
                }
            }
            None => hop.flags &= !NEXT_HOP_VALID,
        }
        if (before.macs, before.flags) == (hop.macs, hop.flags) {
            return Ok(false);
        }
        self.table.set(index, hop, 0).map_err(|error| failed(map::NEXT_HOPS, error))?;
        Ok(true)
    }

    /// A port has another MAC address, MTU or way to send.
    pub fn update_port(&mut self, port: &Port) -> Result<()> {
        for (_, index, mut hop) in self.list()? {
            if hop.port != port.number {
                continue;
            }
            hop.ifindex = port.ifindex;
            hop.mtu = port.mtu;
            hop.flags &= !NEXT_HOP_XDP_TX;
            if port.flags & PORT_XDP_TX != 0 {
                hop.flags |= NEXT_HOP_XDP_TX;
            }
            for (to, from) in hop.macs.iter_mut().skip(6).zip(port.mac) {
                *to = from;
            }
            self.table.set(index, hop, 0).map_err(|error| failed(map::NEXT_HOPS, error))?;
        }
        Ok(())
    }

    /// Every next hop with its index.
    pub fn list(&self) -> Result<Vec<(NextHopKey, u32, NextHop)>> {
        self.index
            .iter()
            .map(|entry| {
                let (key, index) = entry.map_err(|error| failed(map::NEXT_HOP_INDEX, error))?;
                let hop = self.table.get(&index, 0).map_err(|error| failed(map::NEXT_HOPS, error))?;
                Ok((key, index, hop))
            })
            .collect()
    }
}

/// Every next hop with its index.
pub fn list(maps: &Maps) -> Result<Vec<(NextHopKey, u32, NextHop)>> {
    NextHops::open(maps)?.list()
}

/// A next hop's address.
pub fn address(key: &NextHopKey) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from(key.address)).to_canonical()
}

fn key(ifindex: u32, address: IpAddr) -> NextHopKey {
    let address = match address {
        IpAddr::V4(v4) => mapped(v4.octets()),
        IpAddr::V6(v6) => v6.octets(),
    };
    NextHopKey { address, ifindex }
}
