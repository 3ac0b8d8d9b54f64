//! F7: one TCP stream between two stacks through the gateway, by iperf3.

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::stacks::{Comparison, Work, compare};
use crate::gateway::{Gateway, Kind};
use crate::interrupt;
use crate::lane::Offloads;
use crate::netns::require;
use crate::report::Goal;
use crate::rig::Rig;
use crate::schedstat::{children_ns, ksoftirqd_ns, process_ns};
use crate::skipped::Skipped;
use crate::subject::Setup;

/// The automatic choice (TC on veth) with all offloads; XDP where checksums must be whole.
pub(crate) fn run(rig: &mut Rig) -> Result<()> {
    require("iperf3").map_err(|error| Skipped::because(error.to_string()))?;
    let auto = Comparison {
        case: "F7",
        amount: "octet",
        offloads: Offloads::Full,
        subject: rig.subject_kind(Setup::plain("auto")),
        peers: vec![
            (Kind::Conntrack, Some(Goal::AtLeast(1.0, 1.2))),
            (Kind::Kernel, Some(Goal::AtLeast(0.9, 1.0))),
        ],
        note: "bulk TCP, hook auto, all offloads",
    };
    let xdp = Comparison {
        offloads: Offloads::WholeChecksums,
        subject: rig.subject_kind(Setup::plain("xdp")),
        peers: vec![(Kind::Conntrack, None), (Kind::Kernel, None)],
        note: "bulk TCP, XDP forced on veth, tx offload off for all",
        ..auto.clone()
    };
    for comparison in [auto, xdp] {
        let (cpu, seconds) = (rig.cpu, rig.leg.as_secs_f64().ceil());
        compare(
            rig,
            &comparison,
            |gateway| Server::start(gateway, cpu),
            |gateway, server| transfer(gateway, server, cpu, seconds),
        )?;
    }
    Ok(())
}

/// One run of the client.
fn transfer(gateway: &Gateway, server: &Server, cpu: usize, seconds: f64) -> Result<Work> {
    let cpu_ns =
        || Ok::<u64, anyhow::Error>(children_ns()? + process_ns(server.0.id())? + ksoftirqd_ns(cpu)?);
    let before = cpu_ns()?;
    let text = gateway.lane.client.run_on(cpu, || {
        let (limit, time) = (format!("{}", seconds + 10.0), format!("{seconds}"));
        let output = Command::new("timeout")
            .args([&limit, "iperf3", "-J", "-c", "10.202.0.2", "-t", &time])
            .stdin(Stdio::null())
            .output()
            .context("starting iperf3")?;
        interrupt::check()?;
        ensure!(output.status.success(), "iperf3: {}", String::from_utf8_lossy(&output.stdout).trim());
        Ok(output.stdout)
    })?;
    let cpu_ns = cpu_ns()? - before;
    let result: Value = serde_json::from_slice(&text).context("reading iperf3's output")?;
    let sum = &result["end"]["sum_received"];
    let number = |key: &str| sum[key].as_f64().with_context(|| format!("iperf3 gave no {key}"));
    Ok(Work { cpu_ns, amount: number("bytes")?, seconds: number("seconds")? })
}

/// An iperf3 server, killed when dropped.
struct Server(Child);

impl Server {
    fn start(gateway: &Gateway, cpu: usize) -> Result<Self> {
        let server = gateway.lane.server.run_on(cpu, || {
            let mut command = Command::new("iperf3");
            command.arg("-s").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().map(Self).context("starting iperf3")
        })?;
        let deadline = Instant::now() + Duration::from_secs(5);
        // Answers on its own loopback before any traffic is to pass the gateway.
        while !gateway.lane.server.run(|| Ok(std::net::TcpStream::connect("127.0.0.1:5201").is_ok()))? {
            ensure!(Instant::now() < deadline, "the iperf3 server does not answer");
            sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
