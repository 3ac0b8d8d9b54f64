//! Sentences say what happened and stay on their line.

use super::*;
use crate::model::disposition::Disposition;
use crate::model::leg::Leg;

#[test]
fn what_a_client_says_does_nothing_to_a_terminal() {
    let event = SessionEvent::Hello {
        verb: "EHLO".to_owned(),
        name: "a\u{1b}[2Jb\r\nc\u{202e}d".to_owned(),
        removed: vec!["BINARYMIME".to_owned(), "XCLIENT".to_owned()],
        starttls_offered: true,
    };
    let text = sentence(&event);
    assert!(text.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{text:?}");
    assert!(text.contains("\\u{1b}[2J") && text.contains("\\r\\n"), "{text}");
    assert!(text.ends_with("STARTTLS offered, not passed on: BINARYMIME XCLIENT"), "{text}");
}

#[test]
fn a_judgement_names_verdict_action_and_cause() {
    let event = SessionEvent::Judged {
        verdict: MessageVerdict::Infected,
        action: MessageAction::Refuse,
        why: "Eicar-Test-Signature in part 2 (eicar.com)".to_owned(),
        part_rule: None,
        octets: 1234,
        sha256: String::new(),
    };
    assert_eq!(
        sentence(&event),
        "1234 octets, infected, refused: Eicar-Test-Signature in part 2 (eicar.com)"
    );
    let event = SessionEvent::Judged {
        verdict: MessageVerdict::Clean,
        action: MessageAction::Block,
        why: "a.exe (part 2) may not pass".to_owned(),
        part_rule: Some("programs".to_owned()),
        octets: 1234,
        sha256: String::new(),
    };
    assert_eq!(
        sentence(&event),
        "1234 octets, clean, blocked by rule \"programs\": a.exe (part 2) may not pass"
    );
}

#[test]
fn an_account_names_the_disposition_and_its_reason() {
    let event = SessionEvent::Account {
        disposition: Disposition::Failed("daemon_ended".to_owned()),
        delivered: 1,
        refused: 0,
        deferred: 2,
        quarantined: 0,
        client_octets: [0; 2],
        server_octets: [0; 2],
        millis: 12,
    };
    assert_eq!(sentence(&event), "failed(daemon_ended): 1 delivered, 0 refused, 2 deferred, 12 ms");
}

#[test]
fn a_reply_is_not_numbered_twice() {
    let event = SessionEvent::Replied {
        code: 250,
        text: "250 2.0.0 queued".to_owned(),
        from_next_hop: true,
        micros: 1_500,
    };
    assert_eq!(sentence(&event), "replied 250 2.0.0 queued (the next hop's), 1.500 ms");
    let event = SessionEvent::Note { leg: Leg::Server, what: "closed".to_owned(), detail: None };
    assert_eq!(sentence(&event), "closed on the server-leg");
}
