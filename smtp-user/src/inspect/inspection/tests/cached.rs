//! The same file a second time: the record says when and where it came first, and nothing else changes.

use super::{base64, with_attachment};
use crate::content::fixture::zip::{Entry, archive};
use crate::engine::eicar::eicar;
use crate::event::session_event::PartRecord;
use crate::inspect::{Config, Inspector, Judgement};
use crate::model::decision::MessageVerdict;
use crate::model::session_id::{MessageId, SessionId};

fn name(number: u32) -> MessageId {
    MessageId { session: SessionId::new(1, [1; 10]), number }
}

fn judge(inspector: &Inspector, number: u32, message: &[u8]) -> Judgement {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut inspection = inspector.begin();
    inspection.call(name(number));
    inspection.push(message);
    runtime.block_on(inspection.judge(&message.to_vec()))
}

fn row<'p>(part: &'p PartRecord, stage: &str) -> &'p str {
    part.stages.iter().find(|(name, _)| name == stage).map(|(_, result)| result.as_str()).unwrap()
}

/// The same attachment in another place.
fn elsewhere(octets: &[u8]) -> Vec<u8> {
    format!(
        "Subject: y\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\r\nanother text\r\n--o\r\n\r\nand more\r\n\
         --o\r\nContent-Type: application/octet-stream; name=\"eicar.com\"\r\nContent-Transfer-Encoding: \
         base64\r\n\r\n{}\r\n--o--\r\n",
        base64(octets)
    )
    .into_bytes()
}

#[test]
fn a_file_that_came_before_is_said_to_have_and_its_members_have_their_new_place() {
    let inspector = Inspector::new(Config::default()).unwrap();
    let zip = archive(&[Entry::stored("a.txt", b"one"), Entry::stored("b.txt", b"two")]);
    let first = judge(&inspector, 1, &with_attachment(&zip));
    assert_eq!(row(&first.parts[1], "cache"), "ran(miss)");
    let second = judge(&inspector, 2, &elsewhere(&zip));
    assert_eq!(row(&second.parts[0], "cache"), "ran(miss)");
    let hit = row(&second.parts[2], "cache");
    assert!(
        hit.starts_with(&format!("ran(hit: clean in {}, ", name(1))) && hit.ends_with(" s ago)"),
        "{hit}"
    );
    let numbers = |judgement: &Judgement| -> Vec<String> {
        judgement.parts.iter().map(|part| part.part.clone()).collect()
    };
    assert_eq!(numbers(&first), ["1", "2", "2/a.txt", "2/b.txt"]);
    assert_eq!(numbers(&second), ["1", "2", "3", "3/a.txt", "3/b.txt"]);
    for (was, is) in first.parts[1..].iter().zip(&second.parts[2..]) {
        assert_eq!((&was.sha256, &was.kinds, was.octets), (&is.sha256, &is.kinds, is.octets));
        assert_eq!(row(was, "archive"), row(is, "archive"));
    }
    // It says where it came first, not where it came last.
    let third = judge(&inspector, 3, &with_attachment(&zip));
    assert!(row(&third.parts[1], "cache").contains(&name(1).to_string()));
    assert_eq!(third.decision, first.decision);
}

#[test]
fn what_is_bad_stays_bad() {
    let inspector = Inspector::new(Config::default()).unwrap();
    let zip = archive(&[Entry::stored("a.txt", b"one"), Entry::deflated("b.com", &eicar())]);
    let lie = archive(&[Entry { local_name: Some(b"b.txt".to_vec()), ..Entry::stored("a.exe", b"x") }]);
    for (octets, verdict) in [(&zip, MessageVerdict::Infected), (&lie, MessageVerdict::Ambiguous)] {
        let first = judge(&inspector, 1, &with_attachment(octets));
        let second = judge(&inspector, 2, &with_attachment(octets));
        let third = judge(&inspector, 3, &elsewhere(octets));
        assert_eq!(first.decision.verdict, verdict, "{:?}", first.decision);
        assert_eq!(first.decision, second.decision);
        assert_eq!(third.decision.verdict, verdict);
        assert!(third.decision.why.contains("part 3"), "{}", third.decision.why);
        assert!(!row(&second.parts[1], "cache").contains("clean"), "{:?}", second.parts[1].stages);
    }
}

#[test]
fn what_hangs_on_a_limit_or_on_the_message_is_not_remembered() {
    let mut config = Config::default();
    config.contents.max_members = 1;
    let inspector = Inspector::new(config).unwrap();
    let zip = archive(&[Entry::stored("a.txt", b"one"), Entry::stored("b.txt", b"two")]);
    for number in 1..=2 {
        let judgement = judge(&inspector, number, &with_attachment(&zip));
        assert_eq!(judgement.decision.verdict, MessageVerdict::LimitExceeded);
        assert_eq!(row(&judgement.parts[1], "cache"), "ran(miss)");
    }
}

#[test]
fn an_engine_that_failed_leaves_nothing_to_build_upon() {
    let address = crate::engine::config::Address::Unix("/nonexistent/clamd".into());
    let engines = vec![crate::engine::config::Config::clamd("av", address)];
    let inspector = Inspector::new(Config { engines, ..Config::default() }).unwrap();
    for number in 1..=2 {
        let judgement = judge(&inspector, number, &with_attachment(b"x"));
        let row = row(&judgement.parts[1], "cache");
        assert!(row.starts_with("skipped(an engine"), "{row}");
    }
}
