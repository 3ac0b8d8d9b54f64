//! Lines in every cut, and what is none.

use super::{LineDefect, LineOutcome, LineReader};
use crate::limits::OVERLONG_LINE_OCTETS;

/// Lines and defects of an input that arrives in pieces.
fn read(pieces: &[&[u8]], limit: usize) -> Vec<Result<Vec<u8>, LineDefect>> {
    let mut reader = LineReader::new(limit);
    let mut read = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let step = reader.feed(rest);
            rest = &rest[step.consumed..];
            match step.outcome {
                LineOutcome::More => assert!(rest.is_empty()),
                LineOutcome::Line(line) => read.push(Ok(line.to_vec())),
                LineOutcome::Defect(defect) => {
                    read.push(Err(defect));
                    if !defect.is_recoverable() {
                        return read;
                    }
                }
            }
        }
    }
    read
}

#[test]
fn lines_are_the_same_in_every_cut() {
    let input = b"EHLO a\r\n\r\ntoo long for this\r\nRSET\r\nQUIT\r\n";
    let expected = read(&[input], 8);
    assert_eq!(
        expected,
        [
            Ok(b"EHLO a".to_vec()),
            Ok(Vec::new()),
            Err(LineDefect::TooLong),
            Ok(b"RSET".to_vec()),
            Ok(b"QUIT".to_vec()),
        ]
    );
    for at in 0..=input.len() {
        assert_eq!(read(&[&input[..at], &input[at..]], 8), expected, "{at}");
    }
    let octets: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(read(&octets, 8), expected);
}

#[test]
fn what_is_no_line_end_ends_no_line() {
    for (input, defect) in [
        (b"NOOP\nQUIT\r\n".as_slice(), LineDefect::BareLf),
        (b"NOOP\rQUIT\r\n", LineDefect::BareCr),
        (b"NOOP\r\r\n", LineDefect::BareCr),
        (b"NO\0OP\r\n", LineDefect::Nul),
        (b"\x16\x03\x01\x02\0", LineDefect::TlsHello),
        (b"\r\x16\r\n", LineDefect::BareCr),
    ] {
        for at in 0..=input.len() {
            assert_eq!(read(&[&input[..at], &input[at..]], 100), [Err(defect)], "{input:?} at {at}");
        }
    }
}

#[test]
fn the_limit_is_exact() {
    assert_eq!(read(&[b"12345678\r\n"], 8), [Ok(b"12345678".to_vec())]);
    assert_eq!(read(&[b"123456789\r\n"], 8), [Err(LineDefect::TooLong)]);
}

#[test]
fn a_line_without_end_is_given_up() {
    let piece = vec![b'x'; 4096];
    let mut reader = LineReader::new(100);
    let mut fed = 0;
    loop {
        fed += piece.len();
        if reader.feed(&piece).outcome == LineOutcome::Defect(LineDefect::Endless) {
            break;
        }
        assert!(fed < OVERLONG_LINE_OCTETS + 2 * piece.len());
    }
    assert!(reader.line.capacity() <= 100);
}
