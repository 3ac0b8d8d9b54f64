//! S14: after a command that failed, no state of the transaction is left over.

use harness::mail;
use harness::mail_scene::{MailConfig, play};
use harness::next_hop::{Fault, Script, Step};
use harness::requires_root;

#[test]
fn nothing_goes_on_without_mail_after_something_failed() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain(), |scene| {
        for failing in [
            "BDAT x",
            "BDAT -1 LAST",
            "VRFY \u{e4}\u{f6}",
            "EHLO",
            "MAIL FROM:broken",
            "RCPT TO:",
            "NONSENSE",
        ] {
            let mut originator = scene.greeted();
            let reply = originator.say(failing);
            if reply.code == 421 {
                continue;
            }
            for command in ["DATA", "RCPT TO:<b@server.test>"] {
                let Ok(()) = originator.try_send(format!("{command}\r\n").as_bytes()) else { break };
                let Ok(Some(reply)) = originator.try_reply() else { break };
                assert!((500..504).contains(&reply.code), "after {failing:?}, {command}: {reply:?}");
            }
        }
        scene.next_hop.wait_until_idle();
        assert_eq!(scene.next_hop.deliveries(), []);
    });
}

#[test]
fn a_refused_message_leaves_no_recipients_behind() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain(), |scene| {
        let mut originator = scene.greeted();
        originator.mail(&mail::infected("bad")).expect(554);
        originator.say("DATA").expect(503);
        originator.say("RCPT TO:<x@server.test>").expect(503);
        let message = mail::note("next");
        originator.say("MAIL FROM:<next@client.test>").expect(250);
        originator.say("RCPT TO:<next@server.test>").expect(250);
        originator.say("DATA").expect(354);
        originator.send(&mail::stuffed(&message));
        originator.reply().expect(250);
        originator.say("QUIT").expect(221);
        scene.expect_arrived(&[&message]);
        assert_eq!(scene.next_hop.deliveries()[0].to, ["<next@server.test>"]);
    });
}

#[test]
fn a_next_hop_that_refuses_the_data_is_believed() {
    requires_root!();
    let refusals = [
        (Step::EndOfData, "552 5.3.4 too big\r\n", 552),
        (Step::Command("DATA"), "451 4.3.0 later\r\n", 451),
    ];
    for (step, reply, code) in refusals {
        play(&MailConfig::plain(), Script::plain().at_step(step, Fault::Say(reply)), |scene| {
            let mut originator = scene.greeted();
            originator.mail(&mail::note("unwanted")).expect(code);
            originator.say("DATA").expect(503);
            originator.say("QUIT").expect(221);
        });
    }
}
