//! S25: a client that leaves around the final dot has its message delivered once, or not at all, and the record says
//! which.

use harness::mail;
use harness::mail_scene::{MailConfig, play};
use harness::next_hop::Script;
use harness::records;
use harness::requires_root;

#[test]
fn a_client_that_leaves_around_the_final_dot_is_accounted_for() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain(), |scene| {
        let data = mail::stuffed(&mail::note("last words"));
        let mut sessions = 0;
        for missing in 0..=5 {
            for reset in [false, true] {
                scene.next_hop.forget_deliveries();
                let mut originator = scene.greeted();
                originator.envelope("a@client.test", "b@server.test");
                originator.say("DATA").expect(354);
                originator.send(&data[..data.len() - missing]);
                if reset {
                    originator.reset();
                } else {
                    originator.shut_down();
                    originator.expect_close();
                }
                sessions += 1;
                let all = scene.accounts(sessions);
                let account = *records::of_event(&all, "account").last().expect("an account");
                scene.next_hop.wait_until_idle();
                let arrived = scene.next_hop.deliveries().len() as u64;
                assert!(arrived <= u64::from(missing == 0), "{missing} missing, reset {reset}: {arrived}");
                assert_eq!(account["delivered"], arrived, "{missing} missing, reset {reset}: {account}");
            }
        }
    });
}
