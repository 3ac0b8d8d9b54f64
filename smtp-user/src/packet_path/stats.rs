//! Counters, added up over CPUs.

use aya::maps::MapData;
use aya::maps::PerCpuArray;
use smtp_common::abi::{MAX_PORTS, map};
use smtp_common::packet_path::PathReason;
use smtp_common::stats::{Counter, PathStats, RuleStats, path_stats_index};

use crate::packet_path::error::Result;
use crate::packet_path::maps::{Maps, failed};

/// What one port saw for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathCount {
    /// Port number plus one; 0 is "no port".
    pub port: u8,
    /// The reason, and so the path.
    pub reason: PathReason,
    /// The counters.
    pub stats: PathStats,
}

/// Packets by port and reason; those that saw none are left out.
pub fn path_counts(maps: &Maps) -> Result<Vec<PathCount>> {
    let table: PerCpuArray<MapData, PathStats> = maps.per_cpu_array(map::PATH_STATS)?;
    let mut counts = Vec::new();
    for port in 0..=MAX_PORTS as u8 {
        for &reason in PathReason::ALL {
            let index = path_stats_index(port, reason.0);
            let values = table.get(&index, 0).map_err(|error| failed(map::PATH_STATS, error))?;
            let stats = values.iter().fold(PathStats::default(), |sum, cpu| PathStats {
                packets: sum.packets + cpu.packets,
                octets: sum.octets + cpu.octets,
                flows: sum.flows + cpu.flows,
            });
            if stats != PathStats::default() {
                counts.push(PathCount { port, reason, stats });
            }
        }
    }
    Ok(counts)
}

/// Every single counter.
pub fn counters(maps: &Maps) -> Result<Vec<(Counter, u64)>> {
    let table: PerCpuArray<MapData, u64> = maps.per_cpu_array(map::COUNTERS)?;
    Counter::ALL
        .iter()
        .map(|&counter| {
            let values = table.get(&counter.0, 0).map_err(|error| failed(map::COUNTERS, error))?;
            Ok((counter, values.iter().sum()))
        })
        .collect()
}

/// What rules matched, by id.
pub struct RuleCounts {
    table: PerCpuArray<MapData, RuleStats>,
}

impl RuleCounts {
    /// Opens the counters.
    pub fn open(maps: &Maps) -> Result<Self> {
        Ok(Self { table: maps.per_cpu_array(map::RULE_STATS)? })
    }

    /// Of the rule with this id.
    pub fn get(&self, id: u16) -> Result<RuleStats> {
        let values = self.table.get(&u32::from(id), 0).map_err(|error| failed(map::RULE_STATS, error))?;
        Ok(values.iter().fold(RuleStats::default(), |sum, cpu| RuleStats {
            hits: sum.hits + cpu.hits,
            packets: sum.packets + cpu.packets,
            octets: sum.octets + cpu.octets,
        }))
    }

    /// Sets the counters of an id to zero, before another rule gets it.
    pub fn reset(&mut self, id: u16) -> Result<()> {
        let cpus = aya::util::nr_cpus().unwrap_or(1);
        let zero = aya::maps::PerCpuValues::try_from(vec![RuleStats::default(); cpus])
            .map_err(|error| crate::packet_path::error::PacketPathError::map(map::RULE_STATS, error))?;
        self.table.set(u32::from(id), zero, 0).map_err(|error| failed(map::RULE_STATS, error))
    }
}
