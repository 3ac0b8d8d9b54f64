//! F1: the daemon is killed again and again while mail is taken over and delivered. Nothing that was accepted is lost.

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
use harness::mail_scene::{MailConfig, play};
use harness::next_hop::{NextHop, Script};
use harness::originator::Originator;
use harness::requires_root;
use harness::topology::Topology;
use smtp_user::spool::file_system::disk::Disk;
use smtp_user::spool::place::{Place, Places, id_of};
use smtp_user::spool::recovery::{read_bundled, read_octets};

/// Sessions at a time.
const WORKERS: u32 = 8;
/// How often the daemon is killed, by chance after at most so long.
const KILLS: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(900);
/// What chance is made from.
const SEED: u64 = 0x5eed_0005;
/// How long the rest of the queue may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Sends one message; says whether it was accepted.
pub(crate) fn send(topology: &Topology, server: SocketAddr, subject: &str) -> Option<bool> {
    let mut originator = Originator::try_connect(&topology.client, server).ok()?;
    originator.try_reply().ok().flatten().filter(|reply| reply.code == 220)?;
    let message = mail::stuffed(&mail::note(subject));
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

/// How often each message has arrived, by subject.
pub(crate) fn arrived(next_hop: &NextHop) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::<String, u32>::new();
    for delivery in next_hop.deliveries() {
        *counts.entry(subject(&delivery.octets)).or_default() += 1;
    }
    counts
}

/// Subjects of the messages that the spool still has to deliver.
fn waiting(spool: &Path) -> BTreeSet<String> {
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
            subject(&room)
        })
        .collect()
}

/// How many files with messages there are in a spool.
pub(crate) fn left(spool: &Path) -> usize {
    let count = |place: &str| std::fs::read_dir(spool.join(place)).expect("the spool's folder").count();
    ["active", "deferred", "quarantine", "body", "bundle"].into_iter().map(count).sum()
}

fn subject(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default().trim_end().to_owned()
}

#[test]
fn nothing_that_was_accepted_is_lost_however_often_the_daemon_is_killed() {
    requires_root!();
    for round in 0..depth(1, 75) {
        kill_again_and_again(Chance::new(SEED + u64::from(round)));
    }
}

/// Kills a daemon while mail comes and goes, and counts what has arrived then.
fn kill_again_and_again(mut chance: Chance) {
    play(&MailConfig::spooling(""), Script::plain(), |scene| {
        let (number, done) = (AtomicU32::new(0), AtomicBool::new(false));
        let (number, done) = (&number, &done);
        let (topology, server) = (scene.topology, scene.next_hop.address());
        let (gateway, next_hop, spool) =
            (&mut scene.gateway, &scene.next_hop, scene.config.folder().join("spool"));
        let mut in_flight = BTreeMap::<String, u32>::new();
        let accepted: Vec<String> = std::thread::scope(|scope| {
            let work = || {
                let mut accepted = Vec::new();
                while !done.load(Ordering::Relaxed) {
                    let subject = format!("token-{}-end", number.fetch_add(1, Ordering::Relaxed));
                    match send(topology, server, &subject) {
                        Some(true) => accepted.push(subject),
                        Some(false) => {}
                        None => std::thread::park_timeout(Duration::from_millis(20)),
                    }
                }
                accepted
            };
            let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
            // Else a test that fails would wait for them.
            let end = AtTheEnd(done);
            for _ in 0..KILLS {
                let until = Instant::now() + chance.below(BETWEEN);
                wait_until("some mail is sent", PATIENCE, || Instant::now() >= until);
                gateway.kill9();
                let waiting = waiting(&spool);
                // What it had sent before may still be on its way through the next hop.
                let quiet = Instant::now() + Duration::from_millis(200);
                wait_until("the next hop is quiet", PATIENCE, || Instant::now() >= quiet);
                for subject in arrived(next_hop).into_keys().filter(|subject| waiting.contains(subject)) {
                    *in_flight.entry(subject).or_default() += 1;
                }
                gateway.run();
            }
            drop(end);
            workers.into_iter().flat_map(|worker| worker.join().expect("no session fails the test")).collect()
        });
        wait_until("the spool is empty", PATIENCE, || left(&spool) == 0);
        let arrived = arrived(&scene.next_hop);
        let lost: Vec<_> = accepted.iter().filter(|subject| !arrived.contains_key(*subject)).collect();
        assert_eq!(lost, Vec::<&String>::new(), "accepted, and lost");
        let copies: u32 = arrived.values().map(|count| count - 1).sum();
        let allowed: u32 = in_flight.values().sum();
        println!(
            "{} accepted, {} arrived, {copies} copies of {allowed} allowed, {KILLS} kills",
            accepted.len(),
            arrived.len()
        );
        assert!(accepted.len() > 100, "only {} were accepted", accepted.len());
        // One more copy for each kill between the next hop's answer and its record, and for no other.
        for (subject, count) in &arrived {
            let most = 1 + in_flight.get(subject).copied().unwrap_or_default();
            assert!(*count <= most, "{count} copies of {subject}, and {most} at most were allowed");
        }
    });
}
