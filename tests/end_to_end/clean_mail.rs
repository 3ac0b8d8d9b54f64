//! Clean mail passes, and nothing of it changes.

use std::net::SocketAddr;

use harness::capture::Wire;
use harness::certificate::Certificate;
use harness::deadline::SOON;
use harness::mail;
use harness::mail_scene::{MailConfig, play, play_at, trace_fields};
use harness::next_hop::Script;
use harness::originator::Originator;
use harness::packets::{Packet, SYN, SYN_ACK, read_segment};
use harness::records;
use harness::requires_root;
use harness::topology::Family;

#[test]
fn clean_mail_over_starttls_arrives_octet_for_octet() {
    requires_root!();
    play(&MailConfig::imported(&Certificate::new("server.test")), Script::ordinary(), |scene| {
        let message = mail::with_attachment("clean", "report.bin", &vec![7; 100_000]);
        let mut originator = scene.secured();
        let local = originator.local();
        originator.mail(&message).expect(250);
        originator.say("QUIT").expect(221);

        let delivery = &scene.next_hop.wait_for_deliveries(1)[0];
        assert!(delivery.tls, "the server leg is as secure as the client leg");
        let fields = trace_fields(delivery, &message);
        assert!(fields.contains(" with ESMTPS"), "{fields}");
        assert_eq!(
            (delivery.from.as_str(), delivery.to.as_slice()),
            ("<a@client.test>", &["<b@server.test>".to_owned()][..])
        );
        // The next hop sees the client itself.
        assert_eq!(scene.expect_clean_wire()[0].peer, local);

        let all = scene.accounts(1);
        let account = records::of_event(&all, "account")[0];
        assert_eq!(account["disposition"], "inspected", "{account}");
        assert_eq!((&account["delivered"], &account["refused"]), (&1.into(), &0.into()), "{account}");
        let session = account["session"].as_str().expect("a session id");
        assert!(fields.contains(session), "{fields} names {session}");
        let legs: Vec<_> = records::of_event(&all, "tls").iter().map(|tls| tls["leg"].clone()).collect();
        assert_eq!(legs, ["server-leg", "client-leg"], "the next hop first");
        let judged = records::of_event(&all, "judged")[0];
        assert_eq!(
            (&judged["verdict"], &judged["octets"]),
            (&"clean".into(), &message.len().into()),
            "{judged}"
        );
    });
}

#[test]
fn plaintext_mail_is_marked_as_such_and_the_connection_serves_more() {
    requires_root!();
    play(&MailConfig::plain(), Script::ordinary(), |scene| {
        let mut originator = scene.called();
        // The server's own greeting reaches the client.
        let greeting = originator.reply();
        assert!(greeting.expect(220).text().contains("next hop of the tests"), "{greeting:?}");
        let hello = originator.say("EHLO client.test");
        assert!(hello.expect(250).lines.iter().any(|line| line == "SIZE 104857600"), "{hello:?}");
        assert!(!hello.lines.iter().any(|line| line == "STARTTLS"), "client_tls is off: {hello:?}");
        let messages = [mail::note("one"), mail::note("two"), mail::note("three")];
        for message in &messages {
            originator.mail(message).expect(250);
        }
        originator.say("QUIT").expect(221);
        scene.expect_arrived(&messages.each_ref().map(Vec::as_slice));
        let fields = trace_fields(&scene.next_hop.deliveries()[0], &messages[0]);
        assert!(fields.contains(" with ESMTP") && !fields.contains("ESMTPS"), "{fields}");
        assert_eq!(scene.expect_clean_wire().len(), 1, "one connection serves all");
    });
}

#[test]
fn mail_over_ipv6_keeps_the_clients_address() {
    requires_root!();
    let address = SocketAddr::new(Family::V6.server(), 25);
    let certificate = Certificate::new("server.test");
    play_at(&MailConfig::imported(&certificate), address, Script::ordinary(), certificate, |scene| {
        let message = mail::note("six");
        let mut originator = scene.secured();
        originator.mail(&message).expect(250);
        originator.say("QUIT").expect(221);
        scene.expect_arrived(&[&message]);
        assert_eq!(scene.expect_clean_wire()[0].peer, originator.local());
    });
}

#[test]
fn mail_over_implicit_tls_passes() {
    requires_root!();
    let address = SocketAddr::new(Family::V4.server(), 465);
    let certificate = Certificate::new("server.test");
    play_at(&MailConfig::imported(&certificate), address, Script::implicit(), certificate, |scene| {
        let message = mail::note("implicit");
        let mut originator = Originator::implicit(&scene.topology.client, address);
        originator.mail(&message).expect(250);
        originator.say("QUIT").expect(221);
        scene.expect_arrived(&[&message]);
        assert!(scene.next_hop.deliveries()[0].tls);
    });
}

#[test]
fn a_connection_in_frames_that_bear_a_priority_is_taken() {
    requires_root!();
    play(&MailConfig::plain(), Script::plain(), |scene| {
        let (client, server) = (Family::V4.client(), scene.next_hop.address());
        let at_client = Wire::open(&scene.topology.client, "eth0");
        let tags = [&[][..], &[0x8100_u16], &[0x88a8, 0x8100]];
        for (port, tags) in (41_000..).zip(tags) {
            let own = SocketAddr::new(client, port);
            // As a switch sends them that keeps priorities: VLAN 0, priority 5 (IEEE 802.1Q §9.6).
            let first =
                tags.iter().fold(Packet::tcp(own, server, SYN), |packet, &tag| packet.tag(tag, 5 << 13));
            at_client.send(&first.build());
            let answer = at_client.next_within(SOON, |frame| {
                read_segment(frame)
                    .is_some_and(|segment| segment.source == server && segment.destination == own)
            });
            let answer = answer.and_then(|frame| read_segment(&frame)).expect("an answer");
            assert_eq!(answer.flags, SYN_ACK, "{tags:x?}");
        }
    });
}
