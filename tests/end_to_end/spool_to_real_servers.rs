//! Postfix and Exim as the next hops of mail that the gateway has taken over.

use std::net::SocketAddr;

use harness::certificate::Certificate;
use harness::deadline::{SOON, wait_until};
use harness::exim::Exim;
use harness::gateway::Gateway;
use harness::mail;
use harness::mail_scene::MailConfig;
use harness::originator::Originator;
use harness::postfix::Postfix;
use harness::topology::{Family, Topology};
use harness::{requires_programs, requires_root};

use crate::spool_is_killed::left;

/// Sends messages through a gateway whose spool is empty again behind it.
fn send(topology: &Topology, config: &MailConfig, messages: &[Vec<u8>]) {
    let mut originator = Originator::greeted(&topology.client, SocketAddr::new(Family::V4.server(), 25));
    for message in messages {
        let reply = originator.mail(message);
        assert!(reply.expect(250).text().starts_with("2.0.0 queued as "), "{reply:?}");
    }
    originator.say("QUIT").expect(221);
    let spool = config.folder().join("spool");
    wait_until("the spool is empty", SOON * 3, || left(&spool) == 0);
}

#[test]
fn postfix_gets_in_tls_what_the_gateway_took_over() {
    requires_root!();
    requires_programs!("postfix");
    let config = MailConfig::spooling("");
    let topology = Topology::new(config.hook());
    topology.fix_neighbours();
    let server = Postfix::server(&topology.server, Family::V4.server(), &Certificate::new("server.test"));
    let _gateway = Gateway::start_inspecting(&topology, &config);
    let messages = [mail::note("small"), mail::with_attachment("large", "a.bin", &vec![9; 500_000])];
    send(&topology, &config, &messages);
    let arrived = server.wait_for_messages(2);
    for message in &messages {
        let with_lf = String::from_utf8_lossy(message).replace("\r\n", "\n").into_bytes();
        assert!(arrived.iter().any(|arrived| arrived.ends_with(&with_lf)), "{}", server.log());
    }
    server.wait_for_line(&["TLS connection established", "TLSv1.3"]);
    assert_eq!(server.mailbox().len(), 2);
}

#[test]
fn exim_gets_in_chunks_what_the_gateway_took_over() {
    requires_root!();
    requires_programs!("exim4");
    let config = MailConfig::spooling("");
    let topology = Topology::new(config.hook());
    topology.fix_neighbours();
    let server = Exim::server(&topology.server, Family::V4.server(), &Certificate::new("server.test"));
    let _gateway = Gateway::start_inspecting(&topology, &config);
    send(&topology, &config, &[mail::note("by-spool")]);
    let line = server.wait_for_line(&["<= a@client.test", "by-spool@client.test"]);
    assert!(line.contains("X=TLS1.3") && line.contains(" K "), "{line}");
}
