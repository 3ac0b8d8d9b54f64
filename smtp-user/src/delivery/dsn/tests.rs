//! Who is told what, and that nothing of what others said breaks out of a report.

use std::time::Duration;

use super::{Due, Reporter, Told, due, report};
use crate::delivery::fixture::{NOW, OCTETS, failed, message, reply};
use crate::delivery::settings::{ReportDetail, Settings};
use crate::model::decision::{MessageAction, MessageVerdict};
use crate::model::queued_message::{QueuedMessage, ReturnPart};
use crate::model::queued_recipient::{Notify, RecipientState};

fn delivered(relayed_dsn: bool) -> RecipientState {
    RecipientState::Delivered { at: NOW, reply: reply(250, "2.0.0 ok"), relayed_dsn }
}

fn pending(attempts: u32) -> RecipientState {
    RecipientState::Pending { attempts, last: Some(reply(450, "4.2.1 busy")), next_attempt: 0 }
}

fn expired() -> RecipientState {
    RecipientState::Expired { at: NOW, last: Some(reply(450, "4.2.1 busy")) }
}

fn told_of(state: RecipientState, notify: Option<Notify>, hours: u64) -> Option<Told> {
    let mut message = message(1, &["x@y.example"]);
    message.recipients[0].state = state;
    message.recipients[0].notify = notify;
    let due = due(&message, Duration::from_hours(hours), &Settings::default(), true);
    due.told.first().map(|(_, told)| *told)
}

fn text(message: &QueuedMessage, detail: ReportDetail) -> String {
    let due = due(message, Duration::from_hours(5), &Settings::default(), true);
    let reporter = Reporter { hostname: "gw.example", detail, postmaster: None, until: NOW };
    String::from_utf8(report(message, &due, OCTETS, &reporter, NOW).1).unwrap()
}

const ALL: ReportDetail = ReportDetail { smtp: true, scan: true, rules: true };

#[test]
fn who_is_told_follows_notify() {
    let notify = |success, failure, delay| Some(Notify { success, failure, delay });
    let never = notify(false, false, false);
    let all = notify(true, true, true);
    for (state, notify, hours, expected) in [
        (failed(), None, 0, Some(Told::Failed)),
        (failed(), notify(false, true, false), 0, Some(Told::Failed)),
        (failed(), notify(true, false, true), 0, None),
        (failed(), never, 0, None),
        (expired(), None, 0, Some(Told::Failed)),
        (expired(), never, 0, None),
        (delivered(false), None, 0, None),
        (delivered(false), all, 0, Some(Told::Relayed)),
        (delivered(true), all, 0, None),
        (pending(1), None, 3, None),
        (pending(1), None, 4, Some(Told::Delayed)),
        (pending(0), None, 4, None),
        (pending(1), notify(true, true, false), 4, None),
        (pending(1), never, 4, None),
    ] {
        assert_eq!(told_of(state.clone(), notify, hours), expected, "{state:?} {notify:?} {hours} h");
    }
}

#[test]
fn nobody_is_told_of_a_report_or_of_mail_without_a_sender_or_twice() {
    let mut null = message(1, &["x@y.example"]);
    null.recipients[0].state = failed();
    null.sender.path = String::new();
    let mut about = message(2, &["x@y.example"]);
    about.recipients[0].state = failed();
    about.about = Some(null.id);
    let mut quiet = message(3, &["x@y.example"]);
    quiet.recipients[0].state = failed();
    for (mut message, notify_sender) in [(null, true), (about, true), (quiet, false)] {
        let due = due(&message, Duration::ZERO, &Settings::default(), notify_sender);
        assert_eq!(due, Due { told: vec![], closed: vec![0] });
        due.mark(&mut message);
        assert!(message.is_finished());
    }
    let mut late = message(4, &["x@y.example"]);
    late.recipients[0].state = pending(3);
    let first = due(&late, Duration::from_hours(5), &Settings::default(), true);
    first.mark(&mut late);
    assert!(due(&late, Duration::from_hours(9), &Settings::default(), true).is_empty());
}

#[test]
fn one_report_tells_of_all_recipients() {
    let mut message = message(1, &["x@y.example", "ok@y.example", "z@y.example"]);
    message.recipients[0].state = failed();
    message.recipients[1].state = delivered(false);
    message.recipients[2].state = expired();
    message.recipients[0].orcpt = Some("rfc822;x+2Bold@o.example".to_owned());
    message.sender.envid = Some("QQ+2B314".to_owned());
    let text = text(&message, ALL);
    for part in [
        "To: <a@b.example>\r\n",
        "Subject: Undelivered mail returned to sender\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "multipart/report; report-type=delivery-status;",
        "Reporting-MTA: dns; gw.example\r\nOriginal-Envelope-Id: QQ+314\r\n",
        "Original-Recipient: rfc822; x+old@o.example\r\nFinal-Recipient: rfc822; x@y.example\r\n\
         Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.y.example\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n",
        "Final-Recipient: rfc822; z@y.example\r\nAction: failed\r\nStatus: 5.2.1\r\n",
        "Content-Type: text/rfc822-headers\r\n\r\nFrom: a@b.example\r\nSubject: hi\r\n\r\n--",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert!(!text.contains("ok@y.example") && !text.contains("body"));
    assert_eq!(text.matches("Final-Recipient").count(), 2);
}

#[test]
fn a_long_reply_is_broken_into_lines_that_servers_take() {
    let mut message = message(1, &["x@y.example"]);
    for text in ["word ".repeat(80), "€".repeat(400), "x".repeat(400)] {
        message.recipients[0].state = RecipientState::Failed { at: NOW, reply: reply(550, &text) };
        let report = self::text(&message, ALL);
        let longest = report.split("\r\n").map(str::len).max().unwrap();
        assert!(longest <= 900, "a line of {longest} octets in\n{report}");
        assert!(report.contains("Diagnostic-Code: smtp; 550"), "{report}");
    }
}

#[test]
fn without_detail_nothing_is_said_of_others() {
    let mut message = message(1, &["x@y.example"]);
    message.recipients[0].state = failed();
    let text = text(&message, ReportDetail::default());
    assert!(text.contains("<x@y.example>") && text.contains("Status: 5.1.1"), "{text}");
    for secret in ["mx.y.example", "192.0.2.9", "no such user"] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
}

#[test]
fn what_was_found_is_said_only_if_that_is_switched_on() {
    let mut message = message(1, &["x@y.example"]);
    let refused = crate::model::queued_recipient::RemoteReply {
        status: "5.7.1".to_owned(),
        text: "refused".to_owned(),
        ..Default::default()
    };
    message.recipients[0].state = RecipientState::Failed { at: NOW, reply: refused };
    message.sender.ret = Some(ReturnPart::Full);
    let decision = &mut message.judgement.as_mut().unwrap().decision;
    decision.verdict = MessageVerdict::Infected;
    decision.action = MessageAction::Refuse;
    decision.why = "Some-Virus in part 2".to_owned();
    assert!(!text(&message, ReportDetail { scan: false, ..ALL }).contains("Some-Virus"));
    let detailed = text(&message, ALL);
    assert!(detailed.contains("Some-Virus in part 2") && detailed.contains("Status: 5.7.1"), "{detailed}");
    assert!(!detailed.contains("body"), "what was found is not sent on");
    message.judgement.as_mut().unwrap().decision.verdict = MessageVerdict::Clean;
    assert!(text(&message, ALL).contains("not allowed by the rules"));
    assert!(!text(&message, ReportDetail { rules: false, ..ALL }).contains("rules"));
}

#[test]
fn ret_says_what_comes_back() {
    let mut message = message(1, &["x@y.example"]);
    message.recipients[0].state = failed();
    message.sender.ret = Some(ReturnPart::Full);
    assert!(
        text(&message, ALL)
            .contains("Content-Type: message/rfc822\r\n\r\nFrom: a@b.example\r\nSubject: hi\r\n\r\nbody\r\n")
    );
    // Only failures return it.
    message.recipients[0].state = pending(2);
    let late = text(&message, ALL);
    assert!(
        late.contains("Action: delayed\r\nStatus: 4.2.1") && late.contains("Will-Retry-Until: "),
        "{late}"
    );
    assert!(!late.contains("body"));
}

#[test]
fn nothing_breaks_out_of_its_line() {
    let mut message = message(1, &["x@y.example"]);
    let mut evil = reply(550, "5.1.1 no\r\nTo: victim@example\r\n\r\n--=_\0");
    evil.by = "mx\r\nX: y [1]:25".to_owned();
    message.recipients[0].state = RecipientState::Failed { at: NOW, reply: evil };
    message.recipients[0].orcpt = Some("rfc822;a+0D+0ABcc: b".to_owned());
    message.sender.envid = Some("e+0D+0ABcc: b".to_owned());
    let text = text(&message, ALL);
    for line in text.split("\r\n") {
        assert!(!line.contains(['\r', '\n', '\0']) && line.len() < 998);
        assert!(
            !line.starts_with("Bcc:") && !line.starts_with("X: y") && !line.starts_with("To: victim"),
            "{line}"
        );
    }
}

#[test]
fn addresses_beyond_ascii_need_the_global_form() {
    let mut message = message(1, &["jörg@y.example"]);
    message.recipients[0].state = failed();
    let due = due(&message, Duration::ZERO, &Settings::default(), true);
    let reporter = Reporter { hostname: "gw.example", detail: ALL, postmaster: None, until: NOW };
    let (report, octets) = report(&message, &due, OCTETS, &reporter, NOW);
    let text = String::from_utf8(octets).unwrap();
    assert!(report.sender.smtputf8);
    assert!(
        text.contains("Content-Type: message/global-delivery-status")
            && text.contains("utf-8; jörg@y.example")
    );
}

#[test]
fn a_report_is_a_message_of_its_own() {
    let mut message = message(1, &["x@y.example"]);
    message.recipients[0].state = failed();
    let due = due(&message, Duration::ZERO, &Settings::default(), true);
    let reporter =
        Reporter { hostname: "gw.example", detail: ALL, postmaster: Some("pm@b.example"), until: NOW };
    let (first, octets) = report(&message, &due, OCTETS, &reporter, NOW);
    let to: Vec<&str> = first.recipients.iter().map(|recipient| recipient.path.as_str()).collect();
    assert_eq!(to, ["a@b.example", "pm@b.example"]);
    assert_eq!((first.sender.path.as_str(), first.about), ("", Some(message.id)));
    assert_eq!(first.destination, "192.0.2.77:25".parse().unwrap());
    assert_eq!(first.octets, octets.len() as u64);
    // Made again after a crash, it is the same one.
    let (second, _) = report(&message, &due, OCTETS, &reporter, NOW + 5_000_000);
    assert_eq!(first.id, second.id);
    assert_ne!(first.id, message.id);
}
