//! Originators that bring mail all the time, and a book of what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use harness::deadline::wait_until;
use harness::depth::depth;
use harness::mail;
use harness::mail_scene::Scene;
use harness::next_hop::NextHop;
use harness::originator::Originator;
use harness::records;
use harness::topology::Topology;

use crate::spool_is_killed::{AtTheEnd, left};

/// Within which mail is taken, and delivered, when there is more again.
pub(super) const AGAIN: Duration = Duration::from_secs(5);
/// How long the rest of the queue may take.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// How long a limit lasts in all, with all faults at length, and at a time. The scenarios about each resource share half an hour.
fn in_all(minutes: u32) -> Duration {
    Duration::from_secs(depth(5, minutes * 60).into())
}
fn at_a_time() -> Duration {
    Duration::from_millis(depth(2_500, 30_000).into())
}

/// Originators at a time.
const ORIGINATORS: u32 = 4;
/// Messages that all of them bring in a second, at most.
pub(super) const A_SECOND: u32 = 50;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 250 was the last word.
    Accepted,
    /// Another reply than one that goes on.
    Said(u16),
    /// No connection, or one that was closed without a word.
    Cut,
}

/// Brings a message in a session of its own.
pub(super) fn bring(topology: &Topology, server: SocketAddr, message: &[u8]) -> Outcome {
    match try_to_bring(topology, server, message) {
        Some(250) => Outcome::Accepted,
        Some(code) => Outcome::Said(code),
        None => Outcome::Cut,
    }
}

fn try_to_bring(topology: &Topology, server: SocketAddr, message: &[u8]) -> Option<u16> {
    let mut originator = Originator::try_connect(&topology.client, server).ok()?;
    let mut code = originator.try_reply().ok().flatten()?.code;
    let message = mail::stuffed(message);
    let steps: [(&[u8], u16); 5] = [
        (b"EHLO client.test\r\n", 220),
        (b"MAIL FROM:<a@client.test>\r\n", 250),
        (b"RCPT TO:<b@server.test>\r\n", 250),
        (b"DATA\r\n", 250),
        (&message, 354),
    ];
    for (octets, agreed) in steps {
        if code != agreed {
            return Some(code);
        }
        originator.try_send(octets).ok()?;
        code = originator.try_reply().ok().flatten()?.code;
    }
    Some(code)
}

/// What was accepted, and what arrived.
#[derive(Debug, Default)]
pub(super) struct Book(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    accepted: BTreeSet<String>,
    arrived: BTreeMap<String, u32>,
    said: BTreeMap<u16, u32>,
    cut: u32,
}

impl Book {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().expect("no holder panics")
    }

    pub(super) fn note(&self, subject: &str, outcome: Outcome) {
        let mut pages = self.pages();
        match outcome {
            Outcome::Accepted => drop(pages.accepted.insert(subject.to_owned())),
            Outcome::Said(code) => *pages.said.entry(code).or_default() += 1,
            Outcome::Cut => pages.cut += 1,
        }
    }

    pub(super) fn accepted(&self) -> usize {
        self.pages().accepted.len()
    }

    /// How often a message has arrived.
    pub(super) fn copies_of(&self, subject: &str) -> u32 {
        self.pages().arrived.get(subject).copied().unwrap_or_default()
    }

    /// How often this was the last word.
    pub(super) fn said(&self, code: u16) -> u32 {
        self.pages().said.get(&code).copied().unwrap_or_default()
    }

    /// Takes note of what has arrived; gives how many messages did, at least once.
    pub(super) fn collect(&self, next_hop: &NextHop) -> usize {
        let deliveries = next_hop.empty();
        let mut pages = self.pages();
        for delivery in deliveries {
            let text = String::from_utf8_lossy(&delivery.octets);
            let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
            assert!(field("X-Postern-Session: ").is_some(), "this went past the gateway: {text}");
            let subject = field("Subject: ").unwrap_or_default().trim_end().to_owned();
            *pages.arrived.entry(subject).or_default() += 1;
        }
        pages.arrived.len()
    }

    /// How many messages that were accepted have not arrived.
    pub(super) fn behind(&self, next_hop: &NextHop) -> usize {
        self.collect(next_hop);
        let pages = self.pages();
        pages.accepted.iter().filter(|subject| !pages.arrived.contains_key(*subject)).count()
    }

    /// Waits until all that was accepted has arrived, and compares with what was written down. So many copies may have come.
    #[track_caller]
    pub(super) fn close(&self, scene: &Scene<'_>, copies_allowed: u32) {
        wait_until("all that was accepted has arrived", PATIENCE, || self.behind(&scene.next_hop) == 0);
        let spool = scene.config.folder().join("spool");
        let spools = spool.is_dir();
        if spools {
            wait_until("the spool is empty", PATIENCE, || left(&spool) == 0);
            let damaged = std::fs::read_dir(spool.join("corrupt")).expect("the spool's folder").count();
            assert_eq!(damaged, 0, "sound messages were taken for damaged");
        }
        self.collect(&scene.next_hop);
        let pages = self.pages();
        let copies: u32 = pages.arrived.values().map(|count| count - 1).sum();
        println!(
            "{} accepted, {} arrived, {copies} copies; other replies {:?}, cut {}",
            pages.accepted.len(),
            pages.arrived.len(),
            pages.said,
            pages.cut
        );
        assert!(copies <= copies_allowed, "{copies} copies");
        assert!(pages.said.keys().all(|code| (400..500).contains(code)), "other replies: {:?}", pages.said);
        let count = pages.accepted.len();
        drop(pages);
        let folder = scene.config.folder().join("records");
        wait_until("all of it is in the records", PATIENCE, || {
            let all = records::read(&folder);
            // A proxy delivers within the session, and what it says of it is in the account.
            let delivered: u64 = if spools {
                let all = records::of_event(&all, "dequeued").into_iter();
                all.filter(|record| record["outcome"] == "delivered").count() as u64
            } else {
                let all = records::of_event(&all, "account").into_iter();
                all.filter_map(|account| account["delivered"].as_u64()).sum()
            };
            delivered >= count as u64
        });
        let stat = scene.gateway.json(&["stat"]);
        assert_eq!(stat["daemon"]["running"], true, "{stat:#}");
        let interfaces = stat["interfaces"].as_array().expect("interfaces");
        assert!(interfaces.iter().all(|interface| interface["attached"] == true), "{stat:#}");
    }
}

/// Has originators bring mail while a test goes on. Each message is made of its subject.
pub(super) fn under_load<T>(
    scene: &Scene<'_>,
    book: &Book,
    a_second: u32,
    make: impl Fn(&str) -> Vec<u8> + Sync,
    test: impl FnOnce() -> T,
) -> T {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let done = AtomicBool::new(false);
    let (topology, server) = (scene.topology, scene.next_hop.address());
    let pace = Duration::from_secs(1) * ORIGINATORS / a_second;
    std::thread::scope(|scope| {
        for _ in 0..ORIGINATORS {
            scope.spawn(|| {
                let mut next = Instant::now();
                while !done.load(Ordering::Relaxed) {
                    let subject = format!("token-{}-end", NUMBER.fetch_add(1, Ordering::Relaxed));
                    book.note(&subject, bring(topology, server, &make(&subject)));
                    next = (next + pace).max(Instant::now());
                    while let Some(left) = next.checked_duration_since(Instant::now())
                        && !left.is_zero()
                    {
                        std::thread::park_timeout(left);
                    }
                }
            });
        }
        // Else a test that fails would wait for them.
        let _end = AtTheEnd(&done);
        test()
    })
}

/// Goes to the limit again and again until it was there for so many minutes, or a few seconds: `lower` goes there, `stay` is called
/// meanwhile, and `lift` takes it away and waits until all is as before.
pub(super) fn rounds(minutes: u32, mut lower: impl FnMut(), mut stay: impl FnMut(), mut lift: impl FnMut()) {
    let (mut left, mut longest) = (in_all(minutes), Duration::ZERO);
    let mut count = 0;
    while !left.is_zero() {
        let time = left.min(at_a_time());
        lower();
        let until = Instant::now() + time;
        while Instant::now() < until {
            stay();
            std::thread::park_timeout(Duration::from_millis(100));
        }
        let lifted = Instant::now();
        lift();
        longest = longest.max(lifted.elapsed());
        left -= time;
        count += 1;
    }
    println!("{count} times at the limit, {:?} in all; as before after {longest:?} at most", in_all(minutes));
}

/// Fails if the log was flooded: so many lines may tell of trouble, and none of a fault of the program.
#[track_caller]
pub(super) fn expect_short_log(log: &str, most: usize) {
    let trouble: Vec<&str> =
        log.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")).collect();
    println!("{} lines of trouble in the log", trouble.len());
    assert!(!log.contains("panicked") && !log.contains("fault of this program"), "{log}");
    assert!(
        trouble.len() <= most,
        "{} lines of trouble, the first:\n{}",
        trouble.len(),
        trouble[..most].join("\n")
    );
}
