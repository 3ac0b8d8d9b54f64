//! S19: what is no SMTP is recognised, ended and counted, and reaches nobody.

use std::time::Duration;

use harness::mail;
use harness::mail_scene::{MailConfig, play};
use harness::next_hop::Script;
use harness::records;
use harness::requires_root;
use harness::smtp_dialogue::CLIENT_HELLO;

#[test]
fn other_protocols_are_ended_and_mail_goes_on() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain(), |scene| {
        let others: [(&str, &[u8]); 4] = [
            ("TLS", &CLIENT_HELLO),
            ("HTTP", b"POST / HTTP/1.1\r\nHost: server.test\r\nContent-Length: 40\r\n\r\nMAIL FROM:<evil@client.test>\r\nRCPT TO:<b@\r\n"),
            ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n"),
            ("noise", &[0x80, 0xff, 0, 7, 13, 10]),
        ];
        for (name, octets) in others {
            let mut originator = scene.called();
            originator.send(octets);
            originator.shut_down();
            let (replies, closed) = originator.rest(Duration::from_secs(10));
            assert!(closed, "{name}: the connection stays open");
            assert!(replies.iter().skip(1).all(|reply| reply.code >= 400), "{name}: {replies:?}");
        }
        for heard in scene.next_hop.wait_until_idle() {
            assert_eq!(heard.count("MAIL"), 0, "{:?}", heard.commands);
        }
        let message = mail::note("still here");
        scene.greeted().mail(&message).expect(250);
        scene.expect_arrived(&[&message]);
        let all = scene.accounts(others.len());
        assert!(
            records::of_event(&all, "account")
                .iter()
                .all(|account| account["delivered"] != 1 || account["disposition"] == "inspected")
        );
    });
}
