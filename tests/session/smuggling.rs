//! Threats S1 and S2: two messages in one, toward next hops that are strict and careless.

use smtp_user::model::server_tls::ServerTls;
use smtp_user::wire::smtp::data::LineEnds;

use crate::dialogue::{Dialogue, TRACE, config};
use crate::ends_of_data::BROKEN_ENDS;
use crate::sink::Sink;

/// What only looks like an end of data, or is one and goes on.
const MORE_ENDS: [&[u8]; 5] = [b"\r\n..\r\n", b"\r\n..\n", b"\r\n.\r\n.\r", b"\n\r\n.\r\n\r", b"\r\n. \r\n"];

const SMUGGLED: &[u8] =
    b"MAIL FROM:<evil@client.example>\r\nRCPT TO:<victim@sink.example>\r\nDATA\r\nevil\r\n.\r\n";

fn send(sink: &mut Sink, line_ends: LineEnds, pieces: &[&[u8]], chunked: bool) -> Dialogue {
    let mut dialogue = Dialogue::new(config(ServerTls::Opportunistic, line_ends));
    dialogue.server(b"220 sink.example\r\n");
    let mut exchange = |dialogue: &mut Dialogue, octets: &[u8]| {
        dialogue.client(octets);
        while !dialogue.to_server.is_empty() {
            let answers = sink.take(&std::mem::take(&mut dialogue.to_server));
            dialogue.server(&answers);
        }
    };
    exchange(&mut dialogue, b"EHLO client.example\r\n");
    exchange(&mut dialogue, b"MAIL FROM:<a@client.example>\r\n");
    exchange(&mut dialogue, b"RCPT TO:<b@sink.example>\r\n");
    if chunked {
        let octets: usize = pieces.iter().map(|piece| piece.len()).sum();
        exchange(&mut dialogue, format!("BDAT {octets} LAST\r\n").as_bytes());
    } else {
        exchange(&mut dialogue, b"DATA\r\n");
    }
    for piece in pieces {
        exchange(&mut dialogue, piece);
    }
    dialogue
}

#[test]
fn two_in_one_is_one_or_none() {
    for end in BROKEN_ENDS.into_iter().chain(MORE_ENDS) {
        // Where the octets do end the data, strictly, what follows is commands and may be a message of its own.
        let honest = [b"\r\n".as_slice(), end].concat().windows(5).any(|octets| octets == b"\r\n.\r\n");
        let message = [b"Subject: one\r\n\r\nbody".as_slice(), end, SMUGGLED].concat();
        for line_ends in [LineEnds::Refuse, LineEnds::Normalise] {
            for careless in [false, true] {
                for cut in 0..=message.len() {
                    let pieces: Vec<&[u8]> = match cut {
                        0 => message.chunks(1).collect(),
                        cut => vec![&message[..cut], &message[cut..]],
                    };
                    for chunked in [false, true] {
                        let mut sink = Sink::new(careless, false);
                        let dialogue = send(&mut sink, line_ends, &pieces, chunked);
                        let what =
                            format!("{end:?} {line_ends:?} careless={careless} cut={cut} chunked={chunked}");
                        assert!(sink.messages.len() <= 1, "{what}: {:?}", sink.commands);
                        let evil = sink.commands.iter().any(|command| command.contains("evil"));
                        assert!(!evil || (honest && !chunked), "{what}: {:?}", sink.commands);
                        assert!(sink.messages.iter().all(|message| message.starts_with(TRACE)), "{what}");
                        assert!(dialogue.to_client.ends_with(b"\r\n"));
                    }
                }
            }
        }
    }
}
