//! S18: what is too long, too many or no text gets a correct reply or a closed connection, and costs bounded memory.

use std::time::Duration;

use harness::mail;
use harness::mail_scene::{MailConfig, Scene, play};
use harness::next_hop::Script;
use harness::originator::Originator;
use harness::requires_root;

/// After whatever was sent, the connection is closed or the next command is understood as such.
fn usable_or_closed(name: &str, originator: &mut Originator) {
    let (replies, closed) = originator.rest(Duration::from_secs(1));
    assert!(replies.iter().all(|reply| reply.code >= 400), "{name}: {replies:?}");
    if !closed {
        originator.say("NOOP").expect(250);
        originator.say("QUIT").expect(221);
    }
}

fn resident_kib(scene: &Scene<'_>) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", scene.gateway.pid())).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident set");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}

#[test]
fn overlong_and_broken_commands_are_refused_and_swallow_nothing() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain(), |scene| {
        let before = resident_kib(scene);
        for length in [998, 999, 1000, 2048, 4096, 65_536, 10_000_000] {
            let mut originator = scene.greeted();
            let line = [&b"NOOP "[..], &vec![b'a'; length], b"\r\n"].concat();
            let sent = originator.try_send(&line);
            if length < 2000 || sent.is_err() {
                continue;
            }
            usable_or_closed(&format!("a line of {length}"), &mut originator);
        }
        for (name, octets) in [
            ("NUL", &b"NO\0OP\r\n"[..]),
            ("bare CR", b"NOOP\rNOOP\r\n"),
            ("no UTF-8", b"\xff\xfe\xfd\r\n"),
            ("control", b"\x01\x02\x03\r\n"),
        ] {
            let mut originator = scene.greeted();
            originator.send(octets);
            usable_or_closed(name, &mut originator);
        }
        let grown = resident_kib(scene).saturating_sub(before);
        assert!(grown < 32 * 1024, "the daemon grew by {grown} KiB");
    });
}

#[test]
fn very_many_recipients_are_refused_one_by_one() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain(), |scene| {
        let mut originator = scene.greeted();
        originator.say("MAIL FROM:<a@client.test>").expect(250);
        let mut codes = std::collections::BTreeMap::<u16, u32>::new();
        for number in 0..1200 {
            let reply = originator.say(&format!("RCPT TO:<r{number}@server.test>"));
            *codes.entry(reply.code).or_default() += 1;
            if reply.code == 421 {
                break;
            }
        }
        assert_eq!(codes.get(&250), Some(&1000), "{codes:?}");
        assert!(codes.keys().all(|code| [250, 452, 421].contains(code)), "{codes:?}");
    });
}

#[test]
fn very_long_header_sections_pass_or_are_refused() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain(), |scene| {
        let many: Vec<u8> = (0..100_000).flat_map(|n| format!("X-{n}: x\r\n").into_bytes()).collect();
        let mut long = b"Subject: x\r\n".to_vec();
        (0..60_000).for_each(|_| long.extend_from_slice(&[b" ".as_slice(), &[b'a'; 70], b"\r\n"].concat()));
        let odd = b"__proto__: x\r\nconstructor: y\r\n: z\r\n".to_vec();
        for (name, fields) in [("many", many), ("long", long), ("odd", odd)] {
            scene.next_hop.forget_deliveries();
            let mut originator = scene.greeted();
            let message = [fields, b"\r\nbody\r\n".to_vec()].concat();
            let reply = originator.mail(&message);
            originator.say("QUIT").expect(221);
            if reply.code == 250 {
                scene.expect_arrived(&[&message]);
            } else {
                assert!(reply.code >= 400, "{name}: {reply:?}");
                assert_eq!(scene.next_hop.deliveries(), [], "{name}");
            }
        }
    });
}

#[test]
fn too_many_errors_end_the_session() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain(), |scene| {
        let mut originator = scene.greeted();
        for _ in 0..200 {
            if originator.try_send(b"NONSENSE\r\n").is_err() {
                return;
            }
            match originator.try_reply() {
                Ok(Some(reply)) if reply.code == 421 => return,
                Ok(Some(reply)) => assert!((500..503).contains(&reply.code), "{reply:?}"),
                _ => return,
            }
        }
        panic!("two hundred errors, and the session goes on");
    });
}

#[test]
fn a_large_message_costs_little_memory() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain(), |scene| {
        let message = mail::with_attachment("large", "large.bin", &vec![5; 50_000_000]);
        let mut originator = scene.greeted();
        originator.mail(&mail::note("warm")).expect(250);
        let before = resident_kib(scene);
        originator.mail(&message).expect(250);
        let grown = resident_kib(scene).saturating_sub(before);
        assert!(grown < 16 * 1024, "the daemon grew by {grown} KiB");
        assert!(scene.next_hop.deliveries()[1].octets.ends_with(&message));
    });
}
