//! Clean mail arrives as it was sent, behind two trace fields, and the replies are the next hop's own.

use super::dialogue::Dialogue;
use super::next_hop::{Manner, NextHop};
use super::rig::{Plan, begun, begun_before};
use crate::event::session_event::SessionEvent;
use crate::model::disposition::Disposition;

const MESSAGE: &str = "Subject: x\r\n\r\n.one dot\r\n..two dots\r\n\r\n last line \t\u{e9}";

#[tokio::test]
async fn it_arrives_octet_for_octet() {
    let hop = NextHop::start(Manner::default()).await;
    let rig = Plan::to(hop.address).build();
    let mut client = Dialogue::call(rig.address).await;
    let keywords = client.begin().await;
    for kept in ["PIPELINING", "SIZE 104857600", "8BITMIME", "ENHANCEDSTATUSCODES"] {
        assert!(keywords.contains(kept), "{keywords}");
    }
    assert!(!keywords.contains("STARTTLS"), "{keywords}");
    assert_eq!(client.mail(MESSAGE).await, "250 2.0.0 taken as 4711\r\n");
    // And another one on the same connection.
    assert_eq!(client.mail("Subject: y\r\n\r\nz").await, "250 2.0.0 taken as 4711\r\n");
    client.ask("QUIT", "221").await;
    client.expect_end().await;
    assert_eq!(rig.accounts(1).await, [Disposition::Inspected]);

    let mail = hop.mail();
    assert_eq!(mail.len(), 2);
    assert_eq!(
        (mail[0].from.as_str(), mail[0].to.as_slice()),
        ("a@client.example", &["b@hop.example".to_owned()][..])
    );
    let text = String::from_utf8(mail[0].octets.clone()).unwrap();
    let (trace, message) = text.split_once("Subject: x").unwrap();
    assert_eq!(format!("Subject: x{message}"), format!("{MESSAGE}\r\n"));
    let id = format!("{}.1", rig.records()[0].session);
    assert!(
        trace.starts_with(
            "Received: from client.example ([127.0.0.1])\r\n\tby gw.example (Postern) with ESMTP\r\n"
        ),
        "{trace}"
    );
    assert!(trace.contains(&format!("\tid {id}\r\n\tfor <b@hop.example>; ")), "{trace}");
    assert!(trace.ends_with(&format!("\r\nX-Postern-Session: {id}\r\n")), "{trace}");
    assert!(String::from_utf8(mail[1].octets.clone()).unwrap().ends_with("\r\nSubject: y\r\n\r\nz\r\n"));
    let delivered = rig.records().into_iter().find_map(|record| match record.event {
        SessionEvent::Account { delivered, client_octets, server_octets, .. } => {
            Some((delivered, client_octets.iter().chain(&server_octets).all(|octets| *octets > 0)))
        }
        _ => None,
    });
    assert_eq!(delivered, Some((2, true)));
}

#[tokio::test]
async fn chunks_arrive_as_one() {
    let (hop, _rig, mut client) = begun_before(Manner::chunking()).await;
    client.envelope().await;
    client.send("BDAT 11\r\nSubject: x\r").await;
    client.expect("250").await;
    client.send("BDAT 9 LAST\r\n\n\r\n.\r\n..z").await;
    client.expect("250 2.0.0 chunk taken").await;
    client.ask("QUIT", "221").await;
    let mail = hop.mail();
    assert_eq!(mail.len(), 1);
    let text = String::from_utf8(mail[0].octets.clone()).unwrap();
    assert!(text.ends_with("\r\nSubject: x\r\n\r\n.\r\n..z"), "{text}");
    assert_eq!(hop.commands().iter().filter(|command| command.starts_with("BDAT")).count(), 1);
}

#[tokio::test]
async fn data_goes_on_as_one_chunk_where_that_is_offered() {
    let (hop, rig, mut client) = begun_before(Manner::chunking()).await;
    assert_eq!(client.mail(MESSAGE).await, "250 2.0.0 chunk taken\r\n");
    client.ask("QUIT", "221").await;
    let mail = hop.mail();
    assert_eq!(mail.len(), 1);
    let text = String::from_utf8(mail[0].octets.clone()).unwrap();
    let (_, message) = text.split_once("Subject: x").unwrap();
    assert_eq!(format!("Subject: x{message}"), format!("{MESSAGE}\r\n"));
    let verbs: Vec<String> = hop.commands().iter().map(|line| line[..4].to_owned()).collect();
    assert_eq!(verbs, ["EHLO", "MAIL", "RCPT", "BDAT", "QUIT"]);
    assert_eq!(rig.accounts(1).await, [Disposition::Inspected]);
}

#[tokio::test]
async fn a_message_larger_than_memory_takes_the_way_over_a_file() {
    let (hop, _rig, mut client) = begun().await;
    let message = format!("Subject: x\r\n\r\n{}end", ".a line of many\r\n".repeat(50_000));
    assert_eq!(client.mail(&message).await, "250 2.0.0 taken as 4711\r\n");
    let mail = hop.mail();
    let text = String::from_utf8(mail[0].octets.clone()).unwrap();
    let (_, arrived) = text.split_once("X-Postern-Session").unwrap().1.split_once("\r\n").unwrap();
    assert!(arrived == format!("{message}\r\n"));
}

#[tokio::test]
async fn the_next_hop_sees_the_originators_own_port() {
    let hop = NextHop::start(Manner::default()).await;
    let rig = Plan::to(hop.address).build();
    // The port is free for both only because this is not another host.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind("127.0.0.88:0".parse().unwrap()).unwrap();
    let mut client = Dialogue::new(socket.connect(rig.address).await.unwrap());
    client.begin().await;
    assert_eq!(hop.peers(), [client.stream.local_addr().unwrap()]);
    assert_eq!(rig.notes(), ["next_hop"]);
}

#[tokio::test]
async fn a_port_that_is_taken_is_replaced_and_recorded() {
    let (hop, rig, client) = begun().await;
    let [seen] = hop.peers()[..] else { panic!() };
    let originator = client.stream.local_addr().unwrap();
    assert_eq!(seen.ip(), originator.ip());
    assert_ne!(seen.port(), originator.port());
    assert_eq!(rig.notes(), ["next_hop", "source_port_taken"]);
}
