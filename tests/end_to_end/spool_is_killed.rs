//! F1: the daemon and its workers are killed again and again while mail of all sizes is taken over and delivered. Nothing
//! that was accepted is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::DirEntry;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use harness::chance::Chance;
use harness::deadline::wait_until;
use harness::depth::depth;
use harness::mail;
use harness::mail_scene::{MailConfig, play, trace_fields};
use harness::next_hop::{NextHop, Script};
use harness::originator::Originator;
use harness::packed;
use harness::requires_root;
use harness::topology::Topology;
use nix::unistd::Pid;
use smtp_user::spool::file_system::disk::Disk;
use smtp_user::spool::place::{Place, Places, id_of};
use smtp_user::spool::recovery::{read_bundled, read_octets};

/// Sessions at a time.
const SESSIONS: u32 = 8;
/// How often the daemon is killed, by chance after at most so long, and its workers before that.
const KILLS: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(900);
const WORKERS_BETWEEN: Duration = Duration::from_millis(60);
/// What chance is made from.
const SEED: u64 = 0x5eed_0005;
/// How long the rest of the queue may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Each message has a size of its own: most are short, some have an attachment that is unpacked, a few are large.
fn message(number: u32) -> Vec<u8> {
    let subject = format!("token-{number}-end");
    let line = format!("This is line {number}, and there are more.\r\n");
    let text = |lines: u32| line.repeat(lines as usize).into_bytes();
    match (number % 256, number % 8) {
        (255, _) => [mail::note(&subject), text(20_000)].concat(),
        (_, 5) => [mail::note(&subject), text(number % 400)].concat(),
        (_, 2) => mail::with_attachment(&subject, "lines.txt.gz", &packed::gzip(&text(number % 400))),
        _ => mail::note(&subject),
    }
}

/// Sends the message of a number; says whether it was accepted.
pub(crate) fn send(topology: &Topology, server: SocketAddr, number: u32) -> Option<bool> {
    let mut originator = Originator::try_connect(&topology.client, server).ok()?;
    originator.try_reply().ok().flatten().filter(|reply| reply.code == 220)?;
    let message = mail::stuffed(&message(number));
    let steps: [&[u8]; 5] = [
        b"EHLO client.test\r\n",
        b"MAIL FROM:<a@client.test>\r\n",
        b"RCPT TO:<b@server.test>\r\n",
        b"DATA\r\n",
        &message,
    ];
    for (step, octets) in steps.into_iter().enumerate() {
        originator.try_send(octets).ok()?;
        let code = originator.try_reply().ok().flatten()?.code;
        if code != if step == 3 { 354 } else { 250 } {
            return Some(false);
        }
    }
    Some(true)
}

/// Says that it is over, also if a test has failed.
pub(crate) struct AtTheEnd<'a>(pub(crate) &'a AtomicBool);

impl Drop for AtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How often each message has arrived, by number. What has arrived since this was asked last is compared with what was sent
/// first, octet for octet, and forgotten.
pub(crate) fn note_arrived(next_hop: &NextHop, counts: &mut BTreeMap<u32, u32>) {
    for delivery in next_hop.take_deliveries() {
        let number = number(&delivery.octets);
        trace_fields(&delivery, &message(number));
        *counts.entry(number).or_default() += 1;
    }
}

/// Numbers of the messages that the spool still has to deliver.
fn waiting(spool: &Path) -> BTreeSet<u32> {
    let places = &Places::new(spool);
    let alone = [Place::Active, Place::Deferred].into_iter().flat_map(|place| {
        let files = std::fs::read_dir(places.folder(place)).expect("the spool's folder");
        let name = |file: DirEntry| file.file_name().into_string().expect("a name that the spool gave");
        files.map(move |file| (place, id_of(&name(file.expect("an entry"))).expect("a message's name")))
    });
    let together = read_bundled(&Disk, places).expect("the files that messages share").into_iter();
    alone
        .chain(together.map(|(id, _)| (Place::Active, id)))
        .map(|(place, id)| {
            let octets = read_octets(&Disk, places, place, id).expect("a message's octets");
            let mut room = vec![0; usize::try_from(octets.len()).expect("a small message")];
            octets.fill_at(0, &mut room).expect("a message's octets");
            number(&room)
        })
        .collect()
}

/// How many files with messages there are in a spool.
pub(crate) fn left(spool: &Path) -> usize {
    let count = |place: &str| std::fs::read_dir(spool.join(place)).expect("the spool's folder").count();
    ["active", "deferred", "quarantine", "body", "bundle"].into_iter().map(count).sum()
}

/// The number in a message's subject.
fn number(octets: &[u8]) -> u32 {
    let text = String::from_utf8_lossy(&octets[..octets.len().min(4096)]);
    let token = text.lines().find_map(|line| line.strip_prefix("Subject: token-")?.strip_suffix("-end"));
    token.and_then(|number| number.parse().ok()).expect("a message of this test")
}

#[test]
fn nothing_that_was_accepted_is_lost_however_often_the_daemon_is_killed() {
    requires_root!();
    for round in 0..depth(1, 75) {
        kill_again_and_again(Chance::new(SEED + u64::from(round)));
    }
}

/// Kills a daemon and its workers while mail comes and goes, and counts what has arrived then.
fn kill_again_and_again(mut chance: Chance) {
    play(&MailConfig::spooling(""), Script::plain(), |scene| {
        let (number, done) = (AtomicU32::new(0), AtomicBool::new(false));
        let (number, done) = (&number, &done);
        let (topology, server) = (scene.topology, scene.next_hop.address());
        let (gateway, next_hop, spool) =
            (&mut scene.gateway, &scene.next_hop, scene.config.folder().join("spool"));
        let (mut in_flight, mut arrived) = (BTreeMap::<u32, u32>::new(), BTreeMap::new());
        let (mut workers_killed, mut up) = (0, Duration::ZERO);
        let mut left_behind = BTreeSet::new();
        let accepted: Vec<u32> = std::thread::scope(|scope| {
            let work = || {
                let mut accepted = Vec::new();
                while !done.load(Ordering::Relaxed) {
                    let number = number.fetch_add(1, Ordering::Relaxed);
                    match send(topology, server, number) {
                        Some(true) => accepted.push(number),
                        Some(false) => {}
                        None => std::thread::park_timeout(Duration::from_millis(20)),
                    }
                }
                accepted
            };
            let sessions: Vec<_> = (0..SESSIONS).map(|_| scope.spawn(work)).collect();
            // Else a test that fails would wait for them.
            let end = AtTheEnd(done);
            for _ in 0..KILLS {
                let (begun, time) = (Instant::now(), chance.below(BETWEEN));
                let mut next = chance.below(WORKERS_BETWEEN);
                wait_until("some mail is sent", PATIENCE, || {
                    if begun.elapsed() >= next {
                        workers_killed += u32::from(gateway.kill9_worker());
                        next = begun.elapsed() + chance.below(WORKERS_BETWEEN);
                    }
                    begun.elapsed() >= time
                });
                left_behind.extend(gateway.workers());
                gateway.kill9();
                up += begun.elapsed();
                let waiting = waiting(&spool);
                // What it had sent before may still be on its way through the next hop.
                let quiet = Instant::now() + Duration::from_millis(200);
                wait_until("the next hop is quiet", PATIENCE, || Instant::now() >= quiet);
                note_arrived(next_hop, &mut arrived);
                for number in arrived.keys().filter(|number| waiting.contains(number)) {
                    *in_flight.entry(*number).or_default() += 1;
                }
                gateway.run();
            }
            drop(end);
            sessions
                .into_iter()
                .flat_map(|session| session.join().expect("no session fails the test"))
                .collect()
        });
        wait_until("the spool is empty", PATIENCE, || left(&spool) == 0);
        note_arrived(next_hop, &mut arrived);
        wait_until("no worker outlives its daemon", PATIENCE, || {
            let command = |worker: &Pid| std::fs::read(format!("/proc/{worker}/cmdline")).unwrap_or_default();
            left_behind.retain(|worker| mail::find(&command(worker), b"scan-worker").is_some());
            left_behind.is_empty()
        });
        let lost: Vec<_> = accepted.iter().filter(|number| !arrived.contains_key(*number)).collect();
        assert_eq!(lost, Vec::<&u32>::new(), "accepted, and lost");
        let copies: u32 = arrived.values().map(|count| count - 1).sum();
        let allowed: u32 = in_flight.values().sum();
        println!(
            "{} accepted in {up:.1?} between kills, {} arrived, {copies} copies of {allowed} allowed, \
             {KILLS} kills of the daemon and {workers_killed} of workers",
            accepted.len(),
            arrived.len()
        );
        assert!(accepted.len() > 100, "only {} were accepted", accepted.len());
        assert!(workers_killed >= KILLS, "only {workers_killed} workers were there to be killed");
        // One more copy for each kill between the next hop's answer and its record, and for no other.
        for (number, count) in &arrived {
            let most = 1 + in_flight.get(number).copied().unwrap_or_default();
            assert!(*count <= most, "{count} copies of {number}, and {most} at most were allowed");
        }
    });
}
