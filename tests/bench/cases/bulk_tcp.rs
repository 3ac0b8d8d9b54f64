//! F7: one TCP stream between two stacks through the gateway, by iperf3.

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::gateway::{Gateway, Kind};
use crate::host::Load;
use crate::interrupt;
use crate::lane::Offloads;
use crate::netns::require;
use crate::pairs::run_blocks;
use crate::report::{Goal, Unit};
use crate::rig::Rig;
use crate::skipped::Skipped;
use crate::subject::{Setup, Subject};

/// The automatic choice (TC on veth) with all offloads; XDP where checksums must be whole.
pub(crate) fn run(rig: &mut Rig) -> Result<()> {
    require("iperf3").map_err(|error| Skipped::because(error.to_string()))?;
    if rig.stand_in.is_some() {
        return Err(Skipped::because("bulk TCP is measured for postern only"));
    }
    let auto = Kind::Postern(Setup::plain("auto"));
    let rows = rates(rig, Offloads::Full, [auto, Kind::Conntrack, Kind::Kernel])?;
    let note = "rate by the clock, adjacent legs";
    let ratio: Vec<f64> = rows.iter().map(|row| row[0] / row[1]).collect();
    rig.report.measured(
        "F7",
        "subject (auto) / kernel+ct, bit/s",
        Unit::Times,
        &ratio,
        Some(Goal::AtLeast(1.0, 1.2)),
        note,
    )?;
    let ratio: Vec<f64> = rows.iter().map(|row| row[0] / row[2]).collect();
    rig.report.measured(
        "F7",
        "subject (auto) / kernel, bit/s",
        Unit::Times,
        &ratio,
        Some(Goal::AtLeast(0.9, 1.0)),
        note,
    )?;
    let xdp = Kind::Postern(Setup::plain("xdp"));
    let rows = rates(rig, Offloads::WholeChecksums, [xdp, Kind::Conntrack, Kind::Kernel])?;
    let note = "all three with tx offload off; forced XDP on veth, no goal";
    for (leg, peer) in [(1, "kernel+ct"), (2, "kernel")] {
        let ratio: Vec<f64> = rows.iter().map(|row| row[0] / row[leg]).collect();
        rig.report.measured(
            "F7",
            format!("subject (XDP) / {peer}, bit/s"),
            Unit::Times,
            &ratio,
            None,
            note,
        )?;
    }
    Ok(())
}

/// Bits a second of each gateway, block by block.
fn rates(rig: &mut Rig, offloads: Offloads, kinds: [Kind; 3]) -> Result<Vec<Vec<f64>>> {
    let mut stations = Vec::new();
    for kind in kinds {
        let gateway = Gateway::for_stacks(&mut rig.ebpf, kind, offloads)?;
        let server = Server::start(&gateway)?;
        stations.push((server, gateway));
    }
    let pairs = rig.pairs;
    let seconds = rig.leg.as_secs_f64().ceil();
    let report = &mut rig.report;
    run_blocks(pairs, &stations, |block, (_, gateway)| {
        let bits = transfer(gateway, seconds)?;
        let name = gateway.kind.name();
        eprintln!("  F7 {}/{pairs}: {name}: {:.2} Gbit/s", block + 1, bits / 1e9);
        report.line(&json!({
            "case": "F7", "pair": block, "leg": name, "workload": format!("{offloads:?}"),
            "metric": "bits_per_second_noisy", "value": bits, "load": Load::look(),
        }))?;
        Ok(bits)
    })
}

/// One run of the client.
fn transfer(gateway: &Gateway, seconds: f64) -> Result<f64> {
    let before = gateway.subject.as_ref().map(Subject::counted).transpose()?;
    let text = gateway.lane.client.run(|| {
        let output = Command::new("timeout")
            .args([
                &format!("{}", seconds + 10.0),
                "iperf3",
                "-J",
                "-c",
                "10.202.0.2",
                "-t",
                &format!("{seconds}"),
            ])
            .stdin(Stdio::null())
            .output()
            .context("starting iperf3")?;
        interrupt::check()?;
        ensure!(output.status.success(), "iperf3: {}", String::from_utf8_lossy(&output.stdout).trim());
        Ok(output.stdout)
    })?;
    if let Some((before, subject)) = before.zip(gateway.subject.as_ref()) {
        let moved = subject.counted()?.accelerated - before.accelerated;
        ensure!(moved > 1000, "void: only {moved} packets were on the accelerated path");
    }
    let result: Value = serde_json::from_slice(&text).context("reading iperf3's output")?;
    result["end"]["sum_received"]["bits_per_second"].as_f64().context("iperf3 gave no rate")
}

/// An iperf3 server, killed when dropped.
struct Server(Child);

impl Server {
    fn start(gateway: &Gateway) -> Result<Self> {
        let server = gateway.lane.server.run(|| {
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
