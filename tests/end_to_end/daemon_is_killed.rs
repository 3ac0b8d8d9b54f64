//! N1: the daemon is killed among random sessions; the account balances, and nothing arrived that was not judged.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use harness::mail;
use harness::mail_scene::{MailConfig, Scene, play};
use harness::next_hop::Script;
use harness::originator::Originator;
use harness::records;
use harness::requires_root;

/// Sessions of one round, by four threads.
const SESSIONS: u32 = 240;

/// `SplitMix64`.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One session of a few random steps; returns the subjects whose final reply was 250.
fn random_session(scene: &Scene<'_>, number: u32, random: &mut u64) -> Vec<String> {
    let mut taken = Vec::new();
    let Ok(mut originator) = Originator::try_connect(&scene.topology.client, scene.next_hop.address()) else {
        return taken;
    };
    let say = |originator: &mut Originator, octets: &[u8]| -> Option<u16> {
        originator.try_send(octets).ok()?;
        originator.try_reply().ok()?.map(|reply| reply.code)
    };
    if !matches!(originator.try_reply(), Ok(Some(_)))
        || say(&mut originator, b"EHLO client.test\r\n").is_none()
    {
        return taken;
    }
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

#[test]
fn sessions_balance_and_nothing_unjudged_arrives_when_the_daemon_is_killed() {
    requires_root!();
    let seed = 0x5057_4e42;
    println!("seed {seed:#x}");
    play(&MailConfig::plain(), Script::plain(), |scene| {
        let mut taken = Vec::new();
        for round in 0..4_u64 {
            let number = AtomicU32::new(0);
            let done = AtomicU32::new(0);
            // Killed once a random share of the round's sessions is through; the last round is not disturbed.
            let mut random = seed ^ round;
            let kill_after = 10 + (next(&mut random) % u64::from(SESSIONS / 2)) as u32;
            let here = &*scene;
            let (number, done) = (&number, &done);
            std::thread::scope(|scope| {
                let workers: Vec<_> = (0..4_u64)
                    .map(|worker| {
                        scope.spawn(move || {
                            let mut random = seed ^ (round << 8) ^ (worker << 16);
                            let mut taken = Vec::new();
                            loop {
                                let mine = number.fetch_add(1, Ordering::Relaxed);
                                if mine >= SESSIONS / 4 {
                                    return taken;
                                }
                                let unique = round as u32 * 10_000 + mine;
                                taken.extend(random_session(here, unique, &mut random));
                                done.fetch_add(1, Ordering::Relaxed);
                            }
                        })
                    })
                    .collect();
                if round < 3 {
                    while done.load(Ordering::Relaxed) < kill_after.min(SESSIONS / 8) {
                        std::thread::park_timeout(Duration::from_millis(1));
                    }
                    here.gateway.signal(nix::sys::signal::Signal::SIGKILL);
                }
                for worker in workers {
                    taken.extend(worker.join().expect("no session fails the test"));
                }
            });
            if round < 3 {
                scene.gateway.forget_killed();
                scene.gateway.run();
            }
        }
        let clean = scene.expect_clean_wire();
        drop(clean);
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
        harness::deadline::wait_until("an account for every session", harness::deadline::SOON, || {
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
        assert!(opened as u32 >= SESSIONS / 4, "only {opened} sessions");
    });
}
