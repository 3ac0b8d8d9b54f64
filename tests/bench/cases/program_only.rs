//! F4: the program alone, by `BPF_PROG_TEST_RUN` on the pinned program of a running gateway.
//!
//! The kernel replays one buffer. The program counts the TTL down, so a call is 250 runs from TTL 255; and
//! it writes the next hop's address where its own was, so here the two are the same. The last run's verdict
//! is looked at. That the program is attached keeps a call from patching it into
//! the dispatcher first.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use aya::programs::Xdp;
use aya::programs::xdp::XdpMode;
use aya::{TestRun as _, TestRunOptions};
use aya_obj::programs::XdpAttachType;
use smtp_common::abi;

use crate::frame::{Direction, Family, Protocol, TcpFlags, build, shortest};
use crate::gateway::Gateway;
use crate::interrupt;
use crate::lane::{GATEWAY_CLIENT_MAC, GATEWAY_SERVER, Lane, SERVERS, neighbours};
use crate::measure_object::{self, attach_xdp};
use crate::report::{Goal, Unit};
use crate::rig::Rig;
use crate::skipped::Skipped;
use crate::subject::Setup;

/// A kind of flow: what is sent first, from which side, and what is then repeated.
struct Flow {
    name: &'static str,
    family: Family,
    opening: &'static [(Protocol, Direction)],
    repeated: Protocol,
    goal: Option<Goal>,
}

/// All kinds of flows, with a drop in between as the harness's own floor.
pub(crate) fn run(rig: &mut Rig) -> Result<()> {
    let gateway = rig.subject(Setup::plain("xdp"))?;
    let Some(subject) = &gateway.subject else {
        return Err(Skipped::because("the program alone is measured for postern only"));
    };
    neighbours(&gateway.lane.gateway, GATEWAY_SERVER, GATEWAY_CLIENT_MAC, &SERVERS)?;
    let program = Xdp::from_pin(subject.program_pin(abi::program::XDP_INGRESS), XdpAttachType::Interface)?;
    for flow in &FLOWS {
        open(&program, &gateway, rig.cpu, flow)?;
    }
    // Held: see above.
    let _attached = gateway.lane.gateway.run(|| attach_xdp(&mut rig.ebpf, STICK, "lo", XdpMode::Skb))?;
    let (mut floor, mut constant) = (Vec::new(), Vec::new());
    let mut values = FLOWS.map(|_| Vec::new());
    for pair in 0..rig.pairs {
        for (flow, values) in FLOWS.iter().zip(&mut values) {
            let frame = frame(flow, flow.repeated, Direction::Forward)?;
            let ns = batch(&program, &gateway.lane, rig.cpu, &frame, XDP_REDIRECT)?;
            eprintln!("  F4 {}/{}: {}: {ns:.1} ns", pair + 1, rig.pairs, flow.name);
            values.push(ns);
        }
        let frame = frame(&FLOWS[0], Protocol::Udp, Direction::Forward)?;
        let drop = measure_object::xdp(&mut rig.ebpf, "xdp_sink")?;
        floor.push(batch(drop, &gateway.lane, rig.cpu, &frame, XDP_DROP)?);
        let stick = measure_object::xdp(&mut rig.ebpf, STICK)?;
        constant.push(batch(stick, &gateway.lane, rig.cpu, &frame, XDP_REDIRECT)?);
    }
    for (flow, values) in FLOWS.iter().zip(&values) {
        let what = format!("program alone, {}", flow.name);
        rig.report.measured("F4", what, Unit::Nanoseconds, values, flow.goal, "includes the floor below")?;
    }
    rig.report.measured(
        "F4",
        "floor: a program that counts and drops",
        Unit::Nanoseconds,
        &floor,
        None,
        "",
    )?;
    let what = "stick: one next hop for everything";
    rig.report.measured("F4", what, Unit::Nanoseconds, &constant, None, "how fast the machine is just now")
}

/// Makes the flow known from both sides.
fn open(program: &Xdp, gateway: &Gateway, cpu: usize, flow: &Flow) -> Result<()> {
    for &(protocol, direction) in flow.opening {
        let frame = frame(flow, protocol, direction)?;
        let (verdict, _) = run_once(program, &gateway.lane, cpu, &frame, direction, 1)?;
        ensure!(
            verdict == XDP_REDIRECT,
            "{}: {protocol:?} {direction:?} got verdict {verdict}, not redirect",
            flow.name
        );
    }
    Ok(())
}

/// Mean of many calls, nanoseconds a run.
fn batch(program: &Xdp, lane: &Lane, cpu: usize, frame: &[u8], expected: u32) -> Result<f64> {
    lane.gateway.run_on(cpu, || {
        let start = Instant::now();
        let (mut total, mut calls) = (0.0, 0_u32);
        while start.elapsed() < BATCH {
            interrupt::check()?;
            let (verdict, took) = test_run(program, frame, lane.gateway_client_if, RUNS)?;
            ensure!(
                verdict == expected,
                "verdict {verdict} instead of {expected}: not the path to be measured"
            );
            total += took.as_nanos() as f64;
            calls += 1;
        }
        Ok(total / f64::from(calls))
    })
}

fn run_once(
    program: &Xdp,
    lane: &Lane,
    cpu: usize,
    frame: &[u8],
    direction: Direction,
    runs: u32,
) -> Result<(u32, Duration)> {
    let ingress = match direction {
        Direction::Forward => lane.gateway_client_if,
        Direction::Reverse => lane.gateway_server_if,
    };
    lane.gateway.run_on(cpu, || test_run(program, frame, ingress, runs))
}

/// Runs the program as if the frame had come in by `ingress`.
fn test_run(program: &Xdp, frame: &[u8], ingress: u32, runs: u32) -> Result<(u32, Duration)> {
    // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
    let context = [0, u32::try_from(frame.len())?, 0, ingress, 0, 0];
    let options = TestRunOptions {
        data_in: Some(frame),
        ctx_in: Some(bytemuck::cast_slice(&context)),
        repeat: runs,
        ..TestRunOptions::default()
    };
    let result = program.test_run(options).context("BPF_PROG_TEST_RUN")?;
    Ok((result.return_value, result.duration))
}

fn frame(flow: &Flow, protocol: Protocol, direction: Direction) -> Result<Vec<u8>> {
    build(flow.family, protocol, direction, shortest(flow.family), 255, 20_000)
}

const UDP_OPENING: &[(Protocol, Direction)] =
    &[(Protocol::Udp, Direction::Forward), (Protocol::Udp, Direction::Reverse)];
const TCP_OPENING: &[(Protocol, Direction)] = &[
    (Protocol::Tcp(TcpFlags::Syn), Direction::Forward),
    (Protocol::Tcp(TcpFlags::SynAck), Direction::Reverse),
    (Protocol::Tcp(TcpFlags::Ack), Direction::Forward),
];
const ACK: Protocol = Protocol::Tcp(TcpFlags::Ack);
const GOAL_V4: Option<Goal> = Some(Goal::AtMost(80.0, 60.0));
const GOAL_V6: Option<Goal> = Some(Goal::AtMost(100.0, 60.0));

const FLOWS: [Flow; 4] = [
    Flow { name: "v4 UDP", family: Family::V4, opening: UDP_OPENING, repeated: Protocol::Udp, goal: GOAL_V4 },
    Flow { name: "v4 TCP", family: Family::V4, opening: TCP_OPENING, repeated: ACK, goal: GOAL_V4 },
    Flow { name: "v6 UDP", family: Family::V6, opening: UDP_OPENING, repeated: Protocol::Udp, goal: GOAL_V6 },
    Flow { name: "v6 TCP", family: Family::V6, opening: TCP_OPENING, repeated: ACK, goal: GOAL_V6 },
];

/// Runs a call: TTL 255 lasts for them.
const RUNS: u32 = 250;
/// Length of a batch of calls.
const BATCH: Duration = Duration::from_millis(300);
/// A program of another kind to compare with.
const STICK: &str = "xdp_const";
const XDP_DROP: u32 = 1;
const XDP_REDIRECT: u32 = 4;
