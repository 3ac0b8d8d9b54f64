//! A dialogue is the same however it is cut, in either direction.

use smtp_user::model::server_tls::ServerTls;
use smtp_user::wire::smtp::data::LineEnds;

use crate::dialogue::{Dialogue, config};
use crate::sink::Sink;

/// What both peers saw of a dialogue whose originator sends `flights`, each when the one before it was answered.
fn run(flights: &[&[u8]], cut: usize, plain: bool) -> (Vec<u8>, Vec<u8>, usize) {
    let mut dialogue = Dialogue::new(config(ServerTls::Opportunistic, LineEnds::Refuse));
    let mut sink = Sink::new(false, plain);
    let (mut seen, mut from) = (Vec::new(), 0);
    let mut answers = b"220 sink.example\r\n".to_vec();
    for flight in [b"".as_slice()].iter().chain(flights) {
        let at = cut.saturating_sub(from).min(flight.len());
        from += flight.len();
        for piece in [&flight[..at], &flight[at..]] {
            dialogue.client(piece);
            while !answers.is_empty() || !dialogue.to_server.is_empty() {
                // Octet by octet where the cut is odd.
                let size = if cut % 2 == 1 { 1 } else { answers.len().max(1) };
                for piece in std::mem::take(&mut answers).chunks(size) {
                    dialogue.server(piece);
                }
                let octets = std::mem::take(&mut dialogue.to_server);
                answers = sink.take(&octets);
                seen.extend(octets);
            }
        }
    }
    (seen, dialogue.to_client, sink.messages.len())
}

#[test]
fn a_plain_dialogue_cut_at_every_octet() {
    let flights: [&[u8]; 8] = [
        b"EHLO client.example\r\n",
        b"MAIL FROM:<a@client.example>\r\n",
        b"RCPT TO:<b@sink.example>\r\n",
        b"DATA\r\n",
        b"Subject: x\r\n\r\n..\r\n.x\r\ntext\r\n.\r\n",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"QUIT\r\n",
    ];
    check(&flights, true);
}

#[test]
fn a_pipelined_dialogue_cut_at_every_octet() {
    let flights: [&[u8]; 4] = [
        b"EHLO client.example\r\n",
        b"MAIL FROM:<a@client.example>\r\nRCPT TO:<b@sink.example>\r\nRCPT TO:<c@sink.example>\r\nDATA\r\n",
        b"Subject: x\r\n\r\n..\r\n.x\r\ntext\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<d@sink.example>\r\nBDAT 7\r\none\r\n.\rBDAT 6 LAST\r\n\nEND\r\nMAIL FROM:<>\r\nRSET\r\n",
        b"QUIT\r\n",
    ];
    check(&flights, false);
}

fn check(flights: &[&[u8]], plain: bool) {
    let (to_server, to_client, messages) = run(flights, 0, plain);
    assert!(messages > 0, "{}", String::from_utf8_lossy(&to_client));
    assert!(to_client.ends_with(b"221 bye\r\n"), "{}", String::from_utf8_lossy(&to_client));
    for cut in 1..flights.iter().map(|flight| flight.len()).sum() {
        let (server, client, count) = run(flights, cut, plain);
        assert_eq!(String::from_utf8_lossy(&client), String::from_utf8_lossy(&to_client), "cut at {cut}");
        assert_eq!(String::from_utf8_lossy(&server), String::from_utf8_lossy(&to_server), "cut at {cut}");
        assert_eq!(count, messages, "cut at {cut}");
    }
}
