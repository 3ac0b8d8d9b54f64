//! c-icap as it comes from Debian judges mail, and mail waits while it, or the clamd behind it, is away.

use std::time::{Duration, Instant};

use harness::mail;
use harness::mail_scene::{MailConfig, Scene, play};
use harness::netns::NetNs;
use harness::next_hop::Script;
use harness::originator::Originator;
use harness::real_clamd::{RealClamd, SIGNATURE};
use harness::real_icap::{RealIcap, SERVICE};
use harness::{records, requires_programs, requires_root};

#[test]
fn c_icap_names_what_it_found_and_mail_waits_while_it_is_away() {
    requires_root!();
    requires_programs!("c-icap", "clamd");
    let namespace = NetNs::new("clamd");
    let clamd = RealClamd::start(&namespace);
    let config =
        MailConfig::plain().with_tables(&format!("[[engine]]\nname = \"icap\"\naddress = \"{SERVICE}\"\n"));
    play(&config, Script::plain(), |scene| {
        let message = mail::with_attachment("clean", "a.bin", &vec![1; 200_000]);
        let mut originator = scene.greeted();
        assert_eq!(originator.mail(&message).code, 451, "nobody listens yet");
        let icap = RealIcap::start(&scene.topology.gateway, &clamd.socket());
        wait_until_taken(&mut originator, &message);
        originator.mail(&mail::infected("bad")).expect(554);
        drop(clamd);
        assert_eq!(originator.mail(&message).code, 451, "it has nobody to ask");
        drop(icap);
        assert_eq!(originator.mail(&message).code, 451, "it is away");
        originator.say("QUIT").expect(221);
        expect_found(scene);
        scene.expect_arrived(&[&message]);
        scene.expect_clean_wire();
    });
}

/// An engine that is back is used again within five seconds.
fn wait_until_taken(originator: &mut Originator, message: &[u8]) {
    let back = Instant::now();
    while originator.mail(message).code != 250 {
        assert!(back.elapsed() < Duration::from_secs(5), "it is not asked any more");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

fn expect_found(scene: &Scene<'_>) {
    let all = scene.accounts(1);
    let engines = records::of_event(&all, "engine");
    let found = format!("{SIGNATURE}.UNOFFICIAL");
    assert!(engines.iter().any(|engine| engine["detail"] == found.as_str()), "{engines:#?}");
    assert!(engines.iter().any(|engine| engine["result"] == "clean"), "{engines:#?}");
    assert!(engines.iter().any(|engine| engine["result"] == "error"), "{engines:#?}");
}
