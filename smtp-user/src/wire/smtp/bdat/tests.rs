//! Sizes, and line ends across chunks.

use super::{Chunk, ChunkReceiver};
use crate::wire::smtp::data::{DataDefect, LineEnds};

#[test]
fn sizes_are_digits_and_nothing_else() {
    let cases: [(&str, Option<(u64, bool)>); 20] = [
        ("0", Some((0, false))),
        ("0 LAST", Some((0, true))),
        ("86 last", Some((86, true))),
        ("007", Some((7, false))),
        ("9999999999999999999", Some((9_999_999_999_999_999_999, false))),
        ("18446744073709551615", None),
        ("18446744073709551616", None),
        ("00000000000000000001", None),
        ("-1", None),
        ("+1", None),
        ("", None),
        (" 1", None),
        ("1 ", None),
        ("1  LAST", None),
        ("1 LAST LAST", None),
        ("1 LASTX", None),
        ("1 LSAT", None),
        ("1LAST", None),
        ("0x10", None),
        ("1 2", None),
    ];
    for (argument, expected) in cases {
        let expected = expected.map(|(octets, last)| Chunk { octets, last });
        assert_eq!(Chunk::parse(argument.as_bytes()).ok(), expected, "{argument:?}");
    }
}

fn receive(pieces: &[&[u8]], line_ends: LineEnds) -> (Vec<u8>, Option<DataDefect>) {
    let mut receiver = ChunkReceiver::new(1000, line_ends);
    let (mut message, mut defect) = (Vec::new(), None);
    for piece in pieces {
        defect = defect.or(receiver.feed(piece, &mut message));
    }
    let defect = defect.or(receiver.finish(&mut message));
    (message, defect)
}

#[test]
fn every_short_string_in_every_cut_keeps_or_mends_its_line_ends() {
    for number in 0..4_usize.pow(6) {
        let input: Vec<u8> = (0..6).map(|at| b"\r\n.x"[number >> (2 * at) & 3]).collect();
        let mut mended = Vec::new();
        let mut bare = false;
        for (at, &octet) in input.iter().enumerate() {
            match octet {
                b'\r' if input.get(at + 1) == Some(&b'\n') => mended.push(octet),
                b'\n' if input[..at].ends_with(b"\r") => mended.push(octet),
                b'\r' | b'\n' => {
                    bare = true;
                    mended.extend_from_slice(b"\r\n");
                }
                _ => mended.push(octet),
            }
        }
        for at in 0..=input.len() {
            let pieces = [&input[..at], &input[at..]];
            assert_eq!(receive(&pieces, LineEnds::Normalise), (mended.clone(), None), "{input:?} at {at}");
            let (message, defect) = receive(&pieces, LineEnds::Refuse);
            assert_eq!(defect.is_some(), bare, "{input:?} at {at}");
            assert!(bare || message == input, "{input:?} at {at}");
        }
    }
}

#[test]
fn size_and_nul_are_looked_at() {
    let large = vec![b'x'; 1001];
    assert_eq!(receive(&[&large], LineEnds::Refuse).1, Some(DataDefect::TooLarge));
    assert_eq!(receive(&[&large[..1000]], LineEnds::Refuse).1, None);
    assert_eq!(receive(&[b"a\0b"], LineEnds::Normalise).1, Some(DataDefect::Nul));
}
