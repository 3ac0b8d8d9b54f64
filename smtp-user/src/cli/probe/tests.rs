//! Probes of servers on the loopback address that say what the test tells them to.

use std::net::TcpListener;

use super::dialogue::Report;
use super::*;
use crate::cli::fixture::server;

fn ask(server: &str, implicit_tls: bool) -> Report {
    let target = Target { server, implicit_tls, name: None, step: Duration::from_secs(5) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(probe(&target))
}

#[test]
fn keywords_are_listed_with_what_the_gateway_makes_of_them() {
    let (address, talk) = server(&[
        "220 mx.example.org ESMTP\r\n",
        "250-mx.example.org\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-XCLIENT NAME\r\n250 BINARYMIME\r\n",
        "221 bye\r\n",
    ]);
    let report = ask(&address, false);
    assert_eq!(report.error, None);
    assert_eq!(report.greeting.as_deref(), Some("220 mx.example.org ESMTP"));
    let words: Vec<_> = report.keywords.iter().map(|word| (word.keyword.as_str(), word.passed_on)).collect();
    assert_eq!(words, [("PIPELINING", true), ("SIZE", true), ("XCLIENT", false), ("BINARYMIME", false)]);
    assert_eq!((report.starttls, report.speaks_smtp()), (Some(false), true));
    assert_eq!(talk.join().unwrap(), "EHLO [127.0.0.1]\r\nQUIT\r\n");
    let text = text::text(&report);
    assert!(
        text.contains("keyword      SIZE 1000\n") && text.contains("starttls     not offered\n"),
        "{text}"
    );
}

#[test]
fn what_a_server_does_wrong_is_part_of_the_answer() {
    for (lines, error) in [
        (["hello\r\n"].as_slice(), "the greeting is no SMTP: no reply code"),
        (&["554 go away\r\n"], "the greeting was 554 go away"),
        (&["220 hi\r\n", "502 what\r\n"], "EHLO was answered 502 what"),
        (
            &["220 hi\r\n", "250-hi\r\n250 STARTTLS\r\n", "454 not now\r\n"],
            "STARTTLS was answered 454 not now",
        ),
        (
            &["220 hi\r\n", "250-hi\r\n250 STARTTLS\r\n", "220 go\r\n250 injected\r\n"],
            "the server sent plaintext behind its answer to STARTTLS",
        ),
        (&["220 hi\r\n"], "the server closed the connection before the answer to EHLO"),
    ] {
        let (address, _) = server(lines);
        assert_eq!(ask(&address, false).error.as_deref(), Some(error), "{lines:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_not_reachable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let report = ask(&address, false);
    assert!(!report.speaks_smtp());
    assert!(report.error.unwrap().starts_with("the connection to 127.0.0.1:"));
    let report = ask("no-port", false);
    assert!(report.error.unwrap().starts_with("the look-up of the name: "));
}

#[test]
fn plaintext_is_no_tls() {
    let (address, _) = server(&["220 mx.example.org ESMTP\r\n"]);
    let report = ask(&address, true);
    assert!(report.tls.is_none() && report.error.unwrap().starts_with("the TLS handshake: "));
}
