//! S8, S9: the leg to the next hop is never silently weaker than was asked for.

use harness::certificate::Certificate;
use harness::mail;
use harness::mail_scene::{MailConfig, Scene, play};
use harness::next_hop::{Fault, Script};
use harness::requires_root;

fn config(server_tls: &str) -> MailConfig {
    let config = MailConfig::imported(&Certificate::new("server.test"));
    config.with(&format!("server_tls = \"{server_tls}\""))
}

/// What can be done to STARTTLS on the way to the next hop.
fn attacks() -> Vec<(&'static str, Script)> {
    let at = |fault| Script::ordinary().at("STARTTLS", fault);
    vec![
        ("the keyword is gone", Script::plain()),
        ("refused for good", at(Fault::Say("502 5.5.1 no\r\n"))),
        ("refused for now", at(Fault::Say("454 4.7.0 not now\r\n"))),
        ("an odd reply", at(Fault::Say("354 go ahead\r\n"))),
        ("garbage for a ServerHello", at(Fault::BreakTls)),
        ("closed", at(Fault::Close)),
        ("reset", at(Fault::Reset)),
    ]
}

/// The code of the first refusal on the way to MAIL: as early as the greeting, as late as MAIL itself.
fn first_refusal(scene: &Scene<'_>) -> u16 {
    let mut originator = scene.called();
    for line in ["", "EHLO client.test\r\n", "MAIL FROM:<a@client.test>\r\n"] {
        if originator.try_send(line.as_bytes()).is_err() {
            return 0;
        }
        match originator.try_reply() {
            Ok(Some(reply)) if reply.code >= 400 => return reply.code,
            Ok(Some(_)) => {}
            _ => return 0,
        }
    }
    250
}

#[test]
fn required_tls_defers_mail_and_sends_no_octet_of_it() {
    requires_root!();
    for policy in ["required", "verified"] {
        play(&config(policy), Script::ordinary(), |scene| {
            for (name, script) in attacks() {
                scene.next_hop.follow(script);
                let code = first_refusal(scene);
                assert!((400..500).contains(&code), "{policy}, {name}: {code}");
                let heard = scene.next_hop.wait_until_idle();
                let heard = heard.last().expect("a connection");
                assert_eq!(heard.count("MAIL"), 0, "{policy}, {name}: {:?}", heard.commands);
            }
            assert_eq!(scene.next_hop.deliveries(), []);
        });
    }
}

#[test]
fn a_certificate_that_proves_nothing_is_not_enough_for_verified() {
    requires_root!();
    play(&config("verified"), Script::ordinary(), |scene| {
        let code = first_refusal(scene);
        assert!((400..500).contains(&code), "{code}");
        let heard = scene.next_hop.wait_until_idle();
        assert!(heard.iter().all(|heard| heard.count("MAIL") == 0), "{heard:?}");
    });
}

#[test]
fn opportunistic_tls_is_not_offered_where_the_next_hop_has_none() {
    requires_root!();
    play(&config("opportunistic"), Script::plain(), |scene| {
        let mut originator = scene.called();
        originator.reply().expect(220);
        let hello = originator.say("EHLO client.test");
        assert!(!hello.expect(250).lines.contains(&"STARTTLS".to_owned()), "{hello:?}");
        let reply = originator.say("STARTTLS");
        assert!((500..504).contains(&reply.code), "{reply:?}");
        let message = mail::note("plain");
        originator.mail(&message).expect(250);
        originator.say("QUIT").expect(221);
        scene.expect_arrived(&[&message]);
    });
}

#[test]
fn a_client_in_tls_is_never_sent_on_in_plaintext() {
    requires_root!();
    play(&config("opportunistic"), Script::ordinary(), |scene| {
        for (name, script) in attacks().into_iter().skip(1) {
            scene.next_hop.follow(script);
            let mut originator = scene.greeted();
            originator.try_send(b"STARTTLS\r\n").expect("the line can be sent");
            if let Ok(Some(reply)) = originator.try_reply()
                && reply.code == 220
            {
                assert!(originator.start_tls().is_err(), "{name}: TLS toward us, and none behind us");
            }
            drop(originator);
            let heard = scene.next_hop.wait_until_idle();
            assert_eq!(heard.last().expect("a connection").count("MAIL"), 0, "{name}");
        }
    });
}

#[test]
fn required_tls_is_used_even_for_a_client_in_plaintext() {
    requires_root!();
    play(&config("required"), Script::ordinary(), |scene| {
        let message = mail::note("upgraded");
        let mut originator = scene.greeted();
        originator.mail(&message).expect(250);
        originator.say("QUIT").expect(221);
        scene.expect_arrived(&[&message]);
        assert!(scene.next_hop.deliveries()[0].tls);
    });
}
