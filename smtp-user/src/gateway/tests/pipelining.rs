//! Commands that come together travel together, and their replies come in order.

use super::rig::begun;

#[tokio::test]
async fn a_group_of_commands_gets_its_replies_in_order() {
    let (hop, _rig, mut client) = begun().await;
    client
        .send(
            "MAIL FROM:<a@client.example>\r\nRCPT TO:<nobody@hop.example>\r\nRCPT TO:<b@hop.example>\r\n\
             RCPT TO:<c@hop.example>\r\nDATA\r\n",
        )
        .await;
    for begins in ["250 2.1.0", "550 5.1.1", "250 2.1.5", "250 2.1.5", "354"] {
        client.expect(begins).await;
    }
    // The next message's commands behind the end of this one.
    client.send("Subject: x\r\n\r\ny\r\n.\r\nMAIL FROM:<d@client.example>\r\nRCPT TO:<nobody@hop.example>\r\nDATA\r\n").await;
    for begins in ["250 2.0.0 taken", "250 2.1.0", "550 5.1.1", "5"] {
        client.expect(begins).await;
    }
    client.send("RSET\r\nNOOP\r\nQUIT\r\n").await;
    for begins in ["250", "250", "221"] {
        client.expect(begins).await;
    }
    let mail = hop.mail();
    assert_eq!(mail.len(), 1);
    assert_eq!(mail[0].to, ["b@hop.example", "c@hop.example"]);
}
