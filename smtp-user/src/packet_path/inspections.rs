//! The table of inspected flows: what the kernel program says of a new connection, and what the inspector says of
//! its dialogue.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use aya::maps::{HashMap, MapData, MapError};
use smtp_common::abi::map;
use smtp_common::flow::FlowMarks;
use smtp_common::inspection::{Inspection, InspectionKey};
use smtp_common::next_hop::mapped;
use smtp_common::stage::SmtpStage;
use tracing::debug;

use crate::model::flow_stages::FlowStages;
use crate::model::peers::Peers;
use crate::model::session_id::SessionId;
use crate::packet_path::clock;
use crate::packet_path::error::Result;
use crate::packet_path::maps::{Maps, failed};

/// The table.
#[derive(Debug)]
pub struct Inspections(HashMap<MapData, InspectionKey, Inspection>);

impl Inspections {
    /// Opens it.
    pub fn open(maps: &Maps) -> Result<Self> {
        Ok(Self(maps.hash_map(map::INSPECTIONS)?))
    }

    /// What is known of a flow; `None` when its entry had to make room for others.
    pub fn get(&self, originator: SocketAddr, next_hop: SocketAddr) -> Result<Option<Inspection>> {
        match self.0.get(&key(originator, next_hop), 0) {
            Ok(inspection) => Ok(Some(inspection)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(failed(map::INSPECTIONS, error)),
        }
    }

    /// Writes what is known of a flow.
    pub fn set(
        &mut self,
        originator: SocketAddr,
        next_hop: SocketAddr,
        inspection: &Inspection,
    ) -> Result<()> {
        self.0
            .insert(key(originator, next_hop), inspection, 0)
            .map_err(|error| failed(map::INSPECTIONS, error))
    }

    /// Forgets a flow that is over.
    pub fn remove(&mut self, originator: SocketAddr, next_hop: SocketAddr) -> Result<()> {
        match self.0.remove(&key(originator, next_hop)) {
            Err(error) if !is_missing(&error) => Err(failed(map::INSPECTIONS, error)),
            _ => Ok(()),
        }
    }

    /// Every flow that there is an entry of: originator, next hop, what is known.
    pub fn list(&self) -> Result<Vec<(SocketAddr, SocketAddr, Inspection)>> {
        self.0
            .iter()
            .map(|entry| {
                let (key, inspection) = entry.map_err(|error| failed(map::INSPECTIONS, error))?;
                let [originator, next_hop] = ends(&key);
                Ok((originator, next_hop, inspection))
            })
            .collect()
    }
}

/// The table in the inspector's hands.
///
/// Stages are published a few times a second: most sessions go through all of theirs in less, and each store would
/// cost a system call.
#[derive(Debug)]
pub struct MapStages {
    table: Mutex<Inspections>,
    /// What is yet to be published, by originator and next hop.
    waiting: Mutex<std::collections::HashMap<[SocketAddr; 2], Inspection>>,
}

impl MapStages {
    /// Opens the table.
    pub fn open(maps: &Maps) -> Result<Self> {
        Ok(Self { table: Mutex::new(Inspections::open(maps)?), waiting: Mutex::default() })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inspections) -> Result<T>) -> Option<T> {
        let mut inspections = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing is decided by this table: without it a session goes on, and `conns` says less.
        work(&mut inspections).inspect_err(|error| debug!(%error, "the table of inspected flows")).ok()
    }
}

impl FlowStages for MapStages {
    fn stage(&self, peers: &Peers, session: SessionId, stage: SmtpStage, marks: FlowMarks) {
        let inspection = Inspection {
            session: session.octets(),
            changed_ns: clock::now_ns(),
            ifindex: peers.interface_index,
            rule: peers.rule,
            policy: peers.policy,
            stage: stage.0,
            marks: marks.0,
            pad: [0; 6],
        };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert([peers.originator, peers.next_hop], inspection);
    }

    fn publish(&self) {
        // Both locks, in this order everywhere: what has been closed meanwhile must not come back.
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for ([originator, next_hop], inspection) in waiting.drain() {
            self.with(|table| table.set(originator, next_hop, &inspection));
        }
    }

    fn closed(&self, peers: &Peers) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(&[peers.originator, peers.next_hop]);
        self.with(|table| table.remove(peers.originator, peers.next_hop));
    }

    fn ingress(&self, originator: SocketAddr, next_hop: SocketAddr) -> Option<u32> {
        self.with(|table| table.get(originator, next_hop)).flatten().map(|found| found.ifindex)
    }
}

fn key(originator: SocketAddr, next_hop: SocketAddr) -> InspectionKey {
    InspectionKey {
        address: [octets(originator.ip()), octets(next_hop.ip())],
        port: [originator.port().to_be(), next_hop.port().to_be()],
    }
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => mapped(address.octets()),
        IpAddr::V6(address) => address.octets(),
    }
}

fn ends(key: &InspectionKey) -> [SocketAddr; 2] {
    let [a, b] = key.address.map(|octets| IpAddr::from(octets).to_canonical());
    let [a_port, b_port] = key.port.map(u16::from_be);
    [SocketAddr::new(a, a_port), SocketAddr::new(b, b_port)]
}

fn is_missing(error: &MapError) -> bool {
    matches!(error, MapError::KeyNotFound | MapError::ElementNotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_a_flow_survive_the_key() {
        for (a, b) in [("192.0.2.1:40000", "198.51.100.2:25"), ("[2001:db8::1]:40000", "[2001:db8::2]:465")] {
            let [a, b]: [SocketAddr; 2] = [a.parse().unwrap(), b.parse().unwrap()];
            assert_eq!(ends(&key(a, b)), [a, b]);
        }
    }
}
