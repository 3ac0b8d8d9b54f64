//! A1, F10: thousands of clients that do nothing, in every phase. Memory stays bounded, honest clients notice nothing,
//! and each slow one is ended for the reason that it gave.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use harness::certificate::Certificate;
use harness::crowd::{Crowd, Sink, Slowness};
use harness::deadline::wait_until;
use harness::gateway::Gateway;
use harness::mail;
use harness::mail_scene::MailConfig;
use harness::originator::Originator;
use harness::requires_root;
use harness::topology::{Family, Topology};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;
use serde_json::Value;

/// Slow clients, where there are descriptors for as many: two each here, and two in the gateway.
const WANTED: u64 = 9_600;
/// Sources they come from, as many from each.
const SOURCES: u8 = 240;
/// Sessions of one source at most.
const PER_SOURCE: u32 = 45;
/// How long the gateway waits for each of them.
const WAIT: Duration = Duration::from_secs(14);
/// Honest sessions whose time is taken.
const HONEST: u32 = 40;
/// KiB of the daemon for each connection, at most (F10).
const KIB: f64 = 64.0;

fn source(number: u8) -> IpAddr {
    Ipv4Addr::new(10, 77, 1, 10 + number).into()
}

/// How many slow clients there are descriptors for.
fn possible() -> u32 {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit can be read");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("the limit can be raised");
    let sources = u64::from(SOURCES);
    u32::try_from(WANTED.min(most.saturating_sub(600) / 2) / sources * sources).expect("not as many")
}

fn slowness(number: u32) -> Slowness {
    match number % 16 {
        0..=5 => Slowness::Command,
        6..=11 => Slowness::Data,
        12..=14 => Slowness::Handshake,
        _ => Slowness::Replies,
    }
}

/// The reason in the account of such a client.
fn reason(slowness: Slowness) -> &'static str {
    match slowness {
        Slowness::Command => "time_out_command",
        Slowness::Data => "time_out_data",
        Slowness::Handshake => "time_out_client_handshake",
        Slowness::Replies => "time_out_write",
    }
}

/// Times of honest sessions from the call to the last reply, shortest first.
fn honest(topology: &Topology, server: SocketAddr) -> Vec<Duration> {
    let session = |number| {
        let begun = Instant::now();
        let mut originator = Originator::greeted(&topology.client, server);
        originator.mail(&mail::note(&format!("honest {number}"))).expect(250);
        originator.say("QUIT").expect(221);
        begun.elapsed()
    };
    let mut times: Vec<_> = (0..HONEST).map(session).collect();
    times.sort();
    times
}

/// `VmRSS`: now; `VmHWM`: at most so far.
fn resident_kib(daemon: Pid, field: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{daemon}/status")).expect("the daemon runs");
    let line = text.lines().find_map(|line| line.strip_prefix(field)).expect("it has memory");
    line.trim().trim_start_matches(':').trim_end_matches("kB").trim().parse().expect("a number")
}

/// How many accounts say what. Only these lines are read: there are many others.
fn accounts(folder: &Path) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines().filter(|line| line.contains("\"event\":\"account\"")) {
            let account: Value = serde_json::from_str(line).expect("a record is JSON");
            let word = |key: &str| account[key].as_str().unwrap_or("-").to_owned();
            *counts.entry(format!("{} {}", word("disposition"), word("reason"))).or_default() += 1;
        }
    }
    counts
}

#[test]
fn thousands_of_slow_clients_are_borne_and_ended() {
    requires_root!();
    let count = possible();
    let wait = WAIT.as_secs();
    let config = MailConfig::imported(&Certificate::new("server.test"))
        .with("server_tls = \"off\"")
        .with_flows(32_768)
        .with_tables(&format!(
            "[inspector]\nmax_per_source = {PER_SOURCE}\n[inspector.timeouts]\ncommand = \"{wait}s\"\n\
             data = \"{wait}s\"\nclient_handshake = \"{wait}s\"\n"
        ));
    let topology = Topology::new(config.hook());
    topology.fix_neighbours();
    let lines = (0..SOURCES).map(|number| format!("address add {}/24 dev eth0", source(number)));
    let lines = lines.collect::<Vec<_>>().join("\n");
    topology.client.ip(&lines);
    let server = SocketAddr::new(Family::V4.server(), 25);
    let _sink = Sink::start(&topology.server, server);
    let gateway = Gateway::start_inspecting(&topology, &config);

    let alone = honest(&topology, server);
    let before = resident_kib(gateway.pid(), "VmRSS");
    let clients =
        (0..count).map(|number| (source((number % u32::from(SOURCES)) as u8), slowness(number / 240)));
    let clients: Vec<_> = clients.collect();
    let begun = Instant::now();
    let crowd = Crowd::call(&topology.client, server, clients.clone());
    wait_until("all slow clients are there", WAIT, || crowd.counts().0 == count);
    let there = begun.elapsed();
    // Two of a source more than it may have: those beyond it are turned away.
    let share = count / u32::from(SOURCES);
    let extra = PER_SOURCE.saturating_sub(share) + 2;
    let greedy =
        Crowd::call(&topology.client, server, (0..extra).map(|_| (source(0), Slowness::Command)).collect());
    let beside = honest(&topology, server);
    let during = resident_kib(gateway.pid(), "VmRSS");
    wait_until("the greedy are there or not", WAIT, || greedy.counts() == (extra - 2, 2));
    let each = during.saturating_sub(before) as f64 / f64::from(count);
    println!(
        "{count} slow clients within {there:.1?}: {each:.1} KiB each; an honest session took {:.1?}, the slowest \
         {:.1?}; without them {:.1?}, the slowest {:.1?}",
        beside[beside.len() / 2],
        beside[beside.len() - 1],
        alone[alone.len() / 2],
        alone[alone.len() - 1]
    );
    assert!(each < KIB, "{each} KiB for each connection");
    // Twice as long and some time for a machine that has other things to do.
    let limit = alone[alone.len() / 2] * 2 + Duration::from_millis(50);
    assert!(
        beside[beside.len() / 2] < limit,
        "honest sessions took {beside:?}, without the others {alone:?}"
    );

    let mut expected = BTreeMap::from([
        ("inspected -".to_owned(), 2 * HONEST),
        ("refused too_many_connections_from_source".to_owned(), 2),
    ]);
    for (_, slowness) in clients {
        *expected.entry(format!("refused {}", reason(slowness))).or_default() += 1;
    }
    *expected.get_mut("refused time_out_command").expect("some of them") += extra - 2;
    let folder = config.folder().join("records");
    let mut seen = BTreeMap::new();
    let end = Instant::now() + WAIT * 2;
    while seen != expected && Instant::now() < end {
        std::thread::park_timeout(Duration::from_millis(500));
        seen = accounts(&folder);
    }
    assert_eq!(seen, expected);
    // A time-out for thousands at once must not take more than they did.
    let most = resident_kib(gateway.pid(), "VmHWM").saturating_sub(before) as f64 / f64::from(count);
    println!("all of them ended after {:.1?}; {most:.1} KiB each at most", begun.elapsed());
    assert!(most < KIB, "{most} KiB for each connection");
}
