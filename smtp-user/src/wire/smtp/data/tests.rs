//! Every string of up to eight octets over the alphabet that matters, against a reference that is slow and plain,
//! in every way to cut it.

#[path = "../../../../../tests/corpus/ends_of_data.rs"]
mod ends_of_data;

use proptest::prelude::*;

use self::ends_of_data::BROKEN_ENDS;
use super::{DataDefect, DataReceiver, DotStuffer, LineEnds};

/// What came out of a receiver.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    message: Vec<u8>,
    consumed: usize,
    end: bool,
    defect: Option<DataDefect>,
}

fn receive<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, line_ends: LineEnds) -> Outcome {
    let mut receiver = DataReceiver::new(u64::MAX, line_ends);
    let mut outcome = Outcome { message: Vec::new(), consumed: 0, end: false, defect: None };
    for piece in pieces {
        let step = receiver.feed(piece, &mut outcome.message);
        outcome.consumed += step.consumed;
        outcome.end = step.end;
        outcome.defect = outcome.defect.or(step.defect);
        if step.end {
            break;
        }
        assert_eq!(step.consumed, piece.len(), "octets are left only behind the end");
    }
    outcome
}

/// Index behind the only end there is, in the data with the CRLF of the DATA command before it.
fn strict_end(data: &[u8]) -> Option<usize> {
    data.windows(5).position(|octets| octets == b"\r\n.\r\n").map(|at| at + 5)
}

/// The message, octet by octet, looking at both neighbours of each; and the first bare CR or LF.
fn reference(input: &[u8]) -> (Outcome, Option<DataDefect>) {
    let data = [b"\r\n", input].concat();
    let end = strict_end(&data);
    let body = end.map_or(data.len(), |end| end - 3);
    let (mut message, mut bare) = (Vec::new(), None);
    for at in 2..body {
        let (before, octet, after) = (&data[..at], data[at], data.get(at + 1));
        match octet {
            b'.' if before.ends_with(b"\r\n") => {}
            b'\r' if after == Some(&b'\n') => message.push(b'\r'),
            // Not yet known.
            b'\r' if after.is_none() => {}
            b'\n' if before.ends_with(b"\r") => message.push(b'\n'),
            b'\r' | b'\n' => {
                message.extend_from_slice(b"\r\n");
                bare = bare.or(Some(if octet == b'\r' { DataDefect::BareCr } else { DataDefect::BareLf }));
            }
            _ => message.push(octet),
        }
    }
    let consumed = end.unwrap_or(data.len()) - 2;
    (Outcome { message, consumed, end: end.is_some(), defect: None }, bare)
}

/// Every string of exactly `length` octets.
fn strings(length: u32) -> impl Iterator<Item = Vec<u8>> {
    (0..4_usize.pow(length))
        .map(move |number| (0..length).map(|at| b"\r\n.x"[number >> (2 * at) & 3]).collect())
}

/// Cuts between octets where the bits of `cuts` say so.
fn cut(input: &[u8], cuts: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = input;
    let mut from = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let length = (1..rest.len()).find(|at| cuts >> (from + at - 1) & 1 == 1).unwrap_or(rest.len());
        let (piece, tail) = rest.split_at(length);
        (rest, from) = (tail, from + length);
        Some(piece)
    })
}

fn check(input: &[u8], cuts: usize, expected: &(Outcome, Option<DataDefect>)) {
    let (normalised, bare) = expected;
    let what = || format!("{:?} cut {cuts:b}", String::from_utf8_lossy(input));
    assert_eq!(&receive(cut(input, cuts), LineEnds::Normalise), normalised, "{}", what());
    let refused = receive(cut(input, cuts), LineEnds::Refuse);
    if bare.is_none() {
        assert_eq!(&refused, normalised, "{}", what());
    } else {
        assert_eq!(&refused.defect, bare, "{}", what());
        assert!(refused.end >= normalised.end, "a refused message ends no later: {}", what());
    }
}

#[test]
fn every_short_string_in_every_cut_is_read_as_the_reference_reads_it() {
    for length in 0..=7 {
        for input in strings(length) {
            let expected = reference(&input);
            for cuts in 0..1 << length.saturating_sub(1) {
                check(&input, cuts, &expected);
            }
        }
    }
    for input in strings(8) {
        let expected = reference(&input);
        let once = (0..7).map(|at| 1 << at);
        for cuts in once.chain([0, 0b111_1111]) {
            check(&input, cuts, &expected);
        }
    }
}

#[test]
fn every_short_message_goes_out_with_one_end_and_no_bare_line_end() {
    for input in strings(8) {
        let (Outcome { message, end, .. }, _) = reference(&input);
        if !end {
            continue;
        }
        let mut wire = b"\r\n".to_vec();
        let mut stuffer = DotStuffer::new();
        stuffer.stuff(&message, &mut wire);
        stuffer.finish(&mut wire);
        assert_eq!(strict_end(&wire), Some(wire.len()), "{:?}", String::from_utf8_lossy(&input));
        // The most tolerant of servers: any of CR, LF and CRLF around a dot.
        let lines: Vec<_> = wire.split(|&octet| matches!(octet, b'\r' | b'\n')).collect();
        assert_eq!(
            lines.iter().filter(|line| **line == b".").count(),
            1,
            "{:?}",
            String::from_utf8_lossy(&wire)
        );
        let again = receive([wire.get(2..).unwrap()], LineEnds::Refuse);
        assert_eq!((again.message, again.end, again.defect), (message, true, None));
    }
}

#[test]
fn dots_at_the_edges_of_buffers_survive_both_ways() {
    for size in [4096_usize, 8192, 16_384, 65_536] {
        for shift in 0..3 {
            let mut message = vec![b'x'; size + shift - 3];
            message.extend_from_slice(b"\r\n.\r\n..\r\n.x\r\n");
            let mut wire = Vec::new();
            let mut stuffer = DotStuffer::new();
            for piece in message.chunks(size) {
                stuffer.stuff(piece, &mut wire);
            }
            stuffer.finish(&mut wire);
            let received = receive(wire.chunks(size), LineEnds::Refuse);
            assert!(received.message == message && received.end, "{size} + {shift}");
        }
    }
}

#[test]
fn smuggling_sequences_never_make_two_messages() {
    for end in BROKEN_ENDS {
        let input =
            [b"Subject: one\r\n\r\nbody".as_slice(), end, b"MAIL FROM:<a@b.example>\r\nDATA\r\nx\r\n.\r\n"]
                .concat();
        for at in 0..=input.len() {
            let refused = receive([&input[..at], &input[at..]], LineEnds::Refuse);
            assert!(refused.defect.is_some_and(DataDefect::is_framing), "{end:?} cut at {at}");
            let normalised = receive([&input[..at], &input[at..]], LineEnds::Normalise);
            if end.contains(&0) {
                assert_eq!(normalised.defect, Some(DataDefect::Nul), "{end:?} cut at {at}");
            } else {
                assert_eq!((normalised.end, normalised.consumed), (true, input.len()), "{end:?} cut at {at}");
                let mut wire = b"\r\n".to_vec();
                let mut stuffer = DotStuffer::new();
                stuffer.stuff(&normalised.message, &mut wire);
                stuffer.finish(&mut wire);
                assert_eq!(
                    wire.windows(3).filter(|w| w == b"\n.\r" || w == b"\n.\n" || w == b"\r.\r").count(),
                    1
                );
            }
        }
    }
}

#[test]
fn a_message_one_octet_over_the_limit_is_read_to_its_end_and_reported_once() {
    let input = b"12345678\r\n.\r\nQUIT\r\n";
    for (limit, defect) in [(10, None), (9, Some(DataDefect::TooLarge)), (0, Some(DataDefect::TooLarge))] {
        let mut receiver = DataReceiver::new(limit, LineEnds::Refuse);
        let (mut message, mut consumed, mut met, mut ended) = (Vec::new(), 0, Vec::new(), false);
        for &octet in input {
            let step = receiver.feed(&[octet], &mut message);
            consumed += step.consumed;
            met.extend(step.defect);
            if step.end {
                ended = true;
                break;
            }
        }
        assert_eq!((met.first().copied(), met.len()), (defect, usize::from(defect.is_some())), "{limit}");
        assert!(ended && consumed == 13 && message.len() as u64 <= limit, "{limit}");
    }
}

proptest! {
    #[test]
    fn cutting_changes_nothing(
        input in prop::collection::vec(prop::sample::select(b"\r\n.x\0\xff".to_vec()), 0..200),
        cuts in prop::collection::vec(1..20_usize, 1..50),
        normalise: bool,
    ) {
        let line_ends = if normalise { LineEnds::Normalise } else { LineEnds::Refuse };
        let mut pieces = Vec::new();
        let mut rest = input.as_slice();
        for length in cuts.into_iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, tail) = rest.split_at(length.min(rest.len()));
            pieces.push(piece);
            rest = tail;
        }
        let (whole, pieces) = (receive([input.as_slice()], line_ends), receive(pieces, line_ends));
        if whole.defect.is_none() {
            prop_assert_eq!(whole, pieces);
        } else {
            prop_assert_eq!((whole.defect, whole.end), (pieces.defect, pieces.end));
        }
    }

    #[test]
    fn stuffing_in_pieces_is_stuffing(lines in prop::collection::vec("[.x]{0,4}", 0..20), cut in 1..7_usize) {
        let mut message = lines.join("\r\n").into_bytes();
        message.extend_from_slice(b"\r\n");
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        let mut stuffer = DotStuffer::new();
        stuffer.stuff(&message, &mut whole);
        stuffer.finish(&mut whole);
        let mut stuffer = DotStuffer::new();
        message.chunks(cut).for_each(|piece| stuffer.stuff(piece, &mut pieces));
        stuffer.finish(&mut pieces);
        prop_assert_eq!(&whole, &pieces);
        let received = receive([whole.as_slice()], LineEnds::Refuse);
        prop_assert_eq!((received.message, received.end), (message, true));
    }
}
