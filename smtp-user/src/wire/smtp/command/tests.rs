//! Lines, what they are, and how they are written again.

use proptest::prelude::*;

use super::{Command, CommandError as E, is_auth_line};
use crate::wire::smtp::parameter::ParameterError;

#[test]
fn commands_are_written_as_they_were_understood() {
    for (line, written) in [
        ("EHLO mx.example", "EHLO mx.example"),
        ("ehlo [192.0.2.1]  ", "EHLO [192.0.2.1]"),
        ("Helo x", "HELO x"),
        ("MAIL FROM:<>", "MAIL FROM:<>"),
        (
            "mail from: <a@example.com>   SIZE=12   BODY=8BITMIME ",
            "MAIL FROM:<a@example.com> SIZE=12   BODY=8BITMIME",
        ),
        ("rcpt to:<Postmaster>", "RCPT TO:<Postmaster>"),
        ("RCPT TO:<\"a b\"@example.com> NOTIFY=NEVER", "RCPT TO:<\"a b\"@example.com> NOTIFY=NEVER"),
        ("DATA", "DATA"),
        ("bdat 012 last", "BDAT 12 LAST"),
        ("NOOP whatever", "NOOP"),
        ("VRFY someone", "VRFY someone"),
        ("HELP", "HELP"),
        ("HELP DATA", "HELP DATA"),
        ("auth plain AGEAYg==", "AUTH plain AGEAYg=="),
        ("AUTH LOGIN", "AUTH LOGIN"),
        ("AUTH EXTERNAL =", "AUTH EXTERNAL ="),
        ("starttls", "STARTTLS"),
    ] {
        let mut octets = Vec::new();
        Command::parse(line.as_bytes()).unwrap_or_else(|e| panic!("{line:?}: {e}")).write(&mut octets);
        assert_eq!(String::from_utf8(octets).unwrap(), format!("{written}\r\n"), "{line:?}");
    }
}

#[test]
fn lines_that_are_no_commands() {
    for (line, error) in [
        (b"".as_slice(), E::Unknown),
        (b"FOO", E::Unknown),
        (b" NOOP", E::Unknown),
        (b"NOOP\tx", E::Unknown),
        (b"MAILFROM:<a@b.example>", E::Unknown),
        (b"EHLO", E::Argument),
        (b"EHLO a b", E::Argument),
        (b"EHLO \xff", E::Argument),
        (b"DATA now", E::Argument),
        (b"QUIT now", E::Argument),
        (b"STARTTLS now", E::Argument),
        (b"VRFY", E::Argument),
        (b"AUTH", E::Argument),
        (b"AUTH PLAIN *", E::Argument),
        (b"AUTH PLAIN a b", E::Argument),
        (b"AUTH PL\xc3\xa4IN", E::Argument),
        (b"MAIL", E::Argument),
        (b"MAIL TO:<a@b.example>", E::Argument),
        (b"MAIL FROM:a@b.example", E::ReversePath),
        (b"MAIL FROM:<a@b.example>SIZE=1", E::ReversePath),
        (b"MAIL FROM:<a@b.example> FOO", E::Parameter(ParameterError::Unknown)),
        (b"MAIL FROM:<\xff@b.example>", E::ReversePath),
        (b"RCPT TO:<>", E::ForwardPath),
        (b"RCPT TO:<a@b.example> NOTIFY", E::Parameter(ParameterError::Value)),
        (b"RCPT TO:<a\r@b.example>", E::ForwardPath),
        (b"BDAT", E::ChunkSize),
        (b"BDAT x", E::ChunkSize),
        (b"BDAT \xff", E::ChunkSize),
        (b"BURL imap://x", E::NotImplemented),
        (b"XCLIENT ADDR=192.0.2.1", E::NotImplemented),
        (b"ETRN example.com", E::NotImplemented),
        (b"GET / HTTP/1.1", E::ForeignProtocol),
        (b"POST / HTTP/1.1", E::ForeignProtocol),
        (b"SSH-2.0-OpenSSH_9.2", E::ForeignProtocol),
        (b"Received: from x", E::ForeignProtocol),
        (b"\xff\xfe", E::Unknown),
    ] {
        assert_eq!(Command::parse(line), Err(error), "{:?}", String::from_utf8_lossy(line));
    }
}

#[test]
fn lines_of_an_authentication_exchange() {
    for (line, expected) in [
        (b"".as_slice(), true),
        (b"*", true),
        (b"dXNlcg==", true),
        (b"dXNl", true),
        (b"=", true),
        (b"===", false),
        (b"a=b", false),
        (b"**", false),
        (b"a b", false),
        (b"QUIT\xff", false),
        (b"DATA", false),
        (b"quit", false),
    ] {
        assert_eq!(is_auth_line(line), expected, "{line:?}");
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_the_same_and_is_one_clean_line(
        line in "(?i:(MAIL FROM:|RCPT TO:|EHLO |AUTH |BDAT |VRFY |HELP ))?[ -~\u{e9}\u{0}\r\n]{0,40}",
    ) {
        if let Ok(command) = Command::parse(line.as_bytes()) {
            let mut octets = Vec::new();
            command.write(&mut octets);
            let written = octets.strip_suffix(b"\r\n").unwrap();
            prop_assert!(!written.iter().any(|octet| matches!(octet, 0..=31 | 127)));
            prop_assert_eq!(Command::parse(written), Ok(command));
        }
    }
}
