//! S5 to S7: nothing from before TLS counts after it, on either leg.

use std::time::Duration;

use harness::certificate::Certificate;
use harness::mail;
use harness::mail_scene::{MailConfig, play};
use harness::next_hop::{Fault, Script};
use harness::requires_root;

fn config() -> MailConfig {
    MailConfig::imported(&Certificate::new("server.test"))
}

#[test]
fn commands_behind_starttls_are_never_executed() {
    requires_root!();
    play(&config(), Script::ordinary(), |scene| {
        for injected in [
            "NOOP\r\n",
            "EHLO evil.test\r\n",
            "MAIL FROM:<evil@client.test>\r\nRCPT TO:<b@server.test>\r\n",
            "X",
            "\r\n",
        ] {
            // In the same segment.
            let mut originator = scene.greeted();
            originator.send(format!("STARTTLS\r\n{injected}").as_bytes());
            originator.expect_close();

            // In the next segment, before any ClientHello.
            let mut originator = scene.greeted();
            originator.say("STARTTLS").expect(220);
            originator.send(injected.as_bytes());
            originator.shut_down();
            let replies = originator.expect_close();
            assert!(replies.iter().all(|reply| reply.code >= 400), "{injected:?}: {replies:?}");
        }
        for heard in scene.next_hop.wait_until_idle() {
            assert!(heard.behind_starttls.is_empty(), "{heard:?}");
            assert_eq!((heard.count("NOOP"), heard.count("MAIL")), (0, 0), "{:?}", heard.commands);
            let evil = heard.commands.iter().any(|(_, line)| line.contains("evil"));
            assert!(!evil, "{:?}", heard.commands);
        }
    });
}

#[test]
fn what_a_next_hop_adds_to_its_220_is_never_a_reply() {
    requires_root!();
    let injections = [
        "250-server.test\r\n250-AUTH PLAIN LOGIN\r\n250 XINJECTED\r\n",
        "250 2.0.0 OK\r\n",
        "554 5.7.1 go away\r\n",
    ];
    for injection in injections {
        play(&config(), Script::ordinary().at("STARTTLS", Fault::SayAlso(injection)), |scene| {
            let mut originator = scene.greeted();
            originator.send(b"STARTTLS\r\n");
            let replies = originator.expect_close();
            for reply in &replies {
                assert!(reply.code == 220 || (400..500).contains(&reply.code), "{replies:?}");
                assert!(
                    !reply.text().contains("INJECTED") && !reply.text().contains("go away"),
                    "{replies:?}"
                );
            }
            assert_eq!(scene.next_hop.deliveries(), []);
        });
    }
}

#[test]
fn a_transaction_does_not_survive_the_upgrade() {
    requires_root!();
    play(&config(), Script::ordinary(), |scene| {
        let mut originator = scene.greeted();
        originator.envelope("a@client.test", "b@server.test");
        // RFC 3207 §4: either it is refused inside a transaction, or all is forgotten.
        let reply = originator.say("STARTTLS");
        if reply.code == 220 {
            originator.start_tls().expect("the handshake succeeds");
            assert!((500..504).contains(&originator.say("DATA").code));
            assert!((500..504).contains(&originator.say("RCPT TO:<b@server.test>").code));
            let hello = originator.say("EHLO client.test");
            assert!(!hello.expect(250).lines.contains(&"STARTTLS".to_owned()), "{hello:?}");
            assert_eq!(originator.say("DATA").code, 503);
            originator.say("STARTTLS").expect(503);
        } else {
            assert!((500..504).contains(&reply.code), "{reply:?}");
        }
        originator.say("QUIT").expect(221);
        assert_eq!(scene.next_hop.deliveries(), []);
    });
}

#[test]
fn an_upgrade_cut_short_sends_nothing_in_plaintext() {
    requires_root!();
    play(&config(), Script::ordinary(), |scene| {
        let mut originator = scene.greeted();
        originator.say("STARTTLS").expect(220);
        // A TLS record's head, and nothing behind it; then plaintext commands.
        originator.send(&[0x16, 0x03, 0x01, 0x02]);
        originator.send(b"\x00MAIL FROM:<evil@client.test>\r\n");
        originator.send(&mail::stuffed(&mail::note("evil")));
        originator.shut_down();
        let (replies, closed) = originator.rest(Duration::from_secs(10));
        assert!(closed && replies.iter().all(|reply| reply.code >= 400), "{replies:?}");
        for heard in scene.next_hop.wait_until_idle() {
            assert_eq!(heard.count("MAIL"), 0, "{:?}", heard.commands);
        }
    });
}
