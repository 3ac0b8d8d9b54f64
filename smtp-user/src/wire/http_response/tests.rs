//! Answers with each kind of end, cut everywhere, and answers that are none.

use super::{HttpError, HttpProgress, read};

const MOST: usize = 100;

fn answer(fields: &str, content: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n{fields}\r\n{content}")
        .into_bytes()
}

#[test]
fn content_is_whole_or_awaited_wherever_it_is_cut() {
    for (fields, content, needs_end) in [
        ("content-length: 5\r\n", "hello", false),
        ("Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", false),
        ("Server: x\r\n", "hello", true),
    ] {
        let octets = answer(fields, content);
        let whole = Ok(HttpProgress::Content(b"hello".to_vec()));
        assert_eq!(read(&octets, true, MOST), whole, "{fields}");
        let expected = if needs_end { Ok(HttpProgress::More) } else { whole };
        assert_eq!(read(&octets, false, MOST), expected, "{fields}");
        for length in 0..octets.len() - content.len() {
            assert_eq!(read(&octets[..length], false, MOST), Ok(HttpProgress::More));
            assert_eq!(read(&octets[..length], true, MOST), Err(HttpError::Cut));
        }
        if !needs_end {
            let cut = &octets[..octets.len() - 5];
            assert_eq!(read(cut, true, MOST), Err(HttpError::Cut), "{fields}");
        }
    }
}

#[test]
fn what_was_not_asked_for_is_refused() {
    let text = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
    for (octets, error) in [
        ("HTTP/1.1 301 Moved\r\nLocation: https://x/\r\n\r\n".to_owned(), HttpError::Status(301)),
        ("HTTP/1.1 404 No\r\n\r\n".to_owned(), HttpError::Status(404)),
        ("HTTP/1.1 304 \r\n\r\n".to_owned(), HttpError::Status(304)),
        ("HTTP/2 200\r\n\r\n".to_owned(), HttpError::Malformed),
        ("220 mx ESMTP\r\n\r\n".to_owned(), HttpError::Malformed),
        ("HTTP/1.1 200 OK\r\n\r\nx".to_owned(), HttpError::Type),
        ("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nx".to_owned(), HttpError::Type),
        (format!("{text}Content-Type: text/html\r\n\r\nx"), HttpError::Type),
        (format!("{text}nonsense\r\n\r\nx"), HttpError::Malformed),
        (format!("{text}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), HttpError::Malformed),
        (format!("{text}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx"), HttpError::Malformed),
        (format!("{text}Content-Length: -1\r\n\r\nx"), HttpError::Malformed),
        (format!("{text}Content-Length: 101\r\n\r\n"), HttpError::TooLong),
        (format!("{text}Transfer-Encoding: gzip\r\n\r\nx"), HttpError::Malformed),
        (format!("{text}Transfer-Encoding: chunked\r\n\r\nzz\r\n"), HttpError::Malformed),
        (format!("{text}Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n"), HttpError::Malformed),
        (format!("{text}Transfer-Encoding: chunked\r\n\r\n65\r\n"), HttpError::TooLong),
        (format!("{text}\r\n{}", "x".repeat(101)), HttpError::TooLong),
        (format!("HTTP/1.1 200 {}", "x".repeat(20_000)), HttpError::TooLong),
    ] {
        assert_eq!(read(octets.as_bytes(), false, MOST), Err(error), "{octets:.80}");
    }
}
