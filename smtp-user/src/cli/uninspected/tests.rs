//! What passed unseen is listed, with its reason; what did not pass, or was seen, is not.

use super::*;
use crate::audit::fixture::{self, Fact, account, envelope, judged, opened, part, replied, session};
use crate::audit::reader::Reader;
use crate::model::decision::{MessageAction, MessageVerdict};
use crate::model::disposition::Disposition;

fn unseen(facts: Vec<Fact>) -> Vec<(String, Option<String>, String)> {
    let (_guard, folder) = fixture::write(facts);
    let mut reader = Reader::open(&folder, 0).unwrap();
    let mut gather = Gather::default();
    let mut rows = Vec::new();
    while let Some(raw) = reader.next_record().unwrap() {
        rows.extend(gather.enter(&raw));
    }
    rows.into_iter().map(|row| (row.id, row.part, row.reason)).collect()
}

/// A session with one message.
fn message(parts: Vec<crate::event::session_event::SessionEvent>, code: u16) -> Vec<Fact> {
    let id = session(1);
    let mut facts = vec![(id, None, opened()), (id, Some(1), envelope("a@example.org", &["b@example.net"]))];
    facts.extend(parts.into_iter().map(|event| (id, Some(1), event)));
    facts.push((id, Some(1), replied(code)));
    facts.push((id, None, account(Disposition::Inspected, [1, 0, 0])));
    facts
}

#[test]
fn nothing_is_listed_when_everything_was_looked_at() {
    let seen = [("hashes", "ran(no match)"), ("clamd", "skipped(size)")];
    let parts = vec![
        part("0", "multipart/mixed", &[]),
        part("1", "text/plain", &seen),
        judged(MessageVerdict::Clean, MessageAction::Pass),
    ];
    assert_eq!(unseen(message(parts, 250)), []);
}

#[test]
fn a_part_that_no_stage_looked_at_is_listed_with_the_reasons() {
    let stages = [("structure", "ran(sound)"), ("hashes", "skipped(size)"), ("clamd", "skipped(limit)")];
    let parts =
        || vec![part("2", "application/pdf", &stages), judged(MessageVerdict::Clean, MessageAction::Pass)];
    let id = format!("{}.1", session(1));
    let expected = (id.clone(), Some("2 \"a.pdf\"".to_owned()), "skipped(size) skipped(limit)".to_owned());
    assert_eq!(unseen(message(parts(), 250)), [expected]);
    // The next hop did not take it, so it did not pass.
    assert_eq!(unseen(message(parts(), 452)), []);
    let no_stage = vec![part("1", "text/plain", &[]), judged(MessageVerdict::Clean, MessageAction::Pass)];
    assert_eq!(unseen(message(no_stage, 250)), [(id, Some("1 \"a.pdf\"".to_owned()), "no_stage".to_owned())]);
}

#[test]
fn a_message_that_could_not_be_read_and_passed_is_listed() {
    for (verdict, listed) in [
        (MessageVerdict::Encrypted, Some("encrypted")),
        (MessageVerdict::LimitExceeded, Some("limit_exceeded")),
        (MessageVerdict::Unsupported, Some("unsupported")),
        (MessageVerdict::EngineError, Some("engine_error")),
        (MessageVerdict::NotInspected, Some("not_inspected")),
        (MessageVerdict::Clean, None),
        (MessageVerdict::Infected, None),
        (MessageVerdict::Ambiguous, None),
    ] {
        let rows = unseen(message(vec![judged(verdict, MessageAction::Pass)], 250));
        assert_eq!(
            rows.iter().map(|(.., reason)| reason.as_str()).collect::<Vec<_>>(),
            Vec::from_iter(listed)
        );
    }
    let rows = unseen(message(Vec::new(), 250));
    assert_eq!(rows[0].2, "not_judged");
}

#[test]
fn bypassed_sessions_are_listed() {
    let id = session(9);
    let bypassed = account(Disposition::Bypassed("tls_not_inspected".to_owned()), [0; 3]);
    let rows = unseen(vec![(id, None, opened()), (id, None, bypassed)]);
    assert_eq!(rows, [(id.to_string(), None, "bypassed(tls_not_inspected)".to_owned())]);
    // Their messages are.
    let unseen_by_order = account(Disposition::Bypassed("not_inspected".to_owned()), [0; 3]);
    assert_eq!(unseen(vec![(id, None, opened()), (id, None, unseen_by_order)]), []);
}
