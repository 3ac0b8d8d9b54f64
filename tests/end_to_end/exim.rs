//! Exim behind the gateway and in front of it.

use std::net::SocketAddr;

use harness::certificate::Certificate;
use harness::deadline::{SOON, wait_for};
use harness::exim::{Exim, SUBMISSION};
use harness::gateway::Gateway;
use harness::mail;
use harness::mail_scene::{MailConfig, play};
use harness::next_hop::Script;
use harness::originator::Originator;
use harness::topology::{Family, Hook, Topology};
use harness::{requires_programs, requires_root};

#[test]
fn exim_as_server_takes_mail_in_chunks_and_sees_the_client_itself() {
    requires_root!();
    requires_programs!("exim4");
    let topology = Topology::new(Hook::Tc);
    topology.fix_neighbours();
    let certificate = Certificate::new("server.test");
    let config = MailConfig::imported(&certificate);
    let server = Exim::server(&topology.server, Family::V4.server(), &certificate);
    let _gateway = Gateway::start_inspecting(&topology, &config);
    let address = SocketAddr::new(Family::V4.server(), 25);

    let mut originator = Originator::secured(&topology.client, address);
    originator.mail(&mail::infected("bad")).expect(554);
    originator.mail(&mail::note("by-data")).expect(250);
    originator.mail_in_chunks(&mail::note("by-chunks"), 40).expect(250);
    originator.say("QUIT").expect(221);

    let line = server.wait_for_line(&["<= a@client.test", "by-data@client.test"]);
    assert!(line.contains(&format!("[{}]", Family::V4.client())), "{line}");
    server.wait_for_line(&["<= a@client.test", "by-chunks@client.test", "K"]);
    let mailbox = wait_for("two messages in Exim's mailbox", SOON, || {
        let text = String::from_utf8_lossy(&server.mailbox()).into_owned();
        (text.matches("This is a note.\n").count() == 2).then_some(text)
    });
    assert!(!mailbox.contains("eicar.com"), "the infected one never came");
}

#[test]
fn exim_as_client_delivers_its_queue_through_the_gateway() {
    requires_root!();
    requires_programs!("exim4");
    let config = MailConfig::imported(&Certificate::new("server.test"));
    play(&config, Script::ordinary(), |scene| {
        let client = Exim::client(&scene.topology.client, Family::V4.server());
        let submission = SocketAddr::from(([127, 0, 0, 1], SUBMISSION));
        let mut originator = Originator::greeted(&scene.topology.client, submission);
        let message = mail::note("from-exim");
        originator.mail(&message).expect(250);
        let line = client.wait_for_line(&["=> b@server.test"]);
        assert!(line.contains("X=TLS1.3"), "{line}");
        let delivery = &scene.next_hop.wait_for_deliveries(1)[0];
        let body = &message[mail::find(&message, b"\r\n\r\n").expect("a body")..];
        assert!(delivery.tls && delivery.octets.ends_with(body), "{delivery:?}");

        originator.mail(&mail::infected("bad")).expect(250);
        let line = client.wait_for_line(&["** b@server.test"]);
        assert!(line.contains("554 5.7.1"), "{line}");
        scene.next_hop.wait_until_idle();
        scene.expect_clean_wire();
    });
}
