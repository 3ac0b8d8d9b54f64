//! One function for each fuzz target.

mod content;

pub use content::{contents, decoders, engine_replies, extraction, parameters, tree};

use smtp_user::limits::Timeout;
use smtp_user::model::leg::Leg;
use smtp_user::model::server_tls::ServerTls;
use smtp_user::session::relay::Input;
use smtp_user::wire::smtp::bdat::{Chunk, ChunkReceiver};
use smtp_user::wire::smtp::command::Command;
use smtp_user::wire::smtp::data::{DataDefect, DataReceiver, DotStuffer, LineEnds};
use smtp_user::wire::smtp::reply::{Reply, ReplyError, ReplyOutcome, ReplyReader};

use super::dialogue::{Dialogue, config};
use super::sink::Sink;

/// What was read is written as one clean line that reads the same.
pub fn command(input: &[u8]) {
    let Ok(command) = Command::parse(input) else { return };
    let mut octets = Vec::new();
    command.write(&mut octets);
    let line = octets.strip_suffix(b"\r\n").expect("a line");
    assert!(!line.iter().any(|octet| matches!(octet, 0..=31 | 127)));
    assert_eq!(Command::parse(line), Ok(command));
}

/// Cutting changes nothing, and what is written is clean.
pub fn reply(input: &[u8]) {
    let Some((&cut, octets)) = input.split_first() else { return };
    let (first, second) = octets.split_at(usize::from(cut).min(octets.len()));
    let whole = replies(&[octets]);
    assert_eq!(whole, replies(&[first, second]));
    for reply in whole.into_iter().flatten() {
        let written = reply.to_octets();
        assert_eq!(replies(&[&written]), [Ok(reply)]);
    }
}

/// Cutting changes nothing, and what goes out has one end.
pub fn data(input: &[u8]) {
    let [cut, mode, octets @ ..] = input else { return };
    let (first, second) = octets.split_at(usize::from(*cut).min(octets.len()));
    let line_ends = if mode % 2 == 0 { LineEnds::Refuse } else { LineEnds::Normalise };
    let whole = received(&[octets], line_ends);
    let pieces = received(&[first, second], line_ends);
    assert_eq!((whole.1, whole.2), (pieces.1, pieces.2));
    if whole.2.is_some() {
        return;
    }
    assert_eq!(whole.0, pieces.0);
    let mut wire = b"\r\n".to_vec();
    let mut stuffer = DotStuffer::new();
    stuffer.stuff(&whole.0, &mut wire);
    stuffer.finish(&mut wire);
    let lines = wire.split(|octet| matches!(octet, b'\r' | b'\n'));
    assert_eq!(lines.filter(|line| *line == b".").count(), 1);
    assert!(!wire.contains(&0));
}

/// Sizes are read one way, and cutting chunks changes nothing.
pub fn bdat(input: &[u8]) {
    if let Ok(Chunk { octets, last }) = Chunk::parse(input) {
        let written = format!("{octets}{}", if last { " LAST" } else { "" });
        assert_eq!(Chunk::parse(written.as_bytes()), Ok(Chunk { octets, last }));
    }
    let [cut, mode, octets @ ..] = input else { return };
    let (first, second) = octets.split_at(usize::from(*cut).min(octets.len()));
    let line_ends = if mode % 2 == 0 { LineEnds::Refuse } else { LineEnds::Normalise };
    let (whole, pieces) = (chunks(&[octets], line_ends), chunks(&[first, second], line_ends));
    assert_eq!(whole.1, pieces.1);
    if whole.1.is_none() {
        assert_eq!(whole.0, pieces.0);
        let mut before = 0;
        for &octet in &whole.0 {
            assert!(octet != 0 && (before == b'\r') == (octet == b'\n'));
            before = octet;
        }
    }
}

/// Segments: a tag, a length, octets. Whatever they are, no message is sent that was not passed, and nothing grows
/// without bound. The assertions about messages are in [`Dialogue`].
pub fn relay(input: &[u8]) {
    let Some((&mode, mut rest)) = input.split_first() else { return };
    let server_tls = [ServerTls::Off, ServerTls::Opportunistic, ServerTls::Required, ServerTls::Verified];
    let line_ends = if mode & 4 == 0 { LineEnds::Refuse } else { LineEnds::Normalise };
    let mut dialogue = Dialogue::new(config(server_tls[usize::from(mode & 3)], line_ends));
    // Half of the time the next hop answers as it should; nothing gets far otherwise.
    let mut sink = (mode & 8 == 0).then(|| Sink::new(mode & 16 == 0, false));
    if sink.is_some() {
        dialogue.server(b"220 sink.example\r\n");
    }
    while let [tag, length, tail @ ..] = rest {
        let (octets, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        let leg = if length % 2 == 0 { Leg::Client } else { Leg::Server };
        match tag % 16 {
            0..=6 => dialogue.client(octets),
            7..=11 => dialogue.server(octets),
            12 => dialogue.input(Input::Closed(leg)),
            13 => dialogue.input(Input::Drain),
            14 => dialogue.input(Input::Expired(Timeout::Command)),
            _ => dialogue.input(Input::DataDefect(DataDefect::NoRoom)),
        }
        if let Some(sink) = &mut sink {
            let answers = sink.take(&std::mem::take(&mut dialogue.to_server));
            dialogue.server(&answers);
            assert!(sink.messages.len() <= dialogue.sent as usize, "more messages than were sent");
        }
        let octets_in = input.len();
        assert!(dialogue.to_server.len() <= 64 * octets_in + 1024, "more goes out than came in");
        assert!(dialogue.waiting() <= octets_in);
        assert_eq!(dialogue.to_client.last().copied().unwrap_or(b'\n'), b'\n');
    }
    let _ = (dialogue.relay.disposition(), dialogue.relay.stage(), dialogue.relay.waiting());
}

fn replies(pieces: &[&[u8]]) -> Vec<Result<Reply, ReplyError>> {
    let (mut reader, mut read) = (ReplyReader::new(), Vec::new());
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let step = reader.feed(rest);
            rest = &rest[step.consumed..];
            match step.outcome {
                ReplyOutcome::More => {}
                ReplyOutcome::Reply(reply) => read.push(Ok(reply)),
                ReplyOutcome::Defect(error) => {
                    read.push(Err(error));
                    return read;
                }
            }
        }
    }
    read
}

fn received(pieces: &[&[u8]], line_ends: LineEnds) -> (Vec<u8>, bool, Option<DataDefect>) {
    let mut receiver = DataReceiver::new(u64::MAX, line_ends);
    let (mut message, mut end, mut defect) = (Vec::new(), false, None);
    for piece in pieces {
        let step = receiver.feed(piece, &mut message);
        (end, defect) = (step.end, defect.or(step.defect));
        if end {
            break;
        }
    }
    (message, end, defect)
}

fn chunks(pieces: &[&[u8]], line_ends: LineEnds) -> (Vec<u8>, Option<DataDefect>) {
    let mut receiver = ChunkReceiver::new(u64::MAX, line_ends);
    let (mut message, mut defect) = (Vec::new(), None);
    for piece in pieces {
        defect = defect.or(receiver.feed(piece, &mut message));
    }
    let defect = defect.or(receiver.finish(&mut message));
    (message, defect)
}
