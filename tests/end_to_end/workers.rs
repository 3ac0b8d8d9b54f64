//! What is unpacked is unpacked by processes without rights, and one that is ended takes nothing along.

use harness::mail;
use harness::mail_scene::{MailConfig, play};
use harness::next_hop::Script;
use harness::packed;
use harness::{records, requires_root};

/// Processes that the gateway has started, by what `/proc` says of them.
fn workers(gateway: nix::unistd::Pid) -> Vec<u32> {
    let children = std::fs::read_dir(format!("/proc/{gateway}/task")).expect("the gateway runs");
    let lists =
        children.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let all: Vec<String> = lists.collect();
    all.iter().flat_map(|list| list.split_whitespace()).filter_map(|id| id.parse().ok()).collect()
}

#[test]
fn a_worker_has_no_rights_and_its_death_costs_no_mail() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain(), |scene| {
        let message = mail::with_attachment("packed", "a.txt.gz", &packed::gzip(b"hello"));
        let mut originator = scene.greeted();
        originator.mail(&message).expect(250);
        let before = workers(scene.gateway.pid());
        assert_eq!(before.len(), 1, "one worker is enough for one message");
        let status = std::fs::read_to_string(format!("/proc/{}/status", before[0])).expect("it runs");
        for (field, value) in
            [("Seccomp:", "2"), ("NoNewPrivs:", "1"), ("CapEff:", "0000000000000000"), ("Uid:", "65534")]
        {
            let line = status.lines().find(|line| line.starts_with(field)).expect(field);
            assert!(line.split_whitespace().nth(1) == Some(value), "{line}");
        }
        end(before[0]);
        // What was unpacked already would be remembered.
        let another = mail::with_attachment("packed", "a.txt.gz", &packed::gzip(b"hello again"));
        originator.mail(&another).expect(250);
        let after = workers(scene.gateway.pid());
        assert!(!after.contains(&before[0]) && after.len() == 1, "{before:?} {after:?}");
        originator.mail(&mail::with_attachment("bad", "a.txt.gz", &packed::gzip(&mail::eicar()))).expect(554);
        originator.say("QUIT").expect(221);
        scene.expect_arrived(&[&message, &another]);
        let all = scene.accounts(1);
        let member = records::of_event(&all, "part").into_iter().find(|part| part["encoding"] == "gzip");
        assert!(member.is_some(), "members have rows of their own");
    });
}

fn end(id: u32) {
    use nix::sys::signal::{Signal, kill};
    let id = nix::unistd::Pid::from_raw(i32::try_from(id).expect("a process id"));
    kill(id, Signal::SIGKILL).expect("it runs");
}
