//! One message that ends workers, sent again and again (E2, N9): the others do not notice, and soon nobody works on it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use harness::deadline::{SOON, wait_until};
use harness::mail;
use harness::mail_scene::{MailConfig, Scene, play};
use harness::next_hop::Script;
use harness::originator::Originator;
use harness::packed;
use harness::{records, requires_root};

/// Originators of the other mail.
const ORIGINATORS: usize = 3;
/// Of so many messages one is the bad one.
const EVERY: usize = 50;
/// What the other mail keeps of its throughput.
const KEPT: f64 = 0.9;
/// How far apart two runs without the bad message may be, slowest by fastest: beyond that the machine is too busy with other
/// things to tell a tenth, and only half is asked for.
const QUIET: f64 = 1.2;

/// Other mail: every message has something to be unpacked that never came before. Gives how long all of them took, and what
/// was said to the bad one.
fn send_others(scene: &Scene<'_>, run: &str, messages: usize, bad: Option<&[u8]>) -> (Duration, Vec<u16>) {
    let (client, server) = (&scene.topology.client, scene.next_hop.address());
    let (sent, start) = (AtomicUsize::new(0), Instant::now());
    let mut codes = Vec::new();
    let took = std::thread::scope(|scope| {
        let others: Vec<_> = (0..ORIGINATORS)
            .map(|originator| {
                let sent = &sent;
                scope.spawn(move || {
                    let mut connection = Originator::greeted(client, server);
                    for number in 0..messages / ORIGINATORS {
                        if number % 500 == 499 {
                            // A session has a thousand messages at most.
                            connection.say("QUIT").expect(221);
                            connection = Originator::greeted(client, server);
                        }
                        let text = format!("{run}, {originator}, {number}");
                        let message =
                            mail::with_attachment("other", "a.txt.gz", &packed::gzip(text.as_bytes()));
                        connection.mail(&message).expect(250);
                        sent.fetch_add(1, Ordering::Relaxed);
                    }
                    connection.say("QUIT").expect(221);
                    start.elapsed()
                })
            })
            .collect();
        if let Some(bad) = bad {
            let mut connection = Originator::greeted(client, server);
            while others.iter().any(|other| !other.is_finished()) {
                if sent.load(Ordering::Relaxed) / EVERY >= codes.len() {
                    codes.push(connection.mail(bad).code);
                }
                std::thread::park_timeout(Duration::from_millis(1));
            }
        }
        let ends = others.into_iter().map(|other| other.join().expect("all other mail is taken"));
        ends.max().unwrap_or_default()
    });
    let delivered = scene.next_hop.wait_for_deliveries(messages).len();
    scene.next_hop.forget_deliveries();
    assert_eq!(delivered, messages, "all other mail is there, and nothing else");
    (took, codes)
}

/// Octets that the list of those that end workers does not have yet.
fn bad(way: &str, run: usize) -> Vec<u8> {
    let octets = [&[0x1f, 0x8b, 8][..], format!("{run} postern-chaos:unpack:{way}").as_bytes()].concat();
    mail::with_attachment("bad", "bad.gz", &octets)
}

/// Sends other mail alone and beside the bad one in turn; gives what was said to the latter in each run.
fn others_go_on(scene: &Scene<'_>, way: &str, runs: usize, messages: usize) -> Vec<Vec<u16>> {
    let mut codes = Vec::new();
    // Whatever is done once is done before.
    send_others(scene, &format!("{way} before"), messages, None);
    let mut alone = vec![send_others(scene, &format!("{way} first"), messages, None).0];
    let mut beside = Vec::new();
    for run in 0..runs {
        let (took, answers) =
            send_others(scene, &format!("{way} beside {run}"), messages, Some(&bad(way, run)));
        beside.push(took);
        codes.push(answers);
        alone.push(send_others(scene, &format!("{way} alone {run}"), messages, None).0);
    }
    let around = |run: usize| (alone[run] + alone[run + 1]).as_secs_f64() / 2.0;
    let mut kept: Vec<f64> = (0..runs).map(|run| around(run) / beside[run].as_secs_f64()).collect();
    kept.sort_by(f64::total_cmp);
    let spread = alone.iter().max().unwrap().as_secs_f64() / alone.iter().min().unwrap().as_secs_f64();
    println!("{way}: {alone:?} alone, {beside:?} beside it; {kept:.2?} of the throughput is kept");
    let asked = if spread <= QUIET { KEPT } else { KEPT / 2.0 };
    // One run differs from the next by more than what is asked for: only what nearly all of them say is said here.
    assert!(kept[runs - 2] >= asked, "{way}: the other mail kept {kept:?} of its throughput");
    codes
}

#[test]
fn other_mail_goes_on_while_one_message_ends_workers_again_and_again() {
    requires_root!();
    let config = MailConfig::plain().with_tables("[inspection.archives]\ndeadline = \"1s\"\n");
    play(&config, Script::plain(), |scene| {
        for (way, error, runs, messages) in [
            ("abort", "signal 6", 5, 900),
            ("memory", "signal 6", 5, 900),
            ("hang", "no answer in time", 5, 1800),
        ] {
            for answers in others_go_on(scene, way, runs, messages) {
                println!("{way}: it was answered {answers:?}");
                // It is put off twice, and from then on nobody works on it.
                let at = answers.iter().position(|code| *code == 554).unwrap_or(answers.len());
                assert!(at <= 2, "{way}: {answers:?}");
                assert!(answers[..at].iter().all(|code| *code == 451), "{way}: {answers:?}");
                assert!(answers[at..].iter().all(|code| *code == 554), "{way}: {answers:?}");
                assert!(way == "hang" || answers.len() > 2, "{way}: it was not sent often enough");
            }
            let all = records::read(&scene.config.folder().join("records"));
            let is_told = |engine: &&serde_json::Value| {
                let detail = engine["detail"].as_str().unwrap_or_default();
                engine["engine"] == "contents" && detail.contains(error)
            };
            assert!(records::of_event(&all, "engine").iter().any(is_told), "{way}: no record of {error}");
            if way != "hang" {
                let parts = records::of_event(&all, "part");
                assert!(parts.iter().any(|part| part.to_string().contains("kills_decoders")), "{way}");
            }
        }
    });
}

/// A safe copy is made by a worker, too; one that ends over it is what the configuration says of what cannot be rewritten.
#[test]
fn a_part_that_ends_whoever_copies_it_is_kept_and_the_rest_goes_on() {
    requires_root!();
    let tables = "[inspection.archives]\ndeadline = \"1s\"\n[inspection.rewrite]\nnot_possible = \"quarantine\"\n\
                  [[inspection.rule]]\nname = \"pages\"\nkind = [\"html\"]\naction = \"clean\"\n";
    play(&MailConfig::plain().with_tables(tables), Script::plain(), |scene| {
        let mut originator = scene.greeted();
        for (way, why) in [("abort", "ended over"), ("memory", "ended over"), ("hang", "not made in time")] {
            let page = format!("<html><!-- postern-chaos:copy:{way} --><script>x()</script></html>");
            for _ in 0..3 {
                let reply = originator.mail(&mail::with_attachment("bad", "page.html", page.as_bytes()));
                assert!(reply.expect(250).text().contains("quarantined as"), "{way}: {reply:?}");
            }
            let notes = || {
                let all = records::read(&scene.config.folder().join("records"));
                let notes =
                    records::of_event(&all, "note").into_iter().map(|note| note["detail"].to_string());
                notes.collect::<Vec<_>>()
            };
            wait_until("the record has all three", SOON, || {
                notes().last().is_some_and(|note| note.contains("has ended workers before"))
            });
            assert!(notes().iter().any(|note| note.contains(why)), "{way}: {:?}", notes());
            originator.mail(&mail::note(way)).expect(250);
        }
        originator.say("QUIT").expect(221);
        scene.expect_arrived(&[&mail::note("abort"), &mail::note("memory"), &mail::note("hang")]);
    });
}
