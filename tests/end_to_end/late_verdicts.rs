//! Verdicts that come late (A12): the originator is kept waiting for so long and no longer, and no mail is delivered before
//! its verdict, whether that comes in the dialogue, behind the 250, or when the service is asked again.

use std::time::{Duration, Instant};

use harness::deadline::{SOON, never, wait_until};
use harness::fake_icap::{FOUND, FakeIcap, MARK, Mood, SERVICE};
use harness::mail;
use harness::mail_scene::{MailConfig, Scene, play, trace_fields};
use harness::next_hop::Script;
use harness::{records, requires_root};

/// How long the service takes over a message.
const SLOW: Duration = Duration::from_secs(2);

/// A gateway with a spool, and a service that takes its time.
fn config(hold: &str) -> MailConfig {
    MailConfig::spooling("scan_timeout = \"20s\"").with(&format!("hold = \"{hold}\"")).with_tables(&format!(
        "[[engine]]\nname = \"sandbox\"\naddress = \"{SERVICE}\"\ndeadline = \"20s\"\nself_test = false\n"
    ))
}

fn bad() -> Vec<u8> {
    mail::marked("bad", MARK)
}

/// Outcomes of messages in the spool, as the records have them.
fn outcomes(scene: &Scene<'_>) -> Vec<String> {
    let all = records::read(&scene.config.folder().join("records"));
    let text = |record: &&serde_json::Value| format!("{} {}", record["outcome"], record["why"]);
    records::of_event(&all, "dequeued").iter().map(text).collect()
}

/// Whether the spool has one message, which nobody is to get.
fn expect_quarantined(scene: &Scene<'_>) {
    wait_until("it is in quarantine", 2 * SOON, || {
        outcomes(scene).iter().any(|outcome| outcome.contains("quarantined") && outcome.contains(FOUND))
    });
    assert!(never(Duration::from_secs(2), || !scene.next_hop.deliveries().is_empty()), "it was delivered");
    let spool = scene.config.folder().join("spool").display().to_string();
    let list = scene.gateway.command_on_files(&["queue", "list", "--spool", &spool, "--json"]);
    assert_eq!(list.lines().count(), 1, "{list}");
}

#[test]
fn a_verdict_within_the_hold_is_the_final_reply() {
    requires_root!();
    play(&config("15s"), Script::plain(), |scene| {
        let icap = FakeIcap::start(&scene.topology.gateway, Mood::After(SLOW));
        let mut originator = scene.greeted();
        let (clean, start) = (mail::note("clean"), Instant::now());
        originator.mail(&clean).expect(250);
        assert!(start.elapsed() >= SLOW);
        assert!(originator.mail(&bad()).expect(554).text().contains(FOUND));
        originator.say("QUIT").expect(221);
        scene.expect_arrived(&[&clean]);
        // Once about each message, and about the one part of that in which it found something.
        assert_eq!(icap.counts(), (3, 3));
    });
}

#[test]
fn a_verdict_behind_the_250_comes_before_delivery() {
    requires_root!();
    play(&config("1s"), Script::plain(), |scene| {
        let icap = FakeIcap::start(&scene.topology.gateway, Mood::After(SLOW));
        let mut originator = scene.greeted();
        let (clean, start) = (mail::note("clean"), Instant::now());
        assert!(originator.mail(&clean).expect(250).text().starts_with("2.0.0 queued as "));
        assert!(start.elapsed() < SLOW, "the originator was kept waiting");
        let deliveries = scene.next_hop.wait_for_deliveries(1);
        assert!(icap.counts().1 > 0, "it was delivered before the verdict");
        trace_fields(&deliveries[0], &clean);
        scene.next_hop.forget_deliveries();
        originator.mail(&bad()).expect(250);
        originator.say("QUIT").expect(221);
        expect_quarantined(scene);
        let all = records::read(&scene.config.folder().join("records"));
        assert!(records::of_event(&all, "note").iter().any(|note| note["what"] == "hold_elapsed"));
    });
}

#[test]
fn a_service_that_has_no_verdict_yet_is_asked_again() {
    requires_root!();
    play(&config("1s"), Script::plain(), |scene| {
        let icap = FakeIcap::start(&scene.topology.gateway, Mood::ThenPending(SLOW));
        let mut originator = scene.greeted();
        // Longer than the originator waits, and then without a verdict.
        let reply = originator.mail(&bad());
        let text = reply.expect(250).text();
        let id = text.rsplit(' ').next().expect("an id");
        originator.say("QUIT").expect(221);
        wait_until("it was asked about again", SOON, || icap.counts().0 >= 2);
        let is_judged = || outcomes(scene).iter().any(|outcome| outcome.contains("quarantined"));
        assert!(never(Duration::from_secs(1), is_judged), "there is no verdict yet");
        icap.be(Mood::After(Duration::from_millis(100)));
        let spool = scene.config.folder().join("spool").display().to_string();
        wait_until("its verdict is there", SOON, || {
            // Refused once it is in quarantine.
            scene.gateway.said_on_files(&["queue", "flush", "--spool", &spool, id]);
            std::thread::park_timeout(Duration::from_millis(200));
            is_judged()
        });
        expect_quarantined(scene);
    });
}
