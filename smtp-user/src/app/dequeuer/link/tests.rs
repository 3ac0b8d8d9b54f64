//! What one side says is what the other one hears.

use super::*;
use crate::model::session_id::SessionId;

fn id(number: u32) -> MessageId {
    MessageId { session: SessionId::new(1, [1; 10]), number }
}

fn slot() -> Slot {
    Slot { bundle: id(1), offset: 7, octets: 12, mark: 40, of: 3 }
}

/// A line with one notice, and octets behind it.
fn told(octets: usize, behind: &[u8]) -> Vec<u8> {
    let mut all = serde_json::to_vec(&Tell::TakenIn(vec![Notice { id: id(1), octets, slot: None }])).unwrap();
    all.push(b'\n');
    all.extend_from_slice(behind);
    all
}

async fn heard(from: &mut &[u8]) -> io::Result<Vec<TakenIn>> {
    let Some(Tell::TakenIn(notices)) = hear(from, &mut Vec::new()).await? else { panic!("no messages") };
    hear_files(from, &notices).await
}

#[tokio::test]
async fn messages_are_heard_as_they_were_told() {
    // Octets of a file may look like lines.
    let file = |octets: &[u8]| Some(Arc::new(octets.to_vec()));
    let messages = [
        TakenIn { id: id(1), file: file(b"one\n\"stop\"\n"), slot: None },
        TakenIn::to_be_read(id(2), None),
        TakenIn { id: id(3), file: file(&[0, 255, b'\n']), slot: Some(slot()) },
        TakenIn::to_be_read(id(4), Some(slot())),
    ];
    let mut said = Vec::new();
    tell(&mut said, &messages).await.unwrap();
    write(&mut said, &Tell::Stop).await.unwrap();
    let mut from = said.as_slice();
    assert_eq!(heard(&mut from).await.unwrap(), messages);
    assert_eq!(hear(&mut from, &mut b"an earlier line".to_vec()).await.unwrap(), Some(Tell::Stop));
    assert_eq!(hear(&mut from, &mut Vec::new()).await.unwrap(), None);
}

#[tokio::test]
async fn a_file_over_the_bound_is_refused_before_it_is_read() {
    let said = told(MOST + 1, b"x");
    let mut from = said.as_slice();
    assert_eq!(heard(&mut from).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert_eq!(from, b"x");
    let said = told(MOST, &vec![b'x'; MOST]);
    assert_eq!(heard(&mut said.as_slice()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_end_within_a_line_or_a_file_is_an_error() {
    let said = told(3, b"ab");
    assert_eq!(heard(&mut said.as_slice()).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    let line = said.get(..said.len() - 10).unwrap();
    assert!(hear(&mut &*line, &mut Vec::new()).await.is_err());
}
