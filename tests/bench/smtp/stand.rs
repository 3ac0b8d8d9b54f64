//! A station: client, something in between, and a sink, ready for load.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use harness::certificate::Certificate;
use serde_json::json;

use super::SmtpRig;
use super::cpu_group::CpuGroup;
use super::load::{Load, Outcome};
use super::own_disk::OwnDisk;
use super::peers;
use super::sink::Sink;
use super::tls::{self, Tls};
use crate::host;
use crate::interrupt;
use crate::lane::{GATEWAY_CLIENT, GATEWAY_SERVER, Lane, Offloads, SERVER_V4};
use crate::pairs::run_blocks;
use crate::subject::Subject;

/// What stands between client and sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Between {
    /// The kernel's forwarding, nothing else.
    Nothing,
    /// haproxy, which moves octets of TCP.
    Haproxy,
    /// Postfix' smtpd, which hands every message through to the sink before it takes it.
    PostfixProxy,
    /// The same through clamsmtpd, which asks clamd.
    PostfixClamsmtp,
    /// The same through amavisd, which asks clamd.
    PostfixAmavis,
    /// Postern, judging by itself.
    Postern,
    /// Postern with `inspection = "none"`: dialogues are followed, messages are not looked at.
    PosternUnseen,
    /// Postern, asking clamd too.
    PosternClamd,
    /// Postern, which takes messages over, judges and delivers them.
    PosternSpool,
    /// Postfix' queue: taken over and delivered, looked at by nobody.
    PostfixQueue,
}

impl Between {
    /// Name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "direct",
            Self::Haproxy => "haproxy (TCP)",
            Self::PostfixProxy => "Postfix before-queue proxy",
            Self::PostfixClamsmtp => "Postfix + clamsmtpd + clamd",
            Self::PostfixAmavis => "Postfix + amavisd + clamd",
            Self::Postern => "Postern",
            Self::PosternUnseen => "Postern without inspection",
            Self::PosternClamd => "Postern + clamd",
            Self::PosternSpool => "Postern's spool",
            Self::PostfixQueue => "Postfix queue",
        }
    }

    /// Whether its 250 comes before the sink has the message.
    const fn takes_over(self) -> bool {
        matches!(self, Self::PosternSpool | Self::PostfixQueue)
    }
}

/// How a station deals with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// Without.
    Plain,
    /// STARTTLS on both sides, a full handshake every time.
    Full,
    /// STARTTLS on both sides, sessions resumed where that is possible.
    Resumed,
}

impl Security {
    /// For the report.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plaintext",
            Self::Full => "full handshakes",
            Self::Resumed => "resumed",
        }
    }
}

/// A station; everything of it goes with this value.
#[derive(Debug)]
pub(crate) struct Station {
    // What runs ends before the namespaces go.
    pub(crate) sink: Sink,
    subject: Option<Subject>,
    children: Vec<Child>,
    folder: PathBuf,
    configuration: String,
    pub(crate) group: CpuGroup,
    pub(crate) lane: Lane,
    pub(crate) between: Between,
    pub(crate) security: Security,
    pub(crate) target: SocketAddr,
    pub(crate) tls: Option<Tls>,
    /// Of those that take messages over; it goes when nobody writes to it any more.
    _disk: Option<OwnDisk>,
}

/// One leg.
#[derive(Clone, Debug)]
pub(crate) struct Leg {
    /// CPU time of what stands between.
    pub(crate) cpu_ns: u64,
    /// What the generator saw.
    pub(crate) outcome: Outcome,
    /// By the clock, from the first call until the sink had everything.
    pub(crate) seconds_to_sink: f64,
}

impl Leg {
    /// Microseconds of CPU a message.
    pub(crate) fn micros_a_message(&self) -> f64 {
        self.cpu_ns as f64 / 1e3 / self.outcome.messages as f64
    }

    /// Messages a second by the clock, from the first call until the sink had the last one.
    pub(crate) fn messages_a_second(&self) -> f64 {
        self.outcome.messages as f64 / self.seconds_to_sink
    }

    /// Microseconds of CPU a session.
    pub(crate) fn micros_a_session(&self) -> f64 {
        self.cpu_ns as f64 / 1e3 / self.outcome.sessions as f64
    }
}

impl Station {
    /// Makes it and waits until mail gets through.
    pub(crate) fn create(rig: &SmtpRig, between: Between, security: Security) -> Result<Self> {
        peers::require(between)?;
        let lane = Lane::create(Offloads::Full)?;
        for ns in [&lane.client, &lane.gateway, &lane.server] {
            // Ports must not run out: ended connections are forgotten beyond this number.
            ns.sysctl("ipv4/tcp_max_tw_buckets", "256")?;
            ns.sysctl("ipv4/ip_local_port_range", "1024 65000")?;
            ns.sysctl("core/somaxconn", "4096")?;
        }
        let folder = rig.folder(lane.gateway.name())?;
        let disk = between.takes_over().then(|| OwnDisk::mount(&folder)).transpose()?;
        let certificate = Certificate::new("server.test");
        let tls = match security {
            Security::Plain => None,
            Security::Full => Some(Tls::new(&certificate, false)),
            Security::Resumed => Some(Tls::new(&certificate, true)),
        };
        let server = SocketAddr::from((SERVER_V4, 25));
        let sink = Sink::start(&lane.server, server, tls.as_ref().map(|tls| Arc::clone(&tls.server)))?;
        let group = CpuGroup::create()?;
        let gateway = SocketAddr::from(([10, 201, 0, 1], peers::PORT));
        let mut station = Self {
            sink,
            subject: None,
            children: Vec::new(),
            folder: folder.clone(),
            configuration: String::new(),
            group,
            lane,
            between,
            security,
            target: server,
            tls,
            _disk: disk,
        };
        match between {
            Between::Nothing => {}
            Between::Postern | Between::PosternUnseen | Between::PosternClamd | Between::PosternSpool => {
                let clamd = between == Between::PosternClamd;
                if clamd {
                    station.children.push(peers::clamd(&station.group, &station.lane.gateway, &folder)?);
                }
                let mode = if between == Between::PosternSpool { "spool" } else { "proxy" };
                station.configuration = configuration(&folder, mode, security, clamd, &certificate)?;
                if between == Between::PosternUnseen {
                    // The table of the resource is the last one.
                    station.configuration.push_str("inspection = \"none\"\n");
                }
                station.start(rig)?;
            }
            Between::Haproxy
            | Between::PostfixProxy
            | Between::PostfixClamsmtp
            | Between::PostfixAmavis
            | Between::PostfixQueue => {
                station.target = gateway;
                // Octets are octets: whoever only moves them has the TLS of both sides pass through.
                let can = security == Security::Plain || between == Between::Haproxy;
                ensure!(can, "{} is measured without TLS only", between.name());
                let ns = &station.lane.gateway;
                station.children = peers::start(between, &station.group, ns, &folder, server)?;
            }
        }
        station.wait_until_open()?;
        Ok(station)
    }

    /// Starts Postern.
    fn start(&mut self, rig: &SmtpRig) -> Result<()> {
        let command = self.group.command(rig.postern.to_str().unwrap_or_default());
        let started = Subject::start_with(&self.lane.gateway, &self.folder, &self.configuration, command)?;
        self.subject = Some(started);
        Ok(())
    }

    /// Ends Postern, has something done in its folder, and starts it again. Gives how long it took until mail got through.
    pub(crate) fn restart(
        &mut self,
        rig: &SmtpRig,
        change: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Duration> {
        drop(self.subject.take());
        change(&self.folder)?;
        let start = Instant::now();
        self.start(rig)?;
        self.wait_until_open()?;
        Ok(start.elapsed())
    }

    /// A load for this station.
    pub(crate) fn load(&self, connections: usize, messages_each: usize, data: &Arc<Vec<u8>>) -> Load {
        Load {
            target: self.target,
            connections,
            messages_each,
            data: Arc::clone(data),
            tls: self.tls.as_ref().map(|tls| Arc::clone(&tls.client)),
            rate: None,
        }
    }

    /// Runs one leg.
    pub(crate) fn leg(&self, load: &Load, time: Duration) -> Result<Leg> {
        let (cpu, messages) = (self.group.cpu_ns()?, self.sink.messages());
        let start = Instant::now();
        let outcome = load.run(&self.lane.client, time)?;
        if self.between.takes_over() {
            self.wait_for_sink(messages + outcome.messages)?;
        }
        let seconds_to_sink = start.elapsed().as_secs_f64();
        if self.between.takes_over() {
            // What is done about a message after it was delivered is part of its cost.
            std::thread::sleep(SETTLING);
        }
        let (cpu, arrived) = (self.group.cpu_ns()? - cpu, self.sink.messages() - messages);
        ensure!(
            arrived == outcome.messages,
            "void: {} messages were said to be taken, and {arrived} arrived",
            outcome.messages
        );
        // A gateway that lets flows pass by the inspector would be fast indeed.
        let least = if self.between == Between::Nothing { 0 } else { 10_000 };
        ensure!(cpu / outcome.sessions.max(1) >= least, "void: {} did nothing", self.between.name());
        Ok(Leg { cpu_ns: cpu, outcome, seconds_to_sink })
    }

    fn wait_for_sink(&self, messages: u64) -> Result<()> {
        let end = Instant::now() + Duration::from_mins(1);
        while self.sink.messages() < messages {
            interrupt::check()?;
            let missing = messages - self.sink.messages();
            ensure!(Instant::now() < end, "void: {missing} messages were taken and did not arrive in 60 s");
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    fn wait_until_open(&mut self) -> Result<()> {
        let before = self.sink.messages();
        let folder = self.folder.clone();
        let load = self.load(1, 1, &Arc::new(super::message::of_size(1024)));
        let end = Instant::now() + OPEN;
        loop {
            interrupt::check()?;
            let Err(error) = load.run(&self.lane.client, Duration::from_millis(1)) else {
                return self.wait_for_sink(before + 1);
            };
            for child in &mut self.children {
                if let Some(status) = child.try_wait()? {
                    bail!("{} ended at once, {status}; see {}", self.between.name(), peers::words(&folder));
                }
            }
            ensure!(
                Instant::now() < end,
                "{} lets no mail through: {error:#}; {}",
                self.between.name(),
                peers::words(&folder)
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Measures stations leg by leg, and writes every leg down.
pub(crate) fn run_legs(
    rig: &mut SmtpRig,
    case: &str,
    stations: &[Station],
    load: impl Fn(&Station) -> Load,
    unit: &str,
    cost: impl Fn(&Leg) -> f64,
) -> Result<Vec<Vec<Leg>>> {
    for station in stations {
        // Once for caches, lazily made threads and Postfix' processes.
        station.leg(&load(station), Duration::from_millis(300))?;
    }
    let (pairs, leg, report) = (rig.pairs, rig.leg, &mut rig.report);
    run_blocks(pairs, stations, |block, station| {
        let done = station.leg(&load(station), leg)?;
        let rate = done.outcome.sessions as f64 / done.outcome.seconds;
        let name = station.between.name();
        eprintln!(
            "  {case} {}/{pairs}: {name}: {:.1} {unit}, {rate:.0} sessions a second",
            block + 1,
            cost(&done)
        );
        report.line(&json!({
            "case": case, "pair": block, "leg": name, "metric": unit, "value": cost(&done),
            "sessions": done.outcome.sessions, "messages": done.outcome.messages,
            "sessions_per_second_noisy": rate, "p99_ms_noisy": done.outcome.quantile(0.99).as_secs_f64() * 1e3,
            "load": host::Load::look(),
        }))?;
        Ok(done)
    })
}

/// Longest time until mail gets through: a start with a full spool, beside other work.
const OPEN: Duration = Duration::from_mins(2);
/// How long after the last message is waited for what is done about it.
const SETTLING: Duration = Duration::from_millis(300);

/// Postern's configuration.
fn configuration(
    folder: &Path,
    mode: &str,
    security: Security,
    clamd: bool,
    certificate: &Certificate,
) -> Result<String> {
    let client_tls = if security == Security::Plain {
        "client_tls = \"off\"\nserver_tls = \"off\"".to_owned()
    } else {
        let (certificate, key): (PathBuf, PathBuf) = tls::write(certificate, folder)?;
        format!(
            "client_tls = {{ certificate = \"{}\", key = \"{}\" }}\nserver_tls = \"opportunistic\"",
            certificate.display(),
            key.display()
        )
    };
    let engine = if clamd { peers::engine(folder) } else { String::new() };
    // One more than wait in it must have room.
    let spool = if mode == "spool" { "[spool]\nspool_limit = 1000000\n\n" } else { "" };
    Ok(format!(
        "{spool}[gateway]\ninterfaces = [\"{GATEWAY_CLIENT}\", \"{GATEWAY_SERVER}\"]\nhook = \"auto\"\ndata_dir = \"{}\"\n\
         flows_v4 = 65536\nflows_v6 = 1024\n\n{engine}\n\
         [[rule]]\nname = \"mail\"\nservice = [\"tcp/25\"]\naction = \"inspect\"\nresource = \"mail\"\n\
         when_down = \"refuse\"\n\n[[rule]]\nname = \"everything else\"\naction = \"accelerate\"\n\n\
         [[resource]]\nname = \"mail\"\nmode = \"{mode}\"\n{client_tls}\n",
        folder.display()
    ))
}
