//! A mail that an engine should have seen and did not is put off, whatever the engine does instead.

use std::time::{Duration, Instant};

use harness::fake_clamd::{Answer, FakeClamd};
use harness::mail;
use harness::mail_scene::{MailConfig, play};
use harness::next_hop::Script;
use harness::records;
use harness::requires_root;

#[test]
fn an_engine_that_is_down_or_talks_nonsense_defers_mail() {
    requires_root!();
    let clamd = FakeClamd::start(Answer::Honest);
    let config = MailConfig::plain().with_clamd(&clamd.socket());
    play(&config, Script::plain(), |scene| {
        let message = mail::note("judged");
        let mut originator = scene.greeted();
        originator.mail(&message).expect(250);
        assert_eq!(clamd.scans(), 2, "it was shown the test file first");
        clamd.answer(Answer::Line("stream: Some.Thing FOUND"));
        let reply = originator.mail(&mail::note("found"));
        assert!(reply.expect(554).text().contains("Some.Thing"), "{reply:?}");
        clamd.answer(Answer::Line("stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND"));
        // A limit is never clean, and a later attempt would be as large.
        originator.mail(&mail::note("too much")).expect(554);
        clamd.answer(Answer::Line("stream: INSTREAM size limit exceeded. ERROR"));
        originator.mail(&mail::note("too large")).expect(554);
        for answer in
            [Answer::Close, Answer::Cut, Answer::Line(""), Answer::Line("stream: OKAY"), Answer::Line("OK")]
        {
            clamd.answer(answer.clone());
            let reply = originator.mail(&mail::note("unjudged"));
            assert_eq!(reply.code, 451, "{answer:?}: {reply:?}");
        }
        // It has failed often enough to be left alone for a moment, and is back within five seconds.
        clamd.answer(Answer::Honest);
        let (back, mut deferred) = (Instant::now(), 5);
        while originator.mail(&message).code != 250 {
            deferred += 1;
            assert!(back.elapsed() < Duration::from_secs(5), "it is not asked any more");
            std::thread::park_timeout(Duration::from_millis(100));
        }
        drop(clamd);
        let reply = originator.mail(&mail::note("nobody"));
        assert_eq!(reply.code, 451, "{reply:?}");
        originator.say("QUIT").expect(221);
        scene.expect_arrived(&[&message, &message]);
        let all = scene.accounts(1);
        let account = records::of_event(&all, "account")[0];
        assert_eq!(
            (&account["delivered"], &account["deferred"]),
            (&2.into(), &(deferred + 1).into()),
            "{account}"
        );
        assert_eq!(account["disposition"], "inspected");
    });
}
