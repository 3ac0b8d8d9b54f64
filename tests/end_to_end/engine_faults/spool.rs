//! Messages that were taken over while an engine fails: each is judged before it is delivered, none is lost, and what
//! waited for the engine goes out once it is back.

use std::time::{Duration, Instant};

use harness::deadline::{SOON, never, wait_until};
use harness::depth::depth;
use harness::fake_clamd::{Answer, FakeClamd, MARK};
use harness::mail;
use harness::mail_scene::{MailConfig, Scene, play, trace_fields};
use harness::next_hop::Script;
use harness::{records, requires_root};

use super::{BACK, FAULTY, engine};

/// How long the queue may take, once the first of it is delivered.
const PATIENCE: Duration = Duration::from_mins(1);

/// How many messages of the spool had this outcome so far.
fn outcomes(scene: &Scene<'_>, outcome: &str) -> usize {
    let all = records::read(&scene.config.folder().join("records"));
    records::of_event(&all, "dequeued").iter().filter(|record| record["outcome"] == outcome).count()
}

/// Has mail taken over: what is clean, and how many are not.
fn take_over(scene: &Scene<'_>, count: usize) -> (Vec<Vec<u8>>, usize) {
    let (mut clean, mut bad) = (Vec::new(), 0);
    let mut originator = scene.greeted();
    for number in 0..count {
        // A session may bring so many messages, and no more.
        if number % 50 == 49 {
            originator.say("QUIT").expect(221);
            originator = scene.greeted();
        }
        let message = if number % 4 == 3 {
            bad += 1;
            mail::marked(&format!("bad {number}"), MARK)
        } else {
            clean.push(mail::note(&format!("clean {number}")));
            clean[clean.len() - 1].clone()
        };
        originator.mail(&message).expect(250);
    }
    originator.say("QUIT").expect(221);
    (clean, bad)
}

#[test]
fn mail_that_was_taken_over_waits_for_an_engine_that_fails_and_goes_out_when_it_is_back() {
    requires_root!();
    let clamd = FakeClamd::start(Answer::Honest);
    let tables = engine(FAULTY, &clamd.socket().display().to_string(), "");
    let config = MailConfig::spooling("").with("hold = \"100ms\"").with_tables(&tables);
    let spool = config.folder().join("spool");
    play(&config, Script::plain(), |scene| {
        clamd.answer(Answer::Hang);
        let count = depth(20, 500) as usize;
        let (clean, bad) = take_over(scene, count);
        wait_until("it is asked", SOON, || clamd.scans() > 0);
        assert!(never(Duration::from_secs(2), || scene.next_hop.count() > 0), "delivered unjudged");
        assert_eq!(outcomes(scene, "quarantined"), 0, "there is no verdict yet");
        clamd.answer(Answer::Honest);
        let over = Instant::now();
        wait_until("what waited is delivered", BACK, || scene.next_hop.count() > 0);
        let back = over.elapsed();
        wait_until("all of it is", PATIENCE, || scene.next_hop.count() >= clean.len());
        println!(
            "clamd hangs behind the 250: {count} messages, {} delivered, {bad} kept, the first {back:?} and the last {:?} after \
             it was over",
            clean.len(),
            over.elapsed()
        );
        wait_until("the rest is in quarantine", PATIENCE, || outcomes(scene, "quarantined") == bad);
        let files = |place: &str| std::fs::read_dir(spool.join(place)).expect("the spool's folder").count();
        wait_until("nothing else is left", SOON, || {
            files("active") + files("deferred") + files("bundle") == 0
        });
        let mut deliveries = scene.next_hop.take_deliveries();
        assert_eq!(deliveries.len(), clean.len(), "once");
        for message in &clean {
            let at = deliveries.iter().position(|delivery| delivery.octets.ends_with(message));
            trace_fields(&deliveries.swap_remove(at.expect("it has arrived")), message);
        }
        let all = records::read(&config.folder().join("records"));
        let said = |result: &str| {
            let said = records::of_event(&all, "engine").into_iter();
            said.filter(|record| record["engine"] == FAULTY && record["result"] == result).count()
        };
        assert_eq!((said("clean"), said("infected")), (clean.len(), bad), "verdicts");
        assert!(said("error") > 0, "the records tell why there was none before");
    });
}
