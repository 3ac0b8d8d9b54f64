//! However a dialogue is cut into pieces, it means the same.

use std::time::Duration;

use super::dialogue::Dialogue;
use super::next_hop::{Manner, NextHop};
use super::rig::{Plan, Rig};

/// What is sent in one go, and how many replies it gets.
const GROUPS: [(&str, usize); 3] = [
    ("EHLO c.example\r\n", 1),
    ("MAIL FROM:<a@c.example>\r\nRCPT TO:<b@hop.example>\r\nDATA\r\n", 3),
    (
        "Subject: x\r\n\r\n..y\r\n.\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<b@hop.example>\r\n\
         BDAT 3\r\nA: BDAT 10 LAST\r\nb\r\n\r\n.\r\n\r\nQUIT\r\n",
        6,
    ),
];

/// Codes of all replies; pieces end at these places of the dialogue.
async fn codes(rig: &Rig, cuts: impl Fn(usize) -> bool) -> Vec<String> {
    let mut client = Dialogue::call(rig.address).await;
    let mut codes = vec![client.reply().await[..3].to_owned()];
    let mut at = 0;
    for (group, replies) in GROUPS {
        let mut piece = Vec::new();
        for octet in group.bytes() {
            piece.push(octet);
            at += 1;
            if cuts(at) {
                client.send(std::mem::take(&mut piece)).await;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        client.send(piece).await;
        for _ in 0..replies {
            codes.push(client.reply().await.get(..3).unwrap_or("end").to_owned());
        }
    }
    codes
}

#[tokio::test]
async fn a_split_at_any_octet_changes_nothing() {
    let hop = NextHop::start(Manner::chunking()).await;
    let rig = Plan::to(hop.address).build();
    let length: usize = GROUPS.iter().map(|(group, _)| group.len()).sum();
    let expected = ["220", "250", "250", "250", "354", "250", "250", "250", "250", "250", "221"];
    assert_eq!(codes(&rig, |_| false).await, expected);
    for cut in 1..length {
        assert_eq!(codes(&rig, |at| at == cut).await, expected, "cut at {cut}");
    }
    assert_eq!(codes(&rig, |_| true).await, expected, "octet by octet");
    let mail = hop.mail();
    assert_eq!(mail.len(), 2 * (length + 1));
    for pair in mail.chunks(2) {
        let bodies: Vec<String> = pair.iter().map(|mail| body(&mail.octets)).collect();
        assert_eq!(bodies, ["Subject: x\r\n\r\n.y\r\n", "A: b\r\n\r\n.\r\n\r\n"]);
    }
    // Nothing came behind the last reply either, of which a later command would have made one.
    rig.accounts(length + 1).await;
}

fn body(octets: &[u8]) -> String {
    let text = std::str::from_utf8(octets).unwrap();
    let (_, behind) = text.split_once("X-Postern-Session").unwrap();
    behind.split_once("\r\n").unwrap().1.to_owned()
}
