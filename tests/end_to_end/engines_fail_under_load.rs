//! Engines that are killed, stopped and overrun while mail comes in (F8): nothing is lost, nothing passes unseen, nothing is
//! refused for good, and all is as before within five seconds.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use harness::mail;
use harness::mail_scene::{MailConfig, Scene, play, trace_fields};
use harness::netns::NetNs;
use harness::next_hop::Script;
use harness::originator::Originator;
use harness::real_clamd::RealClamd;
use harness::real_icap::{RealIcap, SERVICE};
use harness::{requires_programs, requires_root};
use nix::sys::signal::Signal;

const ORIGINATORS: usize = 3;
/// Every so many messages are infected.
const INFECTED: usize = 4;
/// From one message of an originator to its next: a session has a thousand at most.
const BETWEEN: Duration = Duration::from_millis(20);
/// Originators that are too many.
const CROWD: usize = 20;
/// How long an engine is in trouble.
const TROUBLE: Duration = Duration::from_secs(3);
/// How long mail may take to go through, or to be put off.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long all may take to be as before.
const BACK: Duration = Duration::from_secs(5);

/// What became of the mail that was sent meanwhile.
#[derive(Default)]
struct Sent {
    accepted: Vec<Vec<u8>>,
    /// When a message was put off.
    put_off: Vec<Instant>,
    caught: usize,
}

/// Sends mail until it is told to stop; what is put off is sent again at once, and at last taken.
fn send(client: &NetNs, server: SocketAddr, originator: usize, stop: &AtomicBool, sent: &Mutex<Sent>) {
    let mut connection = Originator::greeted(client, server);
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let is_infected = number % INFECTED == 0;
        let name = format!("{originator}-{number}");
        let message = if is_infected { mail::infected(&name) } else { mail::note(&name) };
        let code = loop {
            let code = connection.mail(&message).code;
            if code != 451 || stop.load(Ordering::Relaxed) {
                break code;
            }
            sent.lock().expect("nobody panics with it").put_off.push(Instant::now());
            std::thread::park_timeout(Duration::from_millis(50));
        };
        if code == 451 {
            break;
        }
        assert_eq!(code, if is_infected { 554 } else { 250 }, "{name}");
        std::thread::park_timeout(BETWEEN);
        let mut sent = sent.lock().expect("nobody panics with it");
        if is_infected {
            sent.caught += 1;
        } else {
            sent.accepted.push(message);
        }
    }
    connection.say("QUIT").expect(221);
}

/// Sends mail while there is trouble, which says when it was over; it can wait until some mail was put off.
fn during(scene: &Scene<'_>, what: &str, trouble: impl FnOnce(&dyn Fn()) -> Instant) {
    let (client, server) = (&scene.topology.client, scene.next_hop.address());
    let (stop, sent) = (AtomicBool::new(false), Mutex::new(Sent::default()));
    let over = std::thread::scope(|scope| {
        for originator in 0..ORIGINATORS {
            let (stop, sent) = (&stop, &sent);
            scope.spawn(move || send(client, server, originator, stop, sent));
        }
        let until = |what_for: &str, is_so: &dyn Fn(&Sent) -> bool| {
            let end = Instant::now() + PATIENCE;
            while !is_so(&sent.lock().expect("nobody panics with it")) {
                if Instant::now() > end {
                    stop.store(true, Ordering::Relaxed);
                    panic!("{what}: {what_for}");
                }
                std::thread::park_timeout(Duration::from_millis(10));
            }
        };
        until("no mail goes through before", &|sent| sent.accepted.len() >= 10);
        let over = trouble(&|| until("nobody notices", &|sent| !sent.put_off.is_empty()));
        while over.elapsed() < BACK {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        // All is as before for a while.
        let now = sent.lock().expect("nobody panics with it").accepted.len();
        until("no mail goes through after", &|sent| sent.accepted.len() >= now + 20);
        stop.store(true, Ordering::Relaxed);
        over
    });
    let sent = sent.into_inner().expect("nobody panics with it");
    let late = sent.put_off.iter().filter(|at| **at > over + BACK).count();
    println!(
        "{what}: {} accepted, {} caught, {} put off, the last {:?} after it was over",
        sent.accepted.len(),
        sent.caught,
        sent.put_off.len(),
        sent.put_off.iter().max().map(|at| at.saturating_duration_since(over))
    );
    assert_eq!(late, 0, "{what}: mail is put off after {BACK:?}");
    assert!(sent.caught > 0);
    let mut deliveries = scene.next_hop.wait_for_deliveries(sent.accepted.len());
    assert_eq!(deliveries.len(), sent.accepted.len(), "{what}: what was accepted is there, once");
    for message in &sent.accepted {
        let at = deliveries.iter().position(|delivery| delivery.octets.ends_with(message));
        trace_fields(&deliveries.swap_remove(at.expect("it has arrived")), message);
    }
    scene.next_hop.forget_deliveries();
}

fn wait(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn clamd_is_killed_stopped_and_overrun() {
    requires_root!();
    requires_programs!("clamd");
    let namespace = NetNs::new("clamd");
    let mut clamd = RealClamd::start(&namespace);
    let engine = format!(
        "[[engine]]\nname = \"clamd\"\naddress = \"{}\"\ndeadline = \"1s\"\nconcurrency = 2\nqueue = 1\n",
        clamd.socket().display()
    );
    play(&MailConfig::plain().with_tables(&engine), Script::plain(), |scene| {
        during(scene, "clamd killed", |missed| clamd.kill_and_start(&namespace, missed));
        during(scene, "clamd stopped", |missed| {
            clamd.signal(Signal::SIGSTOP);
            wait(TROUBLE);
            missed();
            clamd.signal(Signal::SIGCONT);
            Instant::now()
        });
        during(scene, "clamd overrun", |missed| {
            // More at a time than it takes, and than may wait for it.
            let (client, server) = (&scene.topology.client, scene.next_hop.address());
            let end = Instant::now() + TROUBLE;
            std::thread::scope(|scope| {
                for _ in 0..CROWD {
                    scope.spawn(move || {
                        let mut connection = Originator::greeted(client, server);
                        while Instant::now() < end {
                            let code = connection.mail(&mail::infected("crowd")).code;
                            assert!(matches!(code, 451 | 554), "{code}");
                        }
                    });
                }
            });
            missed();
            Instant::now()
        });
        scene.expect_clean_wire();
    });
}

#[test]
fn c_icap_is_killed_and_stopped() {
    requires_root!();
    requires_programs!("c-icap", "clamd");
    let namespace = NetNs::new("clamd");
    let clamd = RealClamd::start(&namespace);
    let engine = format!("[[engine]]\nname = \"icap\"\naddress = \"{SERVICE}\"\ndeadline = \"1s\"\n");
    play(&MailConfig::plain().with_tables(&engine), Script::plain(), |scene| {
        let gateway = &scene.topology.gateway;
        let mut icap = RealIcap::start(gateway, &clamd.socket());
        during(scene, "c-icap killed", |missed| icap.kill_and_start(gateway, missed));
        during(scene, "c-icap stopped", |missed| {
            icap.signal(Signal::SIGSTOP);
            wait(TROUBLE);
            missed();
            icap.signal(Signal::SIGCONT);
            Instant::now()
        });
        scene.expect_clean_wire();
    });
}
