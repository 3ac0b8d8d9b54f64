//! The flow tables: listing, ending, and making room. The walk itself runs in the kernel.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use aya::maps::RingBuf;
use aya::programs::{SchedClassifier, TestRun as _, TestRunOptions};
use smtp_common::abi::{map, program};
use smtp_common::flow::{Control, FlowState, FlowV4, FlowV6};
use smtp_common::next_hop::mapped;
use smtp_common::packet_path::PathReason;
use smtp_common::walk::{STEP, WALK_EXPIRE, WALK_FLUSH, WALK_LIST, Walk};

use crate::model::session_id::SessionId;
use crate::packet_path::clock;
use crate::packet_path::error::{PacketPathError, Result};
use crate::packet_path::inspections::Inspections;
use crate::packet_path::maps::{Maps, failed};

/// A flow, as listed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow {
    /// Addresses by side.
    pub address: [IpAddr; 2],
    /// Ports by side, host order.
    pub port: [u16; 2],
    /// IP protocol.
    pub protocol: u8,
    /// Everything else. Stage and marks of an inspected flow are the inspector's.
    pub state: FlowState,
    /// Session of an inspected flow.
    pub session: Option<SessionId>,
}

impl Flow {
    /// Index of the side that opened the flow.
    pub fn initiator(&self) -> usize {
        self.state.marks.initiator() as usize
    }

    /// Takes over what the inspector says of it.
    fn ask(&mut self, inspections: &Inspections) {
        if self.state.reason != PathReason::RULE_INSPECT.0 {
            return;
        }
        let ([a, b], [port_a, port_b]) = (self.address, self.port);
        let (mut originator, mut next_hop) = (SocketAddr::new(a, port_a), SocketAddr::new(b, port_b));
        if self.initiator() == 1 {
            std::mem::swap(&mut originator, &mut next_hop);
        }
        // Without an answer the flow is listed all the same.
        if let Ok(Some(known)) = inspections.get(originator, next_hop) {
            self.state.stage = known.stage;
            self.state.marks.0 |= known.marks;
            self.session = (known.session != [0; 16]).then(|| SessionId::from_octets(known.session));
        }
    }
}

/// What a walk met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WalkCount {
    /// Live flows.
    pub live: u32,
    /// Of these, those seen from one side only.
    pub unconfirmed: u32,
    /// Flows ended.
    pub freed: u32,
}

/// Every live flow, handed to `each`; IPv4 first.
pub fn list(maps: &Maps, mut each: impl FnMut(Flow)) -> Result<WalkCount> {
    let _guard = walker(maps)?;
    let mut ring = RingBuf::try_from(maps.map(map::WALKED)?).map_err(|error| failed(map::WALKED, error))?;
    // Whatever another walk left behind.
    while ring.next().is_some() {}
    let slots = maps.abi()?;
    // Gateways that inspect nothing have none in use; a look-up is made for inspected flows only.
    let inspections = Inspections::open(maps)?;
    let mut count = WalkCount::default();
    for (name, slots) in [(program::WALK_V4, slots.flow_slots_v4), (program::WALK_V6, slots.flow_slots_v6)] {
        walk(maps, name, slots, WALK_LIST, &mut count, &mut || {
            while let Some(item) = ring.next() {
                if let Some(mut flow) = read(&item) {
                    flow.ask(&inspections);
                    each(flow);
                }
            }
        })?;
    }
    Ok(count)
}

/// Counts live flows.
pub fn count(maps: &Maps) -> Result<WalkCount> {
    whole(maps, 0)
}

/// Ends flows whose time is over.
pub fn expire(maps: &Maps) -> Result<WalkCount> {
    whole(maps, WALK_EXPIRE)
}

/// Ends every flow.
pub fn flush(maps: &Maps) -> Result<WalkCount> {
    whole(maps, WALK_FLUSH)
}

/// The packet path's clock, tick.
pub fn now(maps: &Maps) -> Result<u32> {
    let _guard = walker(maps)?;
    look(maps).map(|walk| walk.now)
}

/// Jiffies a second of this kernel, found by watching them for a moment.
pub fn measure_hz(maps: &Maps) -> Result<u32> {
    const MOMENT: std::time::Duration = std::time::Duration::from_millis(200);
    let _guard = walker(maps)?;
    let (began, first) = (clock::now_ns(), look(maps)?.jiffies);
    std::thread::sleep(MOMENT);
    let (ended, last) = (clock::now_ns(), look(maps)?.jiffies);
    let measured = last.saturating_sub(first) * 1_000_000_000 / (ended - began).max(1);
    // Kernels are built for one of these.
    let hz = [100_u32, 250, 300, 1000].into_iter().min_by_key(|hz| u64::from(*hz).abs_diff(measured));
    Ok(hz.unwrap_or(250))
}

/// A walk over nothing: it only tells the time.
fn look(maps: &Maps) -> Result<Walk> {
    let mut count = WalkCount::default();
    walk(maps, program::WALK_V4, 0, 0, &mut count, &mut || {})?;
    maps.array::<Walk>(map::WALK)?.get(&0, 0).map_err(|error| failed(map::WALK, error))
}

fn whole(maps: &Maps, flags: u32) -> Result<WalkCount> {
    let _guard = walker(maps)?;
    let slots = maps.abi()?;
    let mut count = WalkCount::default();
    walk(maps, program::WALK_V4, slots.flow_slots_v4, flags, &mut count, &mut || {})?;
    walk(maps, program::WALK_V6, slots.flow_slots_v6, flags, &mut count, &mut || {})?;
    Ok(count)
}

/// One walk at a time.
fn walker(maps: &Maps) -> Result<std::fs::File> {
    maps.pins().wait_for(LOCK)
}

/// Folder that is locked while a walk runs.
const LOCK: &str = "walk_lock";

/// Runs of the program in one system call.
const RUNS: u32 = 512;

fn walk(
    maps: &Maps,
    name: &'static str,
    slots: u32,
    flags: u32,
    count: &mut WalkCount,
    drain: &mut dyn FnMut(),
) -> Result<()> {
    let failed_program = |error: aya::programs::ProgramError| PacketPathError::Program {
        name: name.to_owned(),
        source: error.into(),
    };
    let walker = SchedClassifier::from_pin(maps.pins().program(name)).map_err(failed_program)?;
    let mut state = maps.array::<Walk>(map::WALK)?;
    let zero = Walk {
        // A walk over nothing starts behind the end.
        cursor: if slots == 0 { u32::MAX } else { 0 },
        flags,
        ..bytemuck::Zeroable::zeroed()
    };
    state.set(0, zero, 0).map_err(|error| failed(map::WALK, error))?;
    // The kernel wants a frame to run the program on; the program does not look at it.
    let frame = [0_u8; 64];
    loop {
        let mut options = TestRunOptions::new();
        options.data_in = Some(&frame);
        options.repeat = RUNS.min(slots.div_ceil(STEP)).max(1);
        walker.test_run(options).map_err(failed_program)?;
        drain();
        let mut now = state.get(&0, 0).map_err(|error| failed(map::WALK, error))?;
        if now.cursor >= slots {
            count.live += now.live;
            count.freed += now.freed;
            count.unconfirmed += now.unconfirmed;
            return Ok(());
        }
        if now.blocked != 0 {
            now.blocked = 0;
            state.set(0, now, 0).map_err(|error| failed(map::WALK, error))?;
        }
    }
}

/// A flow from the octets of its entry.
fn read(octets: &[u8]) -> Option<Flow> {
    if octets.len() == size_of::<FlowV4>() {
        let entry: FlowV4 = bytemuck::pod_read_unaligned(octets);
        let [a, b] = entry.address.map(|address| Ipv6Addr::from(mapped(address.to_ne_bytes())));
        return Some(flow([a, b], entry.port, entry.control, entry.state));
    }
    if octets.len() == size_of::<FlowV6>() {
        let entry: FlowV6 = bytemuck::pod_read_unaligned(octets);
        let [a, b] =
            entry.address.map(|address| Ipv6Addr::from(bytemuck::must_cast::<[u64; 2], [u8; 16]>(address)));
        return Some(flow([a, b], entry.port, entry.control, entry.state));
    }
    None
}

fn flow(address: [Ipv6Addr; 2], port: [u16; 2], control: u32, state: FlowState) -> Flow {
    Flow {
        address: address.map(|address| IpAddr::V6(address).to_canonical()),
        port: port.map(u16::from_be),
        protocol: Control(control).protocol(),
        state,
        session: None,
    }
}
