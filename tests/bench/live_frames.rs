//! Frames injected as a driver would (`BPF_F_TEST_XDP_LIVE_FRAMES`), and what a packet of them costs.
//!
//! Source, gateway and sink share one CPU, so nothing can overflow in between and the scheduler's count
//! of that CPU's threads is the whole chain.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use aya::maps::{Array, PerCpuArray};
use aya::{Ebpf, TestRun as _, TestRunAttrs, TestRunOptions};

use crate::frame::{self, Direction, Family, Protocol, TcpFlags};
use crate::interrupt;
use crate::lane::{CLIENT_MAC, GATEWAY_SERVER_MAC, Lane, SERVER_MAC};
use crate::layout::{Constant, SEEN_DELIVERED, SEEN_MISSED, Source};
use crate::measure_object;
use crate::schedstat::CpuClock;

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    /// IP version.
    pub(crate) family: Family,
    /// UDP, or TCP segments with these flags.
    pub(crate) tcp: Option<TcpFlags>,
    /// Flows, a power of two, visited in a permuted order.
    pub(crate) flows: u32,
    /// Octets of a frame.
    pub(crate) size: usize,
}

impl Workload {
    /// Short IPv4 UDP frames of this many flows.
    pub(crate) const fn short(flows: u32) -> Self {
        Self { family: Family::V4, tcp: None, flows, size: 60 }
    }

    /// One line for people.
    pub(crate) fn describe(&self) -> String {
        let family = if self.family == Family::V4 { "v4" } else { "v6" };
        let protocol = if self.tcp.is_some() { "TCP" } else { "UDP" };
        let flows = if self.flows == 1 { "1 flow".to_owned() } else { format!("{} flows", self.flows) };
        format!("{family} {protocol}, {} octets, {flows}", self.size)
    }
}

/// How long to send.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Extent {
    /// This many frames, rounded up to a batch.
    Frames(u32),
    /// At least this long, and every flow at least once.
    Time(Duration),
}

/// What a run did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Frames sent.
    pub(crate) sent: u64,
    /// Frames that reached the sink.
    pub(crate) delivered: u64,
    /// Frames a plain forwarder had no route for.
    pub(crate) missed: u64,
    /// CPU time of the whole chain.
    pub(crate) cpu_ns: u64,
    /// Time by the clock.
    pub(crate) wall: Duration,
    /// Whether the threads' time and the clock can both be right.
    pub(crate) accounted: bool,
}

/// Sends frames through a lane on one CPU.
pub(crate) fn drive(
    ebpf: &mut Ebpf,
    lane: &Lane,
    cpu: usize,
    workload: Workload,
    direction: Direction,
    extent: Extent,
) -> Result<Run> {
    let (ns, egress) = match direction {
        Direction::Forward => (&lane.client, lane.client_if),
        Direction::Reverse => (&lane.server, lane.server_if),
    };
    let protocol = workload.tcp.map_or(Protocol::Udp, Protocol::Tcp);
    let frame = frame::build(workload.family, protocol, direction, workload.size, 64, 0)?;
    aim(ebpf, &frame, workload, direction, egress)?;
    point_constant(ebpf, lane, direction)?;
    let before = [seen(ebpf, SEEN_DELIVERED)?, seen(ebpf, SEEN_MISSED)?];
    let name = if workload.family == Family::V4 { "source_v4" } else { "source_v6" };
    let program = measure_object::xdp(ebpf, name)?;
    let mut run = ns.run_on(cpu, || send(program, &frame, workload.flows, extent, cpu))?;
    run.delivered = settle(ebpf, before[0], run.sent)?;
    run.missed = seen(ebpf, SEEN_MISSED)? - before[1];
    Ok(run)
}

/// The sending loop, on a thread of its own.
fn send(program: &aya::programs::Xdp, frame: &[u8], flows: u32, extent: Extent, cpu: usize) -> Result<Run> {
    let clock = CpuClock::of_chain(cpu)?;
    let (cpu_start, busy_start, start) = (clock.now_ns()?, own_wait_and_run_ns()?, Instant::now());
    let mut sent: u64 = 0;
    loop {
        let repeat = match extent {
            Extent::Frames(frames) => frames.next_multiple_of(BATCH),
            Extent::Time(_) => FRAMES_PER_CALL,
        };
        let options = TestRunOptions {
            data_in: Some(frame),
            repeat,
            attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
            ..TestRunOptions::default()
        };
        let outcome = program.test_run(options);
        interrupt::check()?;
        outcome.context("BPF_PROG_TEST_RUN with live frames")?;
        sent += u64::from(repeat);
        match extent {
            Extent::Frames(_) => break,
            Extent::Time(least) if start.elapsed() >= least && sent >= u64::from(flows) => break,
            Extent::Time(_) => {}
        }
    }
    let wall = start.elapsed();
    // What ksoftirqd still has in hand belongs to the run.
    sleep(Duration::from_millis(2));
    let busy = Duration::from_nanos(own_wait_and_run_ns()? - busy_start);
    let cpu_ns = clock.now_ns()? - cpu_start;
    // The source never sleeps for long, so it either runs or waits for the CPU, unless interrupt time is
    // kept out of the threads' time.
    let accounted = wall < Duration::from_millis(500) || busy > wall / 2;
    Ok(Run { sent, delivered: 0, missed: 0, cpu_ns, wall, accounted })
}

/// Time the calling thread has run or waited to run.
fn own_wait_and_run_ns() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").context("reading schedstat")?;
    text.split_whitespace().take(2).map(|field| field.parse::<u64>().context("an odd schedstat")).sum()
}

/// Waits until the last frames are through, and says how many came.
fn settle(ebpf: &Ebpf, before: u64, sent: u64) -> Result<u64> {
    let deadline = Instant::now() + Duration::from_millis(200);
    loop {
        let delivered = seen(ebpf, SEEN_DELIVERED)? - before;
        if delivered >= sent || Instant::now() > deadline {
            return Ok(delivered);
        }
        sleep(Duration::from_millis(1));
    }
}

/// Tells the source what to write.
fn aim(ebpf: &mut Ebpf, frame: &[u8], workload: Workload, direction: Direction, egress: u32) -> Result<()> {
    ensure!(workload.flows.is_power_of_two(), "flows must be a power of two");
    let mut octets = [0; 80];
    let length = frame.len().min(octets.len());
    octets[..length].copy_from_slice(&frame[..length]);
    let source = Source {
        sequence: 0,
        template: bytemuck::cast(octets),
        flow_mask: workload.flows - 1,
        egress,
        reverse: u32::from(direction == Direction::Reverse),
        tcp: u32::from(workload.tcp.is_some()),
    };
    let mut map: Array<_, Source> = ebpf.map_mut("SOURCE").context("no map SOURCE")?.try_into()?;
    Ok(map.set(0, source, 0)?)
}

/// Tells the constant forwarder where the far side of this lane is.
fn point_constant(ebpf: &mut Ebpf, lane: &Lane, direction: Direction) -> Result<()> {
    let (destination, source, ifindex) = match direction {
        Direction::Forward => (SERVER_MAC, GATEWAY_SERVER_MAC, lane.gateway_server_if),
        Direction::Reverse => (CLIENT_MAC, crate::lane::GATEWAY_CLIENT_MAC, lane.gateway_client_if),
    };
    let macs: [[u8; 6]; 2] = [destination, source];
    let constant = Constant { macs: bytemuck::cast(macs), ifindex };
    let mut map: Array<_, Constant> = ebpf.map_mut("CONSTANT").context("no map CONSTANT")?.try_into()?;
    Ok(map.set(0, constant, 0)?)
}

/// A counter of the measuring programs, all CPUs.
fn seen(ebpf: &Ebpf, slot: u32) -> Result<u64> {
    let map: PerCpuArray<_, u64> = ebpf.map("SEEN").context("no map SEEN")?.try_into()?;
    Ok(map.get(&slot, 0)?.iter().sum())
}

/// Frames a batch: well below the 256 slots of a veth ring.
const BATCH: u32 = 64;

/// Frames a call. The source also hangs on a loopback, which keeps it in the kernel's XDP dispatcher;
/// without that every call would begin with tens of milliseconds of patching it in.
const FRAMES_PER_CALL: u32 = 1 << 18;
