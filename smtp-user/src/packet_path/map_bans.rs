//! Bans that the inspector asks for, in the kernel's table.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::model::source_bans::SourceBans;
use crate::packet_path::bans;
use crate::packet_path::maps::Maps;
use crate::packet_path::pins::Pins;

/// Opens the table for each ban: bans are few.
#[derive(Clone, Debug)]
pub struct MapBans {
    pins: Pins,
}

impl MapBans {
    /// In the maps below a folder.
    pub fn new(pins: Pins) -> Self {
        Self { pins }
    }
}

impl SourceBans for MapBans {
    fn ban(&self, source: IpAddr, time: Duration) -> Result<(), String> {
        let banned = Maps::open(&self.pins)
            .and_then(|maps| bans::add(&maps, IpNet::from(source.to_canonical()), Some(time)));
        banned.map_err(|error| error.to_string())
    }
}
