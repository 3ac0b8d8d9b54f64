//! What is unpacked is unpacked by processes without rights, and one that is ended takes nothing along.

use harness::deadline::{SOON, wait_until};
use harness::mail;
use harness::mail_scene::{MailConfig, play};
use harness::next_hop::Script;
use harness::packed;
use harness::{records, requires_root};
use nix::unistd::Pid;

#[test]
fn a_worker_has_no_rights_and_its_death_costs_no_mail() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain(), |scene| {
        let message = mail::with_attachment("packed", "a.txt.gz", &packed::gzip(b"hello"));
        let mut originator = scene.greeted();
        originator.mail(&message).expect(250);
        let before = scene.gateway.workers();
        assert_eq!(before.len(), 1, "one worker is enough for one message");
        let status = std::fs::read_to_string(format!("/proc/{}/status", before[0])).expect("it runs");
        for (field, value) in
            [("Seccomp:", "2"), ("NoNewPrivs:", "1"), ("CapEff:", "0000000000000000"), ("Uid:", "65534")]
        {
            let line = status.lines().find(|line| line.starts_with(field)).expect(field);
            assert!(line.split_whitespace().nth(1) == Some(value), "{line}");
        }
        assert!(scene.gateway.kill9_worker());
        // What was unpacked already would be remembered.
        let another = mail::with_attachment("packed", "a.txt.gz", &packed::gzip(b"hello again"));
        originator.mail(&another).expect(250);
        let after = scene.gateway.workers();
        assert!(!after.contains(&before[0]) && after.len() == 1, "{before:?} {after:?}");
        originator.mail(&mail::with_attachment("bad", "a.txt.gz", &packed::gzip(&mail::eicar()))).expect(554);
        originator.say("QUIT").expect(221);
        scene.expect_arrived(&[&message, &another]);
        let all = scene.accounts(1);
        let member = records::of_event(&all, "part").into_iter().find(|part| part["encoding"] == "gzip");
        assert!(member.is_some(), "members have rows of their own");
    });
}

/// What a process does, by its letter, if it is there.
fn state(id: Pid) -> Option<char> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    text.rsplit(") ").next()?.chars().next()
}

#[test]
fn a_worker_that_hangs_and_stands_still_does_not_outlive_a_daemon_that_is_killed() {
    requires_root!();
    let config = MailConfig::plain().with_tables("[inspection.archives]\ndeadline = \"1s\"\n");
    play(&config, Script::plain(), |scene| {
        let octets = [&[0x1f, 0x8b, 8][..], b"postern-chaos:unpack:hang"].concat();
        let bad = mail::with_attachment("bad", "bad.gz", &octets);
        let mut originator = scene.greeted();
        originator.envelope("a@example.org", "b@example.com");
        originator.say("DATA").expect(354);
        originator.send(&[&bad[..], b".\r\n"].concat());
        let mut hanging = None;
        wait_until("a worker stands still", SOON, || {
            hanging = scene.gateway.workers().into_iter().find(|id| state(*id) == Some('T'));
            hanging.is_some()
        });
        scene.gateway.kill9();
        let hanging = hanging.expect("it was found");
        wait_until("the worker is gone", SOON, || state(hanging).is_none_or(|state| state == 'Z'));
    });
}
