//! N1: the daemon is killed among random sessions; the account balances, and nothing arrived that was not judged.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use harness::deadline::{SOON, wait_for, wait_until};
use harness::gateway::Gateway;
use harness::mail;
use harness::mail_scene::{MailConfig, play};
use harness::next_hop::Script;
use harness::originator::Originator;
use harness::records;
use harness::requires_root;
use harness::topology::Topology;

/// Sessions that were opened, each with its beginning; those that find no daemon try again.
const SESSIONS: u32 = 1_000;
/// Sessions at a time.
const WORKERS: u64 = 24;
/// How often the daemon is killed among them.
const KILLS: u32 = 6;
/// How long a session waits for a daemon.
const PATIENCE: Duration = Duration::from_secs(40);

/// `SplitMix64`.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Calls until somebody greets.
fn greeted(topology: &Topology, server: SocketAddr) -> Originator {
    let hello = |mut originator: Originator| {
        originator.try_reply().ok()?.filter(|reply| reply.code == 220)?;
        originator.try_send(b"EHLO client.test\r\n").ok()?;
        originator.try_reply().ok()?.filter(|reply| reply.code == 250)?;
        Some(originator)
    };
    wait_for("a session is opened", PATIENCE, || {
        Originator::try_connect(&topology.client, server).ok().and_then(hello)
    })
}

/// One session of a few random steps; returns the subjects whose final reply was 250.
fn random_session(topology: &Topology, server: SocketAddr, number: u32, random: &mut u64) -> Vec<String> {
    let mut taken = Vec::new();
    let mut originator = greeted(topology, server);
    let say = |originator: &mut Originator, octets: &[u8]| -> Option<u16> {
        originator.try_send(octets).ok()?;
        originator.try_reply().ok()?.map(|reply| reply.code)
    };
    for message in 0..next(random) % 4 {
        let subject = format!("m{number}-{message}");
        let infected = next(random).is_multiple_of(3);
        let text = if infected { mail::infected(&subject) } else { mail::note(&subject) };
        let leave = next(random) % 16;
        for (step, octets) in [
            b"MAIL FROM:<a@client.test>\r\n".to_vec(),
            b"RCPT TO:<b@server.test>\r\n".to_vec(),
            b"DATA\r\n".to_vec(),
            mail::stuffed(&text),
        ]
        .into_iter()
        .enumerate()
        {
            if leave == step as u64 {
                // Leaves in the middle, with or without half of what was due.
                let _ = originator.try_send(&octets[..octets.len() / 2]);
                return taken;
            }
            match say(&mut originator, &octets) {
                Some(250) if step == 3 => {
                    assert!(!infected, "EICAR was taken");
                    taken.push(subject.clone());
                }
                Some(_) => {}
                None => return taken,
            }
        }
    }
    let _ = say(&mut originator, b"QUIT\r\n");
    taken
}

/// Kills the daemon and starts another, at random moments; ends when the sessions have.
fn disturb(gateway: &mut Gateway<'_>, done: &AtomicU32, random: &mut u64) {
    for kill in 0..KILLS {
        // Somewhere in the middle of its share of the sessions.
        let share = SESSIONS / KILLS;
        let after = kill * share + share / 4 + (next(random) % u64::from(share / 2)) as u32;
        wait_until("sessions come to their end", PATIENCE, || done.load(Ordering::Relaxed) >= after);
        gateway.kill9();
        gateway.run();
    }
}

#[test]
fn a_thousand_sessions_balance_and_nothing_unjudged_arrives_when_the_daemon_is_killed() {
    requires_root!();
    let seed = 0x5057_4e42;
    println!("seed {seed:#x}");
    play(&MailConfig::plain(), Script::plain(), |scene| {
        let (number, done) = (AtomicU32::new(0), AtomicU32::new(0));
        let (number, done) = (&number, &done);
        let (topology, server) = (scene.topology, scene.next_hop.address());
        let gateway = &mut scene.gateway;
        let taken: Vec<String> = std::thread::scope(|scope| {
            let work = |worker: u64| {
                move || {
                    let mut random = seed ^ (worker << 16);
                    let mut taken = Vec::new();
                    loop {
                        let mine = number.fetch_add(1, Ordering::Relaxed);
                        if mine >= SESSIONS {
                            return taken;
                        }
                        taken.extend(random_session(topology, server, mine, &mut random));
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                }
            };
            let workers: Vec<_> = (1..=WORKERS).map(|worker| scope.spawn(work(worker))).collect();
            disturb(gateway, done, &mut (seed ^ 1));
            workers.into_iter().flat_map(|worker| worker.join().expect("no session fails the test")).collect()
        });
        for heard in scene.expect_clean_wire() {
            // Whatever the next hop has of a message, it has from the gateway.
            let wire = String::from_utf8_lossy(&heard.plain).into_owned();
            let count = |field: &str| wire.lines().filter(|line| line.starts_with(field)).count();
            assert!(count("Subject: ") <= count("X-Postern-Session: "), "{wire}");
        }
        let arrived: Vec<String> = scene
            .next_hop
            .deliveries()
            .iter()
            .map(|delivery| {
                let text = String::from_utf8_lossy(&delivery.octets).into_owned();
                let subject = text.lines().find_map(|line| line.strip_prefix("Subject: "));
                subject.unwrap_or_default().to_owned()
            })
            .collect();
        for subject in &taken {
            assert!(arrived.contains(subject), "{subject} was taken and did not arrive");
        }
        let mut counts = BTreeMap::<&str, u32>::new();
        for subject in &arrived {
            *counts.entry(subject).or_default() += 1;
        }
        assert!(counts.values().all(|&count| count == 1), "duplicates: {counts:?}");

        // Every session that was opened has exactly one account.
        let folder = scene.config.folder().join("records");
        wait_until("an account for every session", SOON, || {
            let all = records::read(&folder);
            records::of_event(&all, "opened").len() == records::of_event(&all, "account").len()
        });
        let all = records::read(&folder);
        let mut accounts = BTreeMap::<String, u32>::new();
        for account in records::of_event(&all, "account") {
            *accounts.entry(account["session"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
            assert_ne!(account["disposition"], "bypassed", "{account}");
        }
        assert!(accounts.values().all(|&count| count == 1), "two accounts of one session");
        let opened = records::of_event(&all, "opened").len();
        assert_eq!(accounts.len(), opened);
        // What was opened within milliseconds of a kill and had nothing passed may have left no trace.
        assert!(opened as u32 > SESSIONS * 9 / 10, "only {opened} sessions");
        let judged: BTreeSet<String> = records::of_event(&all, "judged")
            .iter()
            .filter(|record| record["action"] == "pass")
            .map(|record| format!("{}.{}", record["session"].as_str().unwrap_or_default(), record["message"]))
            .collect();
        for delivery in scene.next_hop.deliveries() {
            let text = String::from_utf8_lossy(&delivery.octets).into_owned();
            let id = text.lines().find_map(|line| line.strip_prefix("X-Postern-Session: "));
            let id = id.unwrap_or_default();
            assert!(judged.contains(id), "{id:?} arrived, and no record says that it was judged");
        }
        let cut = records::of_event(&all, "account")
            .iter()
            .filter(|account| account["reason"] == "daemon_ended")
            .count();
        println!(
            "{opened} sessions opened, {cut} of them cut by kill -9, {} messages arrived",
            arrived.len()
        );
        assert!(cut > 0, "no session was open when the daemon was killed");
    });
}
