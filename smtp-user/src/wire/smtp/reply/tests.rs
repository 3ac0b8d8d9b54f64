//! Replies in every cut, and what is none.

use super::{Reply, ReplyCode, ReplyError, ReplyOutcome, ReplyReader};
use crate::limits::{REPLY_LINE_OCTETS, REPLY_LINES};

fn read(pieces: &[&[u8]]) -> Vec<Result<(u16, String), ReplyError>> {
    let mut reader = ReplyReader::new();
    let mut read = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let step = reader.feed(rest);
            rest = &rest[step.consumed..];
            match step.outcome {
                ReplyOutcome::More => assert!(rest.is_empty()),
                ReplyOutcome::Reply(reply) => {
                    read.push(Ok((reply.code().number(), reply.lines().collect::<Vec<_>>().join("|"))));
                }
                ReplyOutcome::Defect(error) => {
                    read.push(Err(error));
                    return read;
                }
            }
        }
    }
    read
}

#[test]
fn replies_are_the_same_in_every_cut() {
    let input = b"220 mx.example ESMTP\r\n250-mx.example\r\n250-SIZE 1000\r\n250 HELP\r\n354\r\n250 \r\n421-\r\n421 x\r\n";
    let expected = [
        Ok((220, "mx.example ESMTP".to_owned())),
        Ok((250, "mx.example|SIZE 1000|HELP".to_owned())),
        Ok((354, String::new())),
        Ok((250, String::new())),
        Ok((421, "|x".to_owned())),
    ];
    for at in 0..=input.len() {
        assert_eq!(read(&[&input[..at], &input[at..]]), expected, "{at}");
    }
    let octets: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(read(&octets), expected);
}

#[test]
fn what_is_no_reply_is_told_apart() {
    let long = [b"250 ".as_slice(), &vec![b'x'; REPLY_LINE_OCTETS], b"\r\n"].concat();
    let many = b"250-x\r\n".repeat(REPLY_LINES + 1);
    for (input, error) in [
        (b"\r\n".as_slice(), ReplyError::NoCode),
        (b"25\r\n", ReplyError::NoCode),
        (b"2500 x\r\n", ReplyError::NoCode),
        (b"150 x\r\n", ReplyError::NoCode),
        (b"650 x\r\n", ReplyError::NoCode),
        (b"25x ok\r\n", ReplyError::NoCode),
        (b"250_x\r\n", ReplyError::NoCode),
        (b"ok\r\n", ReplyError::NoCode),
        (b"\x16\x03\x01", ReplyError::NoCode),
        (b"250-x\r\n251 y\r\n", ReplyError::CodesDiffer),
        (b"250-x\r\nx\r\n", ReplyError::NoCode),
        (b"250 x\n", ReplyError::BareLineEnd),
        (b"250 x\ry\r\n", ReplyError::BareLineEnd),
        (b"250 \0\r\n", ReplyError::Nul),
        (&long, ReplyError::LineTooLong),
        (&many, ReplyError::TooManyLines),
    ] {
        let start = String::from_utf8_lossy(&input[..input.len().min(20)]);
        assert_eq!(read(&[input]).last(), Some(&Err(error)), "{start:?}");
    }
}

#[test]
fn text_is_made_printable_when_it_is_read() {
    let read = read(&[b"550 caf\xc3\xa9 \xff\x1b[2J\x7f\t<b>\xe2\x80\xa8\r\n"]);
    assert_eq!(read, [Ok((550, "caf\u{e9} ??[2J??<b>\u{2028}".to_owned()))]);
}

#[test]
fn writing_is_the_inverse_of_reading() {
    let code = ReplyCode::new(250).unwrap();
    let reply = Reply::new(code, "mx.example\nSIZE 1000\nHELP");
    assert_eq!(reply.to_octets(), b"250-mx.example\r\n250-SIZE 1000\r\n250 HELP\r\n");
    assert_eq!(Reply::new(code, "a\rb\r\n250 c").to_octets(), b"250-a?b?\r\n250 250 c\r\n");
    assert_eq!((ReplyCode::new(199), ReplyCode::new(600)), (None, None));
}
