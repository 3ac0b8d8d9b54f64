//! As much memory as `memory.max` allows, and a worker that wants more than it may have.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use harness::control_group::Controller;
use harness::deadline::{SOON, wait_until};
use harness::mail;
use harness::mail_scene::{MailConfig, Scene, play, play_within};
use harness::next_hop::Script;
use harness::packed;
use harness::process::resident;
use harness::{requires_control_group, requires_root};
use serde_json::Value;

use super::load::{AGAIN, Book, Outcome, PATIENCE, bring, expect_short_log, rounds, under_load};

/// How long each of these scenarios is at the limit, with all faults at length.
const MINUTES: u32 = 30;
/// Beyond what is in use at rest: more than the daemon needs for mail, and less than a worker may have.
const BESIDE: u64 = 64 << 20;
/// What the kernel gives beyond the limit to a process that it has just killed, so that it can end.
const ENDING: u64 = 1 << 20;
/// Of how many messages one has an attachment that a worker unpacks.
const EVERY: u32 = 4;
/// Messages in a second.
const A_SECOND: u32 = 20;
/// Lines of trouble for each time at the limit, and for each message that was put off or process that was killed.
const LINES: usize = 20;

#[test]
fn without_memory_workers_go_first_and_nothing_that_was_accepted_is_lost() {
    requires_root!();
    let group = requires_control_group!(Controller::Memory);
    let config = MailConfig::spooling("");
    play_within(&[&group], &config, Script::plain(), |scene| {
        let scene = &*scene;
        let (book, number, count) = (Book::default(), AtomicU32::new(0), Cell::new(0_usize));
        let (topology, server) = (scene.topology, scene.next_hop.address());
        let daemon = scene.gateway.pid();
        let first = mail::with_attachment("first", "a.txt.gz", &packed::gzip(b"first"));
        scene.greeted().mail(&first).expect(250);
        book.note("first", Outcome::Accepted);
        wait_until("it is delivered", SOON, || book.behind(&scene.next_hop) == 0);
        let limit = group.used() + BESIDE;
        println!("{} MiB of memory at rest, {} MiB allowed", group.used() >> 20, limit >> 20);
        let (is_limited, most) = (AtomicBool::new(false), AtomicU64::new(0));
        let note_used = || {
            // Asked first: it may be lifted meanwhile.
            let used = group.used();
            if is_limited.load(Ordering::SeqCst) {
                most.fetch_max(used, Ordering::SeqCst);
            }
        };
        let make = |subject: &str| {
            note_used();
            match number.fetch_add(1, Ordering::Relaxed) % EVERY {
                0 => mail::with_attachment(subject, "a.txt.gz", &packed::gzip(subject.as_bytes())),
                _ => mail::note(subject),
            }
        };
        let (own, greedy) = (Cell::new(0), Cell::new(0_usize));
        under_load(scene, &book, A_SECOND, make, || {
            rounds(
                MINUTES,
                || {
                    count.set(count.get() + 1);
                    // Not while a worker has what the last one of these messages made it take.
                    wait_until("the limit can be set", PATIENCE, || group.try_limit(Some(limit)));
                    is_limited.store(true, Ordering::SeqCst);
                },
                || {
                    // Makes a worker use more and more; each is another one, as nobody is to remember it.
                    let order =
                        format!("{} postern-chaos:unpack:pages", number.fetch_add(1, Ordering::Relaxed));
                    let outcome =
                        bring(topology, server, &mail::with_attachment("greedy", "a.gz", &asking(&order)));
                    // Where everybody waits for memory, the hold may be over before there is a verdict, or the daemon says
                    // so late that it is alive that the kernel refuses connections meanwhile.
                    let is_in_order =
                        matches!(outcome, Outcome::Said(400..500) | Outcome::Accepted | Outcome::Cut);
                    assert!(is_in_order, "{outcome:?}");
                    greedy.set(greedy.get() + 1);
                    note_used();
                    own.set(own.get().max(resident(daemon)));
                    book.collect(&scene.next_hop);
                },
                || {
                    is_limited.store(false, Ordering::SeqCst);
                    group.limit(None);
                    wait_until("mail is taken again", AGAIN, || {
                        let subject = format!("again-{}-end", number.fetch_add(1, Ordering::Relaxed));
                        let outcome = bring(topology, server, &mail::note(&subject));
                        book.note(&subject, outcome);
                        outcome == Outcome::Accepted
                    });
                    wait_until("most is delivered", PATIENCE, || book.behind(&scene.next_hop) < 20);
                },
            );
        });
        wait_until("everything else is delivered", PATIENCE, || book.behind(&scene.next_hop) == 0);
        give_up_the_rest(scene);
        assert_eq!(book.copies_of("greedy"), 0, "it was delivered without a verdict");
        println!("{} messages that take all memory", greedy.get());
        println!(
            "{} MiB of {} at most, the daemon {} MiB; run into {} times, {} processes killed",
            most.load(Ordering::SeqCst) >> 20,
            limit >> 20,
            own.get() >> 20,
            group.hits(),
            group.killed()
        );
        assert!(group.hits() > 0 && group.killed() > 0, "the limit was never run into");
        let most = most.into_inner();
        assert!(most <= limit + ENDING, "{most} of {limit}");
        assert!(own.get() <= limit);
        assert_eq!(scene.gateway.pid(), daemon);
        // Of each dequeuer that the kernel has ended.
        book.close(scene, u32::try_from(group.killed()).expect("few") * 50);
        let killed = usize::try_from(group.killed()).expect("few");
        let put_off = book.said(451) as usize + greedy.get();
        expect_short_log(&scene.gateway.log(), LINES * (1 + count.get()) + 4 * killed + put_off);
    });
}

/// Takes what nobody can judge out of the spool.
fn give_up_the_rest(scene: &Scene<'_>) {
    let spool = scene.config.folder().join("spool").display().to_string();
    let queue = |arguments: &[&str]| {
        scene.gateway.command_on_files(&[&["queue", "--spool", &spool], arguments].concat())
    };
    let list = queue(&["list", "--json"]);
    let rows = list.lines().map(|line| serde_json::from_str::<Value>(line).expect("a row"));
    let ids: Vec<String> = rows.map(|row| row["id"].as_str().expect("an id").to_owned()).collect();
    println!("{} of them were taken over and not delivered", ids.len());
    if !ids.is_empty() {
        queue(&[&["delete"], &ids.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat());
    }
}

/// What looks like gzip and has such an order in it.
fn asking(order: &str) -> Vec<u8> {
    [&[0x1f, 0x8b, 8][..], order.as_bytes()].concat()
}

/// Debug builds of workers do on request what others do by accident.
#[test]
fn a_worker_that_wants_more_memory_than_it_may_have_costs_its_own_message_alone() {
    requires_root!();
    play(&MailConfig::spooling(""), Script::plain(), |scene| {
        let book = Book::default();
        let (topology, server) = (scene.topology, scene.next_hop.address());
        let mut held = scene.greeted();
        let make =
            |subject: &str| mail::with_attachment(subject, "a.txt.gz", &packed::gzip(subject.as_bytes()));
        under_load(scene, &book, A_SECOND, make, || {
            for number in 0..3 {
                let octets = asking(&format!("{number} postern-chaos:unpack:memory"));
                let greedy = mail::with_attachment("greedy", "a.gz", &octets);
                let outcome = bring(topology, server, &greedy);
                println!("a message that takes all memory: {outcome:?}");
                assert!(matches!(outcome, Outcome::Said(400..500)), "{outcome:?}");
                held.say("NOOP").expect(250);
            }
        });
        assert_eq!(book.said(451), 0, "somebody else was put off");
        assert!(book.accepted() > 0);
        held.mail(&make("held")).expect(250);
        book.note("held", Outcome::Accepted);
        book.close(scene, 0);
    });
}
