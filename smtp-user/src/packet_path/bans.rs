//! Banned sources in the kernel's table.

use std::net::IpAddr;
use std::time::Duration;

use aya::maps::lpm_trie::Key;
use aya::maps::{LpmTrie, MapData, MapError};
use ipnet::{IpNet, Ipv6Net};
use smtp_common::abi::map;
use smtp_common::ban::{Ban, BanKey};
use smtp_common::next_hop::mapped;

use crate::packet_path::clock;
use crate::packet_path::error::Result;
use crate::packet_path::maps::{Maps, failed};

/// A ban in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BanEntry {
    /// Whom it stops.
    pub prefix: IpNet,
    /// Time left; `None` for ever.
    pub left: Option<Duration>,
    /// Time since it began.
    pub age: Duration,
    /// Packets it stopped since then.
    pub packets: u64,
}

/// Bans a prefix, or renews its ban; flows that run are stopped at their next packet. `None`: for ever.
pub fn add(maps: &Maps, prefix: IpNet, time: Option<Duration>) -> Result<()> {
    let now = clock::now_ns();
    let until_ns =
        time.map_or(u64::MAX, |time| now.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)));
    let ban = Ban { until_ns, since_ns: now, packets: 0 };
    table(maps)?.insert(&key(prefix), ban, 0).map_err(|error| failed(map::BANNED, error))?;
    maps.raise_route_generation()
}

/// Lifts a ban. False when there was none on exactly this prefix.
pub fn remove(maps: &Maps, prefix: IpNet) -> Result<bool> {
    match table(maps)?.remove(&key(prefix)) {
        Ok(()) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(failed(map::BANNED, error)),
    }
}

/// Bans in force, by prefix.
pub fn list(maps: &Maps) -> Result<Vec<BanEntry>> {
    let now = clock::now_ns();
    let mut bans = Vec::new();
    for entry in &table(maps)? {
        let (key, ban) = entry.map_err(|error| failed(map::BANNED, error))?;
        if ban.in_force(now) {
            let left = (ban.until_ns != u64::MAX).then(|| Duration::from_nanos(ban.until_ns - now));
            let age = Duration::from_nanos(now.saturating_sub(ban.since_ns));
            bans.push(BanEntry { prefix: prefix(&key), left, age, packets: ban.packets });
        }
    }
    bans.sort_by_key(|ban| ban.prefix);
    Ok(bans)
}

/// Removes bans whose time is over. They stop nobody any more; this only makes room.
pub fn expire(maps: &Maps) -> Result<usize> {
    let now = clock::now_ns();
    let mut table = table(maps)?;
    let over: Vec<Key<BanKey>> = table
        .iter()
        .filter_map(Result::ok)
        .filter(|(_, ban)| !ban.in_force(now))
        .map(|(key, _)| key)
        .collect();
    for key in &over {
        table.remove(key).map_err(|error| failed(map::BANNED, error))?;
    }
    Ok(over.len())
}

fn table(maps: &Maps) -> Result<LpmTrie<MapData, BanKey, Ban>> {
    maps.lpm_trie(map::BANNED)
}

fn key(prefix: IpNet) -> Key<BanKey> {
    match prefix {
        IpNet::V4(net) => Key::new(96 + u32::from(net.prefix_len()), mapped(net.network().octets())),
        IpNet::V6(net) => Key::new(u32::from(net.prefix_len()), net.network().octets()),
    }
}

fn prefix(key: &Key<BanKey>) -> IpNet {
    let address = std::net::Ipv6Addr::from(key.data());
    let length = u8::try_from(key.prefix_len()).unwrap_or(128);
    match address.to_ipv4_mapped() {
        Some(v4) if length >= 96 => {
            ipnet::Ipv4Net::new(v4, length - 96).map_or_else(|_| IpAddr::V4(v4).into(), IpNet::V4)
        }
        _ => Ipv6Net::new(address, length).map_or_else(|_| IpAddr::V6(address).into(), IpNet::V6),
    }
}

fn is_missing(error: &MapError) -> bool {
    matches!(error, MapError::SyscallError(error) if error.io_error.kind() == std::io::ErrorKind::NotFound)
        || matches!(error, MapError::KeyNotFound)
}
