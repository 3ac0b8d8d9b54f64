//! The test mail server and the test client with each other, on loopback, without a namespace.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::{Fault, NextHop, Script, Step};
use crate::mail;
use crate::netns::NetNs;
use crate::originator::Originator;
use crate::requires_root;

const PORT: u16 = 25;

fn server(script: Script) -> (NetNs, NextHop) {
    let namespace = NetNs::new("mta");
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT);
    let server = NextHop::start(&namespace, address, script);
    (namespace, server)
}

#[test]
fn a_message_arrives_octet_for_octet_each_way_it_can_be_sent() {
    requires_root!();
    let (namespace, server) = server(Script::ordinary());
    let message = b"Subject: dots\r\n\r\n.\r\n..a\r\n.b\r\n".to_vec();
    let mut originator = Originator::greeted(&namespace, server.address());
    originator.mail(&message).expect(250);
    originator.mail_in_chunks(&message, 7).expect(250);
    originator.say("STARTTLS").expect(220);
    originator.start_tls().expect("the handshake succeeds");
    assert_eq!(originator.certificates()[0].as_ref(), server.certificate().der());
    originator.say("EHLO client.test").expect(250);
    originator.mail(&message).expect(250);
    originator.say("QUIT").expect(221);
    originator.expect_close();

    let deliveries = server.wait_for_deliveries(3);
    assert!(deliveries.iter().all(|delivery| delivery.octets == message && delivery.accepted));
    assert_eq!(
        deliveries.iter().map(|d| (d.tls, d.chunked)).collect::<Vec<_>>(),
        [(false, false), (false, true), (true, false)]
    );
    assert_eq!(deliveries[0].from, "<a@client.test>");
    let heard = &server.wait_until_idle()[0];
    assert!(heard.closed && heard.tls && heard.behind_starttls.is_empty());
    assert_eq!((heard.count("DATA"), heard.count("BDAT")), (2, 5));
}

#[test]
fn a_tolerant_server_can_be_smuggled_to_and_a_strict_one_cannot() {
    requires_root!();
    let smuggled =
        b"Subject: one\r\n\r\nx\n.\nMAIL FROM:<x@evil.test>\r\nRCPT TO:<b@server.test>\r\nDATA\r\n\
                     Subject: two\r\n\r\ny\r\n.\r\n";
    for (script, messages) in [(Script::plain().tolerant(), 2), (Script::plain(), 1)] {
        let (namespace, server) = server(script);
        let mut originator = Originator::greeted(&namespace, server.address());
        originator.envelope("a@client.test", "b@server.test");
        originator.say("DATA").expect(354);
        originator.send(smuggled);
        originator.reply().expect(250);
        originator.rest(Duration::from_millis(200));
        drop(originator);
        server.wait_until_idle();
        assert_eq!(server.deliveries().len(), messages);
    }
}

#[test]
fn faults_happen_where_they_should() {
    requires_root!();
    let (namespace, server) = server(Script::plain().at("RCPT", Fault::Say("452 4.2.2 full\r\n")));
    let mut originator = Originator::greeted(&namespace, server.address());
    originator.say("MAIL FROM:<>").expect(250);
    originator.say("RCPT TO:<b@server.test>").expect(452);
    originator.say("DATA").expect(503);

    server.follow(Script::plain().at_step(Step::EndOfData, Fault::Close).at("EHLO", Fault::Trickle));
    let mut originator = Originator::greeted(&namespace, server.address());
    originator.envelope("a@client.test", "b@server.test");
    originator.say("DATA").expect(354);
    originator.send(&mail::stuffed(&mail::note("lost")));
    assert!(originator.expect_close().is_empty());
    assert!(!server.wait_for_deliveries(1)[0].accepted);
}
