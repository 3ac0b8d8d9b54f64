//! What can stand in the gateway's place: the subject, its peers, and floors.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use aya::Ebpf;
use aya::programs::xdp::XdpMode;

use crate::lane::{CLIENT, GATEWAY_CLIENT, GATEWAY_SERVER, Lane, Link, Offloads, SERVER};
use crate::measure_object::{attach_tc, attach_xdp};
use crate::netns::require;
use crate::subject::{Setup, Subject};

/// What forwards.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Nothing: frames end in XDP at the gateway. What source, veth and XDP cost by themselves.
    FloorXdp,
    /// Nothing: frames become socket buffers and end in TC at the gateway.
    FloorTc,
    /// The kernel's routing, without rules.
    Kernel,
    /// The kernel's routing with nft connection tracking and three rules.
    Conntrack,
    /// The kernel's routing with this many nft rules that do not match, and no connection tracking.
    Rules(u32),
    /// XDP with one next hop for everything.
    XdpConst,
    /// XDP with a route look-up for every packet.
    XdpFib,
    /// Postern.
    Postern(Setup),
}

impl Kind {
    /// Name in reports.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::FloorXdp => "floor: drop in XDP".into(),
            Self::FloorTc => "floor: drop in TC".into(),
            Self::Kernel => "kernel".into(),
            Self::Conntrack => "kernel+ct".into(),
            Self::Rules(n) => format!("kernel+{n} nft rules"),
            Self::XdpConst => "XDP, constant next hop".into(),
            Self::XdpFib => "XDP, bpf_fib_lookup".into(),
            Self::Postern(setup) => format!("postern, {}", setup.describe()),
        }
    }

    /// Whether frames stay frames all the way, so that the sink is to be in XDP.
    fn keeps_frames(&self) -> bool {
        match self {
            Self::FloorXdp | Self::XdpConst | Self::XdpFib => true,
            Self::FloorTc | Self::Kernel | Self::Conntrack | Self::Rules(_) => false,
            Self::Postern(setup) => setup.hook == "xdp",
        }
    }
}

/// A lane with a gateway at work in it.
#[derive(Debug)]
pub(crate) struct Gateway {
    // Stopped before its namespaces go.
    pub(crate) subject: Option<Subject>,
    pub(crate) lane: Lane,
    pub(crate) kind: Kind,
}

impl Gateway {
    /// Makes a lane for live frames, with sinks at both ends.
    pub(crate) fn for_frames(ebpf: &mut Ebpf, kind: Kind) -> Result<Self> {
        let mut gateway = Self::install(ebpf, kind, Offloads::Frames)?;
        let frames = gateway.kind.keeps_frames();
        let lane = &mut gateway.lane;
        for (ns, device) in [(&lane.client, CLIENT), (&lane.server, SERVER)] {
            let link = ns.run(|| {
                Ok(if frames {
                    Link::Xdp(attach_xdp(ebpf, "xdp_sink", device, XdpMode::Driver)?)
                } else {
                    Link::Tc(attach_tc(ebpf, "tc_sink", device)?)
                })
            })?;
            lane.links.push(link);
        }
        // Keeps the sources in the dispatcher, see live_frames.
        for (ns, source) in [(&lane.client, "source_v4"), (&lane.server, "source_v6")] {
            lane.links.push(Link::Xdp(ns.run(|| attach_xdp(ebpf, source, "lo", XdpMode::Skb))?));
        }
        Ok(gateway)
    }

    /// Makes a lane for whole stacks at both ends.
    pub(crate) fn for_stacks(ebpf: &mut Ebpf, kind: Kind, offloads: Offloads) -> Result<Self> {
        Self::install(ebpf, kind, offloads)
    }

    fn install(ebpf: &mut Ebpf, kind: Kind, offloads: Offloads) -> Result<Self> {
        let mut lane = Lane::create(offloads)?;
        let mut subject = None;
        match &kind {
            Kind::Kernel => {}
            Kind::FloorXdp => at_ingress(ebpf, &mut lane, "xdp_sink")?,
            Kind::XdpConst => at_ingress(ebpf, &mut lane, "xdp_const")?,
            Kind::XdpFib => at_ingress(ebpf, &mut lane, "xdp_fib")?,
            Kind::FloorTc => {
                let link = lane.gateway.run(|| attach_tc(ebpf, "tc_sink", GATEWAY_CLIENT))?;
                lane.links.push(Link::Tc(link));
            }
            Kind::Conntrack => nft(&lane, CONNTRACK)?,
            Kind::Rules(n) => nft(&lane, &rules(*n))?,
            Kind::Postern(setup) => subject = Some(Subject::start(&lane.gateway, setup)?),
        }
        Ok(Self { subject, lane, kind })
    }

    /// Entries of the connection tracking table of this gateway.
    pub(crate) fn conntrack_count(&self) -> Result<u64> {
        self.lane.gateway.run(|| {
            let text = std::fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_count")?;
            Ok(text.trim().parse()?)
        })
    }
}

fn at_ingress(ebpf: &mut Ebpf, lane: &mut Lane, program: &str) -> Result<()> {
    for device in [GATEWAY_CLIENT, GATEWAY_SERVER] {
        let link = lane.gateway.run(|| attach_xdp(ebpf, program, device, XdpMode::Driver))?;
        lane.links.push(Link::Xdp(link));
    }
    Ok(())
}

/// Loads an nft rule set into the gateway's namespace.
fn nft(lane: &Lane, text: &str) -> Result<()> {
    require("nft")?;
    lane.gateway.run(|| {
        let mut child = Command::new("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting nft")?;
        child.stdin.take().context("no standard input")?.write_all(text.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "nft: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(())
    })
}

/// As many drop rules that do not match before the frames are accepted.
fn rules(n: u32) -> String {
    let mut text =
        String::from("table inet bench { chain f { type filter hook forward priority 0; policy accept;\n");
    for i in 1..=n {
        let _ = writeln!(text, "udp dport {} drop", 30_000 + i);
    }
    text.push_str("}; }\n");
    text
}

/// What a small stateful firewall has.
const CONNTRACK: &str = "table inet bench { chain f { type filter hook forward priority 0; policy drop;
ct state established,related accept
udp dport 2600 ct state new accept
tcp dport { 25, 2600, 2525, 5201 } ct state new accept
}; }
";
