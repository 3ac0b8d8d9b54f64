//! As many processes and threads as `pids.max` allows.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

use harness::control_group::Controller;
use harness::deadline::{SOON, wait_until};
use harness::mail;
use harness::mail_scene::{MailConfig, play_within};
use harness::next_hop::Script;
use harness::packed;
use harness::{requires_control_group, requires_root};
use nix::sys::signal::Signal;

use super::load::{A_SECOND, AGAIN, Book, Outcome, PATIENCE, bring, expect_short_log, rounds, under_load};

/// How long each of these scenarios is at the limit, with all faults at length.
const MINUTES: u32 = 15;
/// Of so many messages one has something to be unpacked, by a process of its own.
const PACKED: u32 = 5;
/// Of so many commands of a session that there is one is a message: who only says NOOP is sent away in the end.
const MAIL_EVERY: u32 = 20;
/// Lines of trouble for each time at the limit, and for each message that could not be unpacked.
const LINES: usize = 20;

fn packed_note(subject: &str) -> Vec<u8> {
    mail::with_attachment(subject, "a.txt.gz", &packed::gzip(subject.as_bytes()))
}

fn no_threads(config: &MailConfig) {
    let group = requires_control_group!(Controller::Pids);
    play_within(&[&group], config, Script::plain(), |scene| {
        let scene = &*scene;
        let (book, number) = (Book::default(), AtomicU32::new(0));
        let (count, calls) = (Cell::new(0), Cell::new(0_u32));
        let (topology, server, spools) = (scene.topology, scene.next_hop.address(), config.is_spooling());
        let daemon = scene.gateway.pid();
        let mut held = scene.greeted();
        let make = |subject: &str| {
            let number = number.fetch_add(1, Ordering::Relaxed);
            if number % PACKED == 0 { packed_note(subject) } else { mail::note(subject) }
        };
        under_load(scene, &book, A_SECOND, make, || {
            rounds(
                MINUTES,
                || {
                    count.set(count.get() + 1);
                    // Threads that end, and workers, are not to be had again.
                    group.limit(Some(1));
                    if spools {
                        scene.gateway.kill9_dequeuer();
                    }
                    // What needs a thread for a moment is not to end the daemon either.
                    scene.gateway.signal(Signal::SIGHUP);
                },
                || {
                    calls.set(calls.get() + 1);
                    if calls.get() % MAIL_EVERY == 0 {
                        let subject = format!("held-{}-end", calls.get());
                        let outcome = match held.mail(&mail::note(&subject)).code {
                            250 => Outcome::Accepted,
                            code => Outcome::Said(code),
                        };
                        book.note(&subject, outcome);
                    } else {
                        held.say("NOOP").expect(250);
                    }
                    book.collect(&scene.next_hop);
                },
                || {
                    let arrived = book.collect(&scene.next_hop);
                    group.limit(None);
                    wait_until("mail is taken and unpacked again", AGAIN, || {
                        let subject = format!("again-{}-end", number.fetch_add(1, Ordering::Relaxed));
                        let outcome = bring(topology, server, &packed_note(&subject));
                        book.note(&subject, outcome);
                        outcome == Outcome::Accepted && book.collect(&scene.next_hop) > arrived
                    });
                    wait_until("most is delivered", PATIENCE, || book.behind(&scene.next_hop) < 50);
                },
            );
        });
        assert_eq!(scene.gateway.pid(), daemon);
        assert!(group.hits() > 0, "the limit was never run into");
        println!("{} processes and threads were not made", group.hits());
        held.say("QUIT").expect(221);
        // Of each dequeuer that was killed.
        book.close(scene, count.get() * 50);
        expect_short_log(&scene.gateway.log(), LINES * (1 + count.get() as usize) + book.said(451) as usize);
        wait_until("there is a dequeuer", SOON, || !spools || scene.gateway.dequeuers().len() == 1);
    });
}

#[test]
fn without_threads_mail_is_taken_or_put_off_and_unpacked_and_delivered_when_there_are_some() {
    requires_root!();
    no_threads(&MailConfig::spooling(""));
}

#[test]
fn without_threads_a_proxy_passes_mail_on_or_puts_it_off() {
    requires_root!();
    no_threads(&MailConfig::plain());
}
