//! What is refused never reaches the next hop, and the connection goes on.

use super::dialogue::{Dialogue, eicar};
use super::next_hop::{Manner, NextHop};
use super::rig::Plan;
use crate::model::disposition::Disposition;

#[tokio::test]
async fn eicar_is_refused_and_the_connection_goes_on() {
    let hop = NextHop::start(Manner::default()).await;
    let rig = Plan::to(hop.address).build();
    let mut client = Dialogue::call(rig.address).await;
    client.begin().await;
    let infected = format!("Subject: x\r\n\r\n{}", eicar());
    let reply = client.mail(&infected).await;
    assert!(reply.starts_with("554 5.7.1 "), "{reply}");
    let session = rig.records()[0].session.to_string();
    assert!(reply.contains(&session), "{reply}");
    assert!(hop.mail().is_empty());
    assert_eq!(client.mail("Subject: y\r\n\r\nz").await, "250 2.0.0 taken as 4711\r\n");
    client.ask("QUIT", "221").await;
    assert_eq!(rig.accounts(1).await, [Disposition::Inspected]);
    assert_eq!(hop.mail().len(), 1);
    let all: Vec<u8> = hop.mail().into_iter().flat_map(|mail| mail.octets).collect();
    assert!(!String::from_utf8(all).unwrap().contains("EICAR"));
}

#[tokio::test]
async fn eicar_in_chunks_is_refused_too() {
    let hop = NextHop::start(Manner::default()).await;
    let rig = Plan::to(hop.address).build();
    let mut client = Dialogue::call(rig.address).await;
    client.begin().await;
    client.ask("MAIL FROM:<a@client.example>", "250").await;
    client.ask("RCPT TO:<b@hop.example>", "250").await;
    let infected = format!("Subject: x\r\n\r\n{}\r\n", eicar());
    let (head, tail) = infected.split_at(40);
    client.send(format!("BDAT {}\r\n{head}", head.len())).await;
    client.expect("250").await;
    client.send(format!("BDAT {} LAST\r\n{tail}", tail.len())).await;
    let reply = client.reply().await;
    assert!(reply.starts_with("554 5.7.1 "), "{reply}");
    assert!(hop.mail().is_empty());
}
