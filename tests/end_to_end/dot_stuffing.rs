//! S3, S4: dots at line starts survive, wherever buffers end, and fields put before a message break none of it.

use harness::mail_scene::{MailConfig, play};
use harness::next_hop::Script;
use harness::requires_root;

#[test]
fn dots_at_the_edges_of_buffers_survive() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain(), |scene| {
        let mut originator = scene.greeted();
        for edge in [4096, 8192, 16_384, 65_536_usize] {
            for offset in edge - 3..=edge + 2 {
                for dots in ["\r\n.\r\n", "\r\n..\r\n", "\r\n.x\r\n"] {
                    scene.next_hop.forget_deliveries();
                    let mut message = b"Subject: edge\r\n\r\n".to_vec();
                    while message.len() < offset {
                        let left = offset - message.len();
                        message.extend(std::iter::repeat_n(b'a', left.min(70)));
                        if left > 72 {
                            message.extend_from_slice(b"\r\n");
                        }
                    }
                    message.extend_from_slice(dots.as_bytes());
                    message.extend_from_slice(b".the end\r\n");
                    originator.mail(&message).expect(250);
                    scene.expect_arrived(&[&message]);
                }
            }
        }
        originator.say("QUIT").expect(221);
    });
}

#[test]
fn odd_beginnings_and_ends_stay_one_message() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain().tolerant(), |scene| {
        let messages: [(&str, &[u8]); 7] = [
            ("only a body line", b"no field here\r\n"),
            ("a blank line first", b"\r\nbody\r\n"),
            ("a dot first", b".\r\nbody\r\n"),
            ("two dots first", b"..\r\n\r\nbody\r\n"),
            ("a folded line first", b" folded\r\nSubject: x\r\n\r\nbody\r\n"),
            ("fields only", b"Subject: x\r\n"),
            ("empty", b""),
        ];
        for (name, message) in messages {
            scene.next_hop.forget_deliveries();
            let mut originator = scene.greeted();
            let reply = originator.mail(message);
            originator.say("QUIT").expect(221);
            drop(originator);
            scene.expect_clean_wire();
            let deliveries = scene.next_hop.deliveries();
            match reply.code {
                250 => {
                    assert_eq!(deliveries.len(), 1, "{name}");
                    assert!(deliveries[0].octets.ends_with(message), "{name}: {:?}", deliveries[0]);
                }
                // What cannot be read in one way only may be refused, but not half delivered.
                code => {
                    assert!((500..600).contains(&code), "{name}: {reply:?}");
                    assert_eq!(deliveries, [], "{name}");
                }
            }
        }
    });
}
