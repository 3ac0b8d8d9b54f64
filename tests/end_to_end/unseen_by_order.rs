//! A resource whose messages nobody is to look at: they pass as they are, and each is told of.

use harness::mail;
use harness::mail_scene::{MailConfig, Scene, play};
use harness::next_hop::Script;
use harness::records;
use harness::requires_root;
use serde_json::Value;

/// Sends something that would be refused, and something that harms the dialogue; gives the session.
fn infected_passes_and_a_second_end_of_data_does_not(scene: &Scene<'_>) -> String {
    let infected = mail::infected("bad");
    let mut originator = scene.greeted();
    originator.mail(&infected).expect(250);
    originator.say("QUIT").expect(221);
    scene.accounts(1);
    scene.greeted().mail(b"Subject: two\r\n\r\none\n.\r\nMAIL FROM:<b@b.test>\r\n").expect(554);
    scene.expect_arrived(&[&infected]);
    let all = scene.accounts(2);
    let [account, other] = records::of_event(&all, "account")[..] else { panic!("two sessions: {all:?}") };
    assert_eq!(
        (&account["disposition"], &account["reason"], &account["delivered"]),
        (&"bypassed".into(), &"not_inspected".into(), &1.into()),
        "{account}"
    );
    assert_eq!((&other["disposition"], &other["delivered"]), (&"refused".into(), &0.into()), "{other}");
    let judged = records::of_event(&all, "judged");
    assert_eq!(
        (&judged[0]["verdict"], &judged[0]["action"]),
        (&"not_inspected".into(), &"pass".into()),
        "{judged:?}"
    );
    assert!(records::of_event(&all, "part").is_empty(), "nobody looked at a part");
    account["session"].as_str().expect("a session id").to_owned()
}

/// Name and reason of everything that `postern uninspected` lists.
fn unseen(scene: &Scene<'_>) -> Vec<(String, String)> {
    let folder = scene.config.folder().join("records").display().to_string();
    let listed = scene.gateway.command_on_files(&["uninspected", "--records", &folder, "--json"]);
    let rows = listed.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    rows.filter_map(|row| Some((row["id"].as_str()?.to_owned(), row["reason"].as_str()?.to_owned())))
        .collect()
}

#[test]
fn what_nobody_is_to_look_at_passes_and_is_listed() {
    requires_root!();
    for config in [MailConfig::plain(), MailConfig::spooling("")] {
        play(&config.with("inspection = \"none\""), Script::plain(), |scene| {
            let session = infected_passes_and_a_second_end_of_data_does_not(scene);
            assert_eq!(unseen(scene), [(format!("{session}.1"), "not_inspected".to_owned())]);
        });
    }
}
