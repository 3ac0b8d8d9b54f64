//! S13: replies belong to their commands, however they come; commands that must end a group do.

use std::time::Duration;

use harness::mail;
use harness::mail_scene::{MailConfig, play};
use harness::next_hop::{Fault, Script, Step};
use harness::requires_root;

const ENVELOPE: &[u8] =
    b"MAIL FROM:<a@client.test>\r\nRCPT TO:<b@server.test>\r\nRCPT TO:<c@server.test>\r\nDATA\r\n";

#[test]
fn a_group_in_one_segment_or_octet_by_octet_gives_the_same_replies() {
    requires_root!();
    let trickle = |verb| Script::plain().at(verb, Fault::Trickle);
    for script in [Script::plain(), trickle("RCPT"), trickle("EHLO"), Script::plain().without("PIPELINING")] {
        play(&MailConfig::plain(), script, |scene| {
            for size in [1, 7, ENVELOPE.len()] {
                scene.next_hop.forget_deliveries();
                let message = mail::note("group");
                let mut originator = scene.greeted();
                originator.try_send_in_pieces(ENVELOPE, size).expect("the group can be sent");
                let codes: Vec<u16> = (0..4).map(|_| originator.reply().code).collect();
                assert_eq!(codes, [250, 250, 250, 354], "in pieces of {size}");
                originator.send(&mail::stuffed(&message));
                originator.reply().expect(250);
                originator.say("QUIT").expect(221);
                scene.expect_arrived(&[&message]);
                assert_eq!(scene.next_hop.deliveries()[0].to, ["<b@server.test>", "<c@server.test>"]);
            }
        });
    }
}

#[test]
fn a_reset_in_the_middle_leaves_nothing_of_the_first_transaction() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain(), |scene| {
        let mut originator = scene.greeted();
        originator.send(
            b"MAIL FROM:<one@client.test>\r\nRCPT TO:<one@server.test>\r\nRSET\r\nMAIL FROM:<two@client.test>\r\n\
              RCPT TO:<two@server.test>\r\nDATA\r\n",
        );
        let codes: Vec<u16> = (0..6).map(|_| originator.reply().code).collect();
        assert_eq!(codes, [250, 250, 250, 250, 250, 354]);
        let message = mail::note("second");
        originator.send(&mail::stuffed(&message));
        originator.reply().expect(250);
        originator.say("QUIT").expect(221);
        scene.expect_arrived(&[&message]);
        let delivery = &scene.next_hop.deliveries()[0];
        assert_eq!(
            (delivery.from.as_str(), &delivery.to[..]),
            ("<two@client.test>", &["<two@server.test>".to_owned()][..])
        );
    });
}

#[test]
fn refused_recipients_get_their_own_reply_and_the_others_their_mail() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain().at("RCPT", Fault::Say("550 5.1.1 nobody\r\n")), |scene| {
        let mut originator = scene.greeted();
        originator.send(ENVELOPE);
        let codes: Vec<u16> = (0..4).map(|_| originator.reply().code).collect();
        // Nobody is left to have it: no data.
        assert_eq!(codes[..3], [250, 550, 550]);
        assert!(codes[3] == 503 || codes[3] == 554, "{codes:?}");
        originator.say("QUIT").expect(221);
        assert_eq!(scene.next_hop.deliveries(), []);
    });
}

#[test]
fn a_reply_too_many_ends_the_session_and_is_never_taken_for_another() {
    requires_root!();
    for verb in ["EHLO", "MAIL", "RCPT"] {
        play(
            &MailConfig::plain(),
            Script::plain().at(verb, Fault::SayAlso("250 2.0.0 one more\r\n")),
            |scene| {
                let mut originator = scene.called();
                originator.reply().expect(220);
                originator.send(b"EHLO client.test\r\n");
                let mut codes = Vec::new();
                for next in
                    ["MAIL FROM:<a@client.test>\r\n", "RCPT TO:<b@server.test>\r\n", "DATA\r\n", "QUIT\r\n"]
                {
                    let Ok(Some(reply)) = originator.try_reply() else { break };
                    codes.push(reply.code);
                    if reply.code >= 400 || originator.try_send(next.as_bytes()).is_err() {
                        break;
                    }
                }
                assert!(!codes.contains(&354), "{verb}: data was asked for: {codes:?}");
                drop(originator);
                scene.next_hop.wait_until_idle();
                assert_eq!(scene.next_hop.deliveries(), [], "{verb}");
            },
        );
    }
}

#[test]
fn a_421_in_the_middle_reaches_the_client_and_ends_the_session() {
    requires_root!();
    for verb in ["EHLO", "MAIL", "RCPT"] {
        play(
            &MailConfig::plain(),
            Script::plain().at(verb, Fault::Say("421 4.3.2 going down\r\n")),
            |scene| {
                let mut originator = scene.called();
                originator.reply().expect(220);
                originator.send(b"EHLO client.test\r\n");
                let mut last = originator.reply();
                for next in ["MAIL FROM:<a@client.test>", "RCPT TO:<b@server.test>", "DATA"] {
                    if last.code >= 400 {
                        break;
                    }
                    last = originator.say(next);
                }
                assert!(last.code == 421 || last.code == 451, "{verb}: {last:?}");
                assert_eq!(scene.next_hop.deliveries(), [], "{verb}");
            },
        );
    }
}

#[test]
fn a_next_hop_that_leaves_costs_the_client_nothing_but_a_deferral() {
    requires_root!();
    let steps = [Step::Command("MAIL"), Step::Command("RCPT"), Step::Command("DATA"), Step::EndOfData];
    for step in steps {
        for fault in [Fault::Close, Fault::Reset] {
            let script = Script::plain().at_step(step.clone(), fault.clone());
            play(&MailConfig::plain(), script, |scene| {
                let mut originator = scene.greeted();
                originator.send(ENVELOPE);
                let mut codes = Vec::new();
                while let Ok(Some(reply)) = originator.try_reply() {
                    codes.push(reply.code);
                    if reply.code == 354 && originator.try_send(&mail::stuffed(&mail::note("lost"))).is_err()
                    {
                        break;
                    }
                    if reply.code >= 400 {
                        break;
                    }
                }
                let last = codes.last().copied().unwrap_or_default();
                assert!((400..500).contains(&last), "{step:?} {fault:?}: {codes:?}");
                originator.rest(Duration::from_secs(2));
                let all = scene.accounts(1);
                let account = harness::records::of_event(&all, "account")[0];
                assert_eq!(account["delivered"], 0, "{step:?} {fault:?}: {account}");
            });
        }
    }
}
