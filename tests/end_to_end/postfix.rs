//! Postfix behind the gateway and in front of it, with its own queue and its own TLS.

use std::net::SocketAddr;

use harness::certificate::Certificate;
use harness::gateway::Gateway;
use harness::mail;
use harness::mail_scene::{MailConfig, play};
use harness::next_hop::Script;
use harness::originator::Originator;
use harness::postfix::{Postfix, SUBMISSION};
use harness::topology::{Family, Hook, Topology};
use harness::{requires_programs, requires_root};

fn with_lf(message: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(message).replace("\r\n", "\n").into_bytes()
}

#[test]
fn postfix_as_server_sees_the_client_itself() {
    requires_root!();
    requires_programs!("postfix");
    let topology = Topology::new(Hook::Tc);
    topology.fix_neighbours();
    let certificate = Certificate::new("server.test");
    let config = MailConfig::imported(&certificate);
    for family in Family::BOTH {
        let server = Postfix::server(&topology.server, family.server(), &certificate);
        let gateway = Gateway::start_inspecting(&topology, &config);
        let address = SocketAddr::new(family.server(), 25);

        let message = mail::with_attachment("postfix", "a.bin", &vec![9; 20_000]);
        let mut originator = Originator::secured(&topology.client, address);
        let port = originator.local().port();
        originator.mail(&mail::infected("bad")).expect(554);
        originator.mail(&message).expect(250);
        originator.say("QUIT").expect(221);

        let arrived = &server.wait_for_messages(1)[0];
        assert!(arrived.ends_with(&with_lf(&message)), "{}", String::from_utf8_lossy(arrived));
        // C16: whoever counts or lists clients there sees the right one.
        let line = server.wait_for_line(&["client="]);
        assert!(line.contains(&format!("[{}]", family.client())), "{line} (from port {port})");
        server.wait_for_line(&["TLS connection established", "TLSv1.3"]);
        assert_eq!(server.mailbox().len(), 1, "the infected one never came");
        drop(gateway);
    }
}

#[test]
fn postfix_as_client_delivers_its_queue_through_the_gateway() {
    requires_root!();
    requires_programs!("postfix");
    let config = MailConfig::imported(&Certificate::new("server.test"));
    play(&config, Script::ordinary(), |scene| {
        let client = Postfix::client(&scene.topology.client, Family::V4.server());
        let submission = SocketAddr::from(([127, 0, 0, 1], SUBMISSION));
        let mut originator = Originator::greeted(&scene.topology.client, submission);
        let message = mail::with_attachment("queued", "a.bin", &vec![3; 50_000]);
        originator.mail(&message).expect(250);
        let line = client.wait_for_line(&["status="]);
        assert!(line.contains("status=sent") && line.contains("250 2.0.0 taken"), "{line}");
        let delivery = &scene.next_hop.wait_for_deliveries(1)[0];
        // Postfix adds fields of its own, such as a missing Date.
        let body = &message[mail::find(&message, b"\r\n\r\n").expect("a body")..];
        assert!(
            delivery.tls && delivery.octets.ends_with(body),
            "{}",
            String::from_utf8_lossy(&delivery.octets)
        );
        client.wait_for_line(&["TLS connection established to", "TLSv1.3"]);

        originator.mail(&mail::infected("queued too")).expect(250);
        let line = client.wait_for_line(&["status=bounced"]);
        assert!(line.contains("554 5.7.1"), "{line}");
        scene.next_hop.wait_until_idle();
        assert!(
            scene.next_hop.deliveries().iter().all(|delivery| mail::find(
                &delivery.octets,
                b"eicar.com\"\r\n\r\n"
            )
            .is_none())
        );
        scene.expect_clean_wire();
    });
}
