//! As many files and connections as `RLIMIT_NOFILE` allows.

use std::cell::Cell;
use std::time::{Duration, Instant};

use harness::deadline::{SOON, wait_until};
use harness::mail;
use harness::mail_scene::{MailConfig, Scene, play};
use harness::next_hop::Script;
use harness::originator::Originator;
use harness::process::{beyond_descriptors, cpu_time, descriptors, limit_descriptors};
use harness::{records, requires_root};
use nix::unistd::Pid;

use super::load::{A_SECOND, AGAIN, Book, Outcome, PATIENCE, bring, expect_short_log, rounds, under_load};

/// How long each of these scenarios is at the limit, with all faults at length.
const MINUTES: u32 = 10;
/// What the daemon keeps for itself and for sessions that there are, at the least.
const KEPT: u64 = 32;
/// Sessions beside those, or one descriptor for each.
const FEW: u64 = 12;
/// Share of one CPU that may be used to turn the load away, in a build that is not optimised: whoever asks again and again
/// for a connection that he cannot have uses all of one.
const CPU: f64 = 0.5;
/// How long a shortage comes and goes, and how long it lasts.
const COMES_AND_GOES: Duration = Duration::from_secs(3);
const A_MOMENT: Duration = Duration::from_millis(5);
/// How many times as long one lasts, at most.
const MOMENTS: u32 = 6;
/// Lines of trouble that tell of it, with what is said at the start.
const FEW_LINES: usize = 10;
/// Lines of trouble for each time at the limit.
const LINES: usize = 25;

/// Opens sessions until the next one is turned away.
fn fill(scene: &Scene<'_>) -> Vec<Originator> {
    let mut held = Vec::new();
    loop {
        let mut originator = scene.called();
        match originator.reply().code {
            220 => originator.say("EHLO client.test").expect(250),
            code => {
                assert_eq!(code, 421);
                return held;
            }
        };
        held.push(originator);
        assert!(held.len() < 400, "nobody is turned away");
    }
}

fn few_descriptors(config: &MailConfig) {
    play(config, Script::plain(), |scene| {
        let scene = &*scene;
        let (book, daemon) = (Book::default(), scene.gateway.pid());
        let (topology, server) = (scene.topology, scene.next_hop.address());
        // So that everything is there that is made when it is needed.
        scene.greeted().mail(&mail::note("first")).expect(250);
        let tight = beyond_descriptors(daemon) + KEPT + FEW;
        let usual = limit_descriptors(daemon, tight);
        let mut held = fill(scene);
        println!("{} sessions at a limit of {KEPT} and {FEW} beyond what is open at rest", held.len());
        assert!(held.len() >= 3, "{} sessions", held.len());
        let (number, count) = (Cell::new(0_usize), Cell::new(0_usize));
        let (began, before) = (Instant::now(), cpu_time(daemon));
        under_load(scene, &book, A_SECOND, mail::note, || {
            rounds(
                MINUTES,
                || {
                    // Every second time there is not even one to say no with.
                    let most = if count.get() % 2 == 0 { tight } else { descriptors(daemon) - 1 };
                    limit_descriptors(daemon, most);
                    count.set(count.get() + 1);
                },
                || {
                    let number = number.replace(number.get() + 1);
                    let which = number % held.len();
                    let subject = format!("held-{number}-end");
                    held[which].say("NOOP").expect(250);
                    if number % 50 < held.len() {
                        held[which].envelope("a@client.test", "b@server.test");
                        held[which].say("DATA").expect(354);
                        held[which].send(&mail::stuffed(&mail::note(&subject)));
                        let code = held[which].reply().code;
                        book.note(
                            &subject,
                            if code == 250 { Outcome::Accepted } else { Outcome::Said(code) },
                        );
                    }
                    book.collect(&scene.next_hop);
                },
                || {
                    limit_descriptors(daemon, usual);
                    wait_until("mail is taken again", AGAIN, || {
                        let subject = format!("again-{}-end", number.replace(number.get() + 1));
                        let outcome = bring(topology, server, &mail::note(&subject));
                        book.note(&subject, outcome);
                        outcome == Outcome::Accepted
                    });
                },
            );
        });
        let share = cpu_time(daemon).saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
        println!("{:.0} % of a CPU", share * 100.0);
        assert!(share < CPU, "{share}");
        assert!(book.said(421) > 0, "nobody was told to come again");
        for mut originator in held {
            originator.say("QUIT").expect(221);
        }
        book.note("first", Outcome::Accepted);
        book.close(scene, 0);
        expect_short_log(&scene.gateway.log(), LINES * (1 + count.get()));
        scene
            .gateway
            .wait_for_line(|line| line.contains("descriptors run out") && line.contains("LimitNOFILE="));
        scene.gateway.wait_for_line(|line| line.contains("there are descriptors for connections again"));
        let folder = scene.config.folder().join("records");
        wait_until("all that was turned away is in the records", SOON, || {
            let all = records::read(&folder);
            let reasons = records::of_event(&all, "account").into_iter().map(|account| &account["reason"]);
            // A proxy that was let in and has none for the next hop says the same.
            let is_one = |reason: &&serde_json::Value| {
                **reason == "no_descriptors" || **reason == "next_hop_unreachable"
            };
            reasons.filter(is_one).count() >= book.said(421) as usize
        });
    });
}

#[test]
fn without_descriptors_originators_are_told_to_come_again_and_sessions_go_on() {
    requires_root!();
    few_descriptors(&MailConfig::spooling(""));
}

#[test]
fn without_descriptors_a_proxy_tells_originators_to_come_again_and_sessions_go_on() {
    requires_root!();
    few_descriptors(&MailConfig::plain());
}

/// The dequeuer, when it has all that it opens at its start: one that cannot start ends, and is started again.
fn started_dequeuer(scene: &Scene<'_>) -> Pid {
    let socket = scene.config.folder().join("spool/socket");
    wait_until("the dequeuer can be given orders", SOON, || socket.exists());
    scene.gateway.dequeuers()[0]
}

#[test]
fn a_dequeuer_without_descriptors_loses_nothing_and_delivers_when_there_are_some() {
    requires_root!();
    play(&MailConfig::spooling(""), Script::plain(), |scene| {
        let scene = &*scene;
        let book = Book::default();
        scene.greeted().mail(&mail::note("first")).expect(250);
        book.note("first", Outcome::Accepted);
        wait_until("it is delivered", SOON, || book.behind(&scene.next_hop) == 0);
        let dequeuer = started_dequeuer(scene);
        let (began, before) = (Instant::now(), cpu_time(dequeuer));
        let (usual, mut count) = (Cell::new(0), 0);
        under_load(scene, &book, A_SECOND, mail::note, || {
            rounds(
                MINUTES,
                || {
                    count += 1;
                    usual.set(limit_descriptors(dequeuer, descriptors(dequeuer)));
                },
                || {
                    book.collect(&scene.next_hop);
                },
                || {
                    let (before, arrived) = (book.behind(&scene.next_hop), book.collect(&scene.next_hop));
                    limit_descriptors(dequeuer, usual.get());
                    wait_until("mail is delivered again", AGAIN, || {
                        before == 0 || book.collect(&scene.next_hop) > arrived
                    });
                    wait_until("most is delivered", PATIENCE, || book.behind(&scene.next_hop) < 50);
                },
            );
        });
        let share = cpu_time(dequeuer).saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
        println!("{:.0} % of a CPU", share * 100.0);
        assert_eq!(scene.gateway.dequeuers(), [dequeuer], "there is another dequeuer");
        assert_eq!(
            book.said(421) + book.said(451) + book.said(452),
            0,
            "whoever brings mail notices nothing"
        );
        book.close(scene, 0);
        expect_short_log(&scene.gateway.log(), LINES * (1 + count));
    });
}

/// A shortage that meets whatever goes on at the moment.
fn comes_and_goes(process: Pid, usual: u64, meanwhile: impl Fn()) {
    let until = Instant::now() + COMES_AND_GOES;
    // Not always as long: what is done after a while would always or never meet it.
    for moment in (1..=MOMENTS).cycle().map(|count| A_MOMENT * count).take_while(|_| Instant::now() < until) {
        limit_descriptors(process, descriptors(process));
        meanwhile();
        std::thread::park_timeout(moment);
        limit_descriptors(process, usual);
        std::thread::park_timeout(moment);
    }
}

fn moments_without_descriptors(config: &MailConfig) {
    play(config, Script::plain(), |scene| {
        let scene = &*scene;
        let (book, daemon) = (Book::default(), scene.gateway.pid());
        let (topology, server) = (scene.topology, scene.next_hop.address());
        let mut held = scene.greeted();
        let usual = limit_descriptors(daemon, descriptors(daemon) + KEPT + FEW);
        limit_descriptors(daemon, usual);
        under_load(scene, &book, A_SECOND, mail::note, || {
            comes_and_goes(daemon, usual, || {
                // Flows are to hear of it, and that failed for want of a descriptor.
                topology.gateway.ip("route replace 203.0.113.0/24 dev pgw1\nroute del 203.0.113.0/24\n");
            });
            wait_until("mail is taken again", AGAIN, || {
                let outcome = bring(topology, server, &mail::note("again-end"));
                book.note("again-end", outcome);
                outcome == Outcome::Accepted
            });
        });
        assert!(book.said(421) + book.said(451) > 0, "nobody met it");
        held.mail(&mail::note("held-end")).expect(250);
        book.note("held-end", Outcome::Accepted);
        held.say("QUIT").expect(221);
        assert_eq!(scene.gateway.pid(), daemon);
        book.close(scene, 0);
        expect_short_log(&scene.gateway.log(), FEW_LINES);
    });
}

#[test]
fn moments_without_descriptors_put_mail_off_and_leave_nothing_behind() {
    requires_root!();
    moments_without_descriptors(&MailConfig::spooling(""));
}

#[test]
fn moments_without_descriptors_put_a_proxys_mail_off_and_leave_nothing_behind() {
    requires_root!();
    moments_without_descriptors(&MailConfig::plain());
}

#[test]
fn attempts_that_a_shortage_met_are_made_again_at_once_and_put_nothing_off() {
    requires_root!();
    // Each message needs a connection of its own, and so descriptors; none is tried again of itself within this test.
    let config = MailConfig::spooling_by("resend_period = \"10m\"\nmax_mails_per_conn = 1");
    play(&config, Script::plain(), |scene| {
        let scene = &*scene;
        let book = Book::default();
        let dequeuer = started_dequeuer(scene);
        let usual = limit_descriptors(dequeuer, descriptors(dequeuer) + KEPT + FEW);
        under_load(scene, &book, A_SECOND, mail::note, || {
            comes_and_goes(dequeuer, usual, || {});
        });
        book.close(scene, 0);
        let all = records::read(&scene.config.folder().join("records"));
        let put_off: Vec<_> = records::of_event(&all, "dequeued")
            .into_iter()
            .filter(|record| record["outcome"] == "deferred")
            .collect();
        assert!(put_off.is_empty(), "{} were put off, the first: {:#}", put_off.len(), put_off[0]);
        assert_eq!(scene.gateway.dequeuers(), [dequeuer], "there is another dequeuer");
        expect_short_log(&scene.gateway.log(), FEW_LINES);
    });
}
