//! S1, S2: nothing that resembles the end of mail data makes two messages out of one, neither here nor at a server
//! that takes anything for a line end.

use harness::certificate::Certificate;
use harness::mail_scene::{MailConfig, Scene, play};
use harness::next_hop::Script;
use harness::originator::Originator;
use harness::requires_root;
use std::time::Duration;

use crate::ends_of_data::BROKEN_ENDS;

/// What stands between the two messages, and how it is called: an end of data for somebody, somewhere.
fn terminators() -> impl Iterator<Item = (String, &'static [u8])> {
    let with_space: &[u8] = b"\r\n. \r\n";
    BROKEN_ENDS.into_iter().chain([with_space]).map(|octets| (octets.escape_ascii().to_string(), octets))
}

const SMUGGLED: &[u8] = b"MAIL FROM:<evil@client.test>\r\nRCPT TO:<victim@server.test>\r\nDATA\r\n\
                          From: <evil@client.test>\r\nSubject: smuggled\r\n\r\nevil\r\n.\r\n";

fn data(terminator: &[u8]) -> Vec<u8> {
    let head: &[u8] = b"From: <a@client.test>\r\nSubject: first\r\n\r\nfirst";
    [head, terminator, SMUGGLED].concat()
}

/// One attempt; `send` writes the data.
fn attempt(
    scene: &Scene<'_>,
    mut originator: Originator,
    name: &str,
    send: impl FnOnce(&mut Originator) -> std::io::Result<()>,
) {
    scene.next_hop.forget_deliveries();
    let before = scene.next_hop.connections().len().saturating_sub(1);
    originator.envelope("a@client.test", "b@server.test");
    originator.say("DATA").expect(354);
    // A gateway that has seen enough closes while this is still being written.
    let _ = send(&mut originator);
    let (replies, closed) = originator.rest(Duration::from_secs(5));
    drop(originator);
    // One verdict on one message. Whatever follows it was read as commands, if at all by this gateway as its own
    // dialogue, and then refused; never a second 354.
    assert!(
        !replies.iter().any(|reply| reply.code == 354),
        "{name}: a second message was let in: {replies:?}"
    );
    assert!(closed || !replies.is_empty(), "{name}: no answer");
    let connections = scene.expect_clean_wire();
    let deliveries = scene.next_hop.deliveries();
    assert!(deliveries.len() <= 1, "{name}: {deliveries:?}");
    for heard in &connections[before..] {
        let evil = heard.commands.iter().find(|(_, line)| line.contains("evil") || line.contains("victim"));
        assert_eq!(evil, None, "{name}: a smuggled command was executed");
        assert!(heard.count("MAIL") <= 1 && heard.count("DATA") <= 1, "{name}: {:?}", heard.commands);
    }
}

fn in_plaintext(scene: &Scene<'_>) -> Originator {
    scene.greeted()
}

fn inside_tls(scene: &Scene<'_>) -> Originator {
    scene.secured()
}

fn every_way(scene: &Scene<'_>, call: fn(&Scene<'_>) -> Originator) {
    for (name, terminator) in terminators() {
        let data = data(terminator);
        attempt(scene, call(scene), &format!("{name} in one write"), |originator| originator.try_send(&data));
        attempt(scene, call(scene), &format!("{name} octet by octet"), |originator| {
            originator.try_send_in_pieces(&data, 1)
        });
        let start = data.len() - SMUGGLED.len() - terminator.len();
        for cut in start..=start + terminator.len() + 1 {
            attempt(scene, call(scene), &format!("{name} cut at {cut}"), |originator| {
                originator.try_send(&data[..cut])?;
                // A segment of its own: the gateway has had time to read the first.
                std::thread::park_timeout(Duration::from_millis(3));
                originator.try_send(&data[cut..])
            });
        }
    }
}

#[test]
fn a_tolerant_next_hop_gets_one_message_or_none_in_plaintext() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain().tolerant(), |scene| every_way(scene, in_plaintext));
}

#[test]
fn a_tolerant_next_hop_gets_one_message_or_none_inside_tls() {
    requires_root!();
    let config = MailConfig::imported(&Certificate::new("server.test"));
    play(&config, Script::ordinary().tolerant(), |scene| every_way(scene, inside_tls));
}

#[test]
fn chunks_hide_no_second_message_from_a_tolerant_next_hop() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain().chunking().tolerant(), |scene| {
        for (name, terminator) in terminators() {
            scene.next_hop.forget_deliveries();
            let mut originator = scene.greeted();
            originator.envelope("a@client.test", "b@server.test");
            let data = data(terminator);
            originator.send(format!("BDAT {} LAST\r\n", data.len()).as_bytes());
            let _ = originator.try_send(&data);
            let (replies, _) = originator.rest(Duration::from_secs(5));
            drop(originator);
            let connections = scene.next_hop.wait_until_idle();
            let deliveries = scene.next_hop.deliveries();
            assert!(deliveries.len() <= 1, "{name}: {deliveries:?}, {replies:?}");
            let heard = connections.last().expect("a connection");
            let evil = heard.commands.iter().find(|(_, line)| line.contains("evil"));
            assert_eq!(evil, None, "{name}: a smuggled command was executed");
        }
    });
}
