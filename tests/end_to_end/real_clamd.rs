//! clamd as it comes from Debian finds what the built-in stages would not.

use harness::mail;
use harness::mail_scene::{MailConfig, play};
use harness::netns::NetNs;
use harness::next_hop::Script;
use harness::real_clamd::{RealClamd, SIGNATURE};
use harness::{requires_programs, requires_root};

#[test]
fn clamd_names_what_it_found_and_the_connection_goes_on() {
    requires_root!();
    requires_programs!("clamd");
    let namespace = NetNs::new("clamd");
    let clamd = RealClamd::start(&namespace);
    let config = MailConfig::plain().with_clamd(&clamd.socket());
    play(&config, Script::plain(), |scene| {
        let mut originator = scene.greeted();
        let message = mail::with_attachment("clean", "a.bin", &vec![1; 200_000]);
        originator.mail(&message).expect(250);
        let reply = originator.mail(&mail::infected("bad"));
        reply.expect(554);
        // Large enough to be in a file by the time it is looked at.
        let hidden = [vec![b' '; 400_000], mail::eicar(), vec![b' '; 1000]].concat();
        let reply = originator.mail(&mail::with_attachment("hidden", "notes.txt", &hidden));
        reply.expect(554);
        let found = format!("{SIGNATURE}.UNOFFICIAL");
        let all = scene.accounts(0);
        let engines = harness::records::of_event(&all, "engine");
        assert!(engines.iter().any(|engine| engine["detail"] == found.as_str()), "{engines:#?}");
        originator.mail(&message).expect(250);
        originator.say("QUIT").expect(221);
        scene.expect_arrived(&[&message, &message]);
        scene.expect_clean_wire();
    });
}
