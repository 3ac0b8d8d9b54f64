//! What is refused never reaches the next hop, and the connection goes on.

use super::dialogue::eicar;
use super::next_hop::Manner;
use super::rig::{begun, begun_before};
use crate::model::disposition::Disposition;

#[tokio::test]
async fn eicar_is_refused_and_the_connection_goes_on() {
    let (hop, rig, mut client) = begun().await;
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
    let (hop, _rig, mut client) = begun_before(Manner::chunking()).await;
    client.envelope().await;
    let infected = format!("Subject: x\r\n\r\n{}\r\n", eicar());
    let (head, tail) = infected.split_at(40);
    client.send(format!("BDAT {}\r\n{head}", head.len())).await;
    client.expect("250").await;
    client.send(format!("BDAT {} LAST\r\n{tail}", tail.len())).await;
    let reply = client.reply().await;
    assert!(reply.starts_with("554 5.7.1 "), "{reply}");
    assert!(hop.mail().is_empty());
}
