//! S15: chunks are framed to the octet or refused.

use std::time::Duration;

use harness::certificate::Certificate;
use harness::mail;
use harness::mail_scene::{MailConfig, play, trace_fields};
use harness::next_hop::Script;
use harness::requires_root;

#[test]
fn chunking_is_offered_only_where_the_next_hop_has_it() {
    requires_root!();
    for (script, offered) in [(Script::plain().chunking(), true), (Script::plain(), false)] {
        play(&MailConfig::plain(), script, |scene| {
            let mut originator = scene.called();
            originator.reply().expect(220);
            let hello = originator.say("EHLO client.test");
            assert_eq!(hello.lines.contains(&"CHUNKING".to_owned()), offered, "{hello:?}");
            if !offered {
                originator.say("MAIL FROM:<a@client.test>").expect(250);
                originator.say("RCPT TO:<b@server.test>").expect(250);
                originator.send(b"BDAT 5 LAST\r\nabc\r\n");
                let reply = originator.reply();
                assert!((500..504).contains(&reply.code), "{reply:?}");
            }
        });
    }
}

#[test]
fn chunks_of_any_size_make_the_same_message() {
    requires_root!();
    let config = MailConfig::imported(&Certificate::new("server.test"));
    play(&config, Script::ordinary().chunking(), |scene| {
        let message = [mail::note("chunks"), b".\r\n..\r\n.x\r\n".to_vec()].concat();
        for size in [1, 2, 3, 64, 1000] {
            for secured in [false, true] {
                scene.next_hop.forget_deliveries();
                let mut originator = if secured { scene.secured() } else { scene.greeted() };
                originator.mail_in_chunks(&message, size).expect(250);
                originator.say("QUIT").expect(221);
                trace_fields(&scene.next_hop.wait_for_deliveries(1)[0], &message);
            }
        }
        // Nor does it matter that the originator sent it in another way.
        scene.next_hop.forget_deliveries();
        let mut originator = scene.greeted();
        originator.mail(&message).expect(250);
        originator.say("QUIT").expect(221);
        trace_fields(&scene.next_hop.wait_for_deliveries(1)[0], &message);
        let heard = scene.next_hop.wait_until_idle();
        assert!(heard.iter().all(|session| session.count("DATA") == 0), "{heard:?}");
        // An empty last chunk ends it too.
        scene.next_hop.forget_deliveries();
        let mut originator = scene.greeted();
        originator.envelope("a@client.test", "b@server.test");
        originator.send(format!("BDAT {}\r\n", message.len()).as_bytes());
        originator.send(&message);
        originator.reply().expect(250);
        originator.say("BDAT 0 LAST").expect(250);
        trace_fields(&scene.next_hop.wait_for_deliveries(1)[0], &message);
    });
}

#[test]
fn broken_chunk_sizes_are_refused_and_hide_nothing() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain().chunking(), |scene| {
        for line in [
            "BDAT",
            "BDAT x LAST",
            "BDAT -1 LAST",
            "BDAT 18446744073709551616 LAST",
            "BDAT 99999999999999999999 LAST",
            "BDAT 18446744073709551615 LAST",
            "BDAT 5 LASTX",
            "BDAT 5 LAST more",
            "BDAT 0x5 LAST",
        ] {
            let mut originator = scene.greeted();
            originator.envelope("a@client.test", "b@server.test");
            originator.send(format!("{line}\r\n").as_bytes());
            let (replies, _) = originator.rest(Duration::from_secs(2));
            assert!(!replies.is_empty(), "{line}: no answer");
            assert!(replies.iter().all(|reply| reply.code >= 400), "{line}: {replies:?}");
        }
        // Mixing both ways of sending is an error, whichever comes first.
        let mut originator = scene.greeted();
        originator.envelope("a@client.test", "b@server.test");
        originator.send(b"BDAT 4\r\nabc\n");
        let first = originator.reply();
        if first.code == 250 {
            let reply = originator.say("DATA");
            assert!((500..504).contains(&reply.code), "{reply:?}");
        }
        drop(originator);
        scene.next_hop.wait_until_idle();
        assert_eq!(scene.next_hop.deliveries(), []);
    });
}

#[test]
fn a_connection_that_ends_inside_a_chunk_delivers_nothing() {
    requires_root!();
    let config = MailConfig::imported(&Certificate::new("server.test"));
    play(&config, Script::ordinary().chunking(), |scene| {
        for secured in [false, true] {
            let mut originator = if secured { scene.secured() } else { scene.greeted() };
            originator.envelope("a@client.test", "b@server.test");
            originator.send(b"BDAT 1000 LAST\r\nSubject: cut\r\n");
            if secured {
                // CVE-2026-45185: TLS ends inside the chunk, and a plaintext octet follows.
                let _ = originator.try_send_below_tls(b"\nQUIT\r\n");
            }
            originator.shut_down();
            originator.expect_close();
        }
        scene.next_hop.wait_until_idle();
        assert_eq!(scene.next_hop.deliveries(), []);
    });
}

#[test]
fn very_many_small_chunks_stay_within_bounds() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain().chunking(), |scene| {
        let mut originator = scene.greeted();
        originator.envelope("a@client.test", "b@server.test");
        originator.send(b"BDAT 13\r\nSubject: x\r\n\r");
        originator.reply().expect(250);
        originator.send(b"BDAT 1\r\n\n");
        originator.reply().expect(250);
        for _ in 0..2000 {
            originator.send(b"BDAT 1\r\na");
            let reply = originator.reply();
            if reply.code >= 400 {
                return;
            }
        }
        originator.send(b"BDAT 2 LAST\r\n\r\n");
        originator.reply().expect(250);
        assert_eq!(scene.next_hop.wait_for_deliveries(1).len(), 1);
    });
}
