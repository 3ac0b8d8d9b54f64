//! What is within attachments: seen, recorded, decided on.

use super::{judge, judge_in, with_attachment};
use crate::content::fixture::other::{base64, message, tar, uuencode, xxencode, yenc};
use crate::content::fixture::zip::{Entry, archive, encrypt, one};
use crate::content::fixture::{payloads, pdf, program, seven_zip};
use crate::engine::eicar::eicar;
use crate::inspect::{Config, Judgement};
use crate::model::decision::{MessageAction, MessageVerdict};

fn rows(judgement: &Judgement, part: &str) -> Vec<String> {
    let record = judgement.parts.iter().find(|record| record.part == part);
    let record = record.unwrap_or_else(|| panic!("no {part} in {:?}", judgement.parts));
    record.stages.iter().map(|(name, result)| format!("{name} {result}")).collect()
}

fn no_programs() -> Config {
    Config { executables: true, ..Config::default() }
}

/// One part, as it stands.
fn single(header: &str, body: &[u8]) -> Vec<u8> {
    [format!("Subject: x\r\nMIME-Version: 1.0\r\n{header}\r\n\r\n").as_bytes(), body].concat()
}

#[test]
fn a_member_has_rows_of_its_own_and_what_is_found_says_where() {
    let judgement = judge(&with_attachment(&one("docs/a.exe", &eicar())));
    assert_eq!(judgement.decision.why, "Eicar-Test-Signature found in docs/a.exe (part 2/docs/a.exe)");
    let parts: Vec<_> = judgement.parts.iter().map(|record| record.part.as_str()).collect();
    assert_eq!(parts, ["1", "2", "2/docs/a.exe"]);
    let expected = [
        "structure ran(sound)",
        "type ran(zip)",
        "archive ran(1 member)",
        "signature ran(clean)",
        "reputation skipped(no list)",
        "executables skipped(off)",
        "links skipped(no text)",
        "cache ran(miss)",
        "policy skipped(no rules)",
    ];
    assert_eq!(rows(&judgement, "2"), expected);
    let member = judgement.parts.last().unwrap();
    assert_eq!((member.encoding.as_str(), member.octets), ("deflate", 68));
    assert_eq!(member.sha256, "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f");
    assert_eq!(rows(&judgement, "2/docs/a.exe")[3], "signature ran(infected: Eicar-Test-Signature)");
}

#[test]
fn listed_digests_and_programs_count_in_archives_too() {
    let judgement = judge_in(no_programs(), &with_attachment(&one("a.txt", &program())), 77);
    assert_eq!(judgement.decision.why, "Executable.MZ found in a.txt (part 2/a.txt)");
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list");
    std::fs::write(&list, "900150983cd24fb0d6963f7d28e17f72 Test.Listed\n").unwrap();
    let config = Config { hash_lists: vec![list], ..Config::default() };
    let judgement = judge_in(config, &with_attachment(&tar("inner", &one("x", b"abc"))), 1000);
    assert_eq!(judgement.decision.why, "Test.Listed found in x (part 2/inner/x)");
}

/// Ways to say that content is something else, or to write it into a text.
#[test]
fn lies_about_types_and_old_encodings_hide_nothing() {
    type Maker = fn(&[u8]) -> Vec<u8>;
    let ways: &[(&str, Maker)] = &[
        ("as a picture", |content| {
            single("Content-Type: image/png\r\nContent-Transfer-Encoding: base64", base64(content).as_bytes())
        }),
        ("a zip as text", |content| {
            let body = base64(&one("a", content));
            single("Content-Type: text/plain\r\nContent-Transfer-Encoding: base64", body.as_bytes())
        }),
        ("a zip behind a picture", |content| {
            let octets =
                [b"GIF89a\x01\0\x01\0\0\0\0;".as_slice(), &vec![7; 5000], &one("a", content)].concat();
            single("Content-Type: image/gif\r\nContent-Transfer-Encoding: base64", base64(&octets).as_bytes())
        }),
        ("a zip behind a document", |content| {
            let octets = [pdf("a.txt", b"x"), one("a", content)].concat();
            single(
                "Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64",
                base64(&octets).as_bytes(),
            )
        }),
        ("a zip behind a page", |content| {
            let octets = [b"<html><body>Hello</body></html>".as_slice(), &one("a", content)].concat();
            single("Content-Type: text/html\r\nContent-Transfer-Encoding: base64", base64(&octets).as_bytes())
        }),
        ("uuencode in a text", |content| single("Content-Type: text/plain", &uuencode("a.exe", content))),
        ("uuencode without MIME", |content| {
            [b"Subject: x\r\n\r\n".as_slice(), &uuencode("a.exe", content)].concat()
        }),
        ("xxencode in a text", |content| single("Content-Type: text/plain", &xxencode("a.exe", content))),
        ("yEnc in a text", |content| {
            let text = [b"Look:\r\n".as_slice(), &yenc("a.exe", content)].concat();
            single("Content-Type: text/plain", &text)
        }),
        ("a message as octets", |content| {
            let body = base64(&message("a.exe", content));
            single(
                "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64",
                body.as_bytes(),
            )
        }),
    ];
    for (way, make) in ways {
        for (payload, content) in payloads() {
            let octets = make(&content);
            for step in [usize::MAX, 11] {
                let judgement = judge_in(no_programs(), &octets, step);
                let expected =
                    if payload == "harmless" { MessageVerdict::Clean } else { MessageVerdict::Infected };
                assert_eq!(judgement.decision.verdict, expected, "{way}, {payload}: {judgement:?}");
            }
        }
    }
}

#[test]
fn a_document_is_one_and_no_archive() {
    let document = archive(&[
        Entry::deflated("[Content_Types].xml", b"<Types/>"),
        Entry::deflated("word/document.xml", b"<w/>"),
    ]);
    assert_eq!(judge(&with_attachment(&document)).parts[1].kinds, ["docx"]);
}

#[test]
fn names_tell_that_something_is_worth_a_look_too() {
    // Cut at its front, so that nothing but its directory tells.
    let octets = [vec![0xee; 2000], one("a", &eicar())].concat();
    let judgement = judge(&with_attachment(&octets));
    assert_eq!(judgement.decision.verdict, MessageVerdict::Infected);
}

#[test]
fn what_needs_a_key_is_encrypted_unless_the_message_names_it() {
    let entry = encrypt(&Entry::deflated("a.exe", &eicar()), "Gate-4711");
    let octets = archive(&[entry]);
    let judgement = judge(&with_attachment(&octets));
    assert_eq!(judgement.decision.verdict, MessageVerdict::Encrypted);
    let why = "encrypted content that cannot be inspected (part 2/a.exe)";
    assert_eq!((judgement.decision.why.as_str(), judgement.decision.action), (why, MessageAction::Refuse));
    assert_eq!(rows(&judge(&with_attachment(&octets)), "2/a.exe")[1], "type skipped(encrypted)");
    for octets in [octets, seven_zip("a.exe", &eicar(), Some("Gate-4711"), true)] {
        let message = String::from_utf8(with_attachment(&octets)).unwrap();
        let message = message.replace("Hello.", "Hello. The password is: Gate-4711");
        let judgement = judge(message.as_bytes());
        assert_eq!(judgement.decision.verdict, MessageVerdict::Infected, "{judgement:?}");
        let rows = judgement.parts.iter().flat_map(|part| &part.stages).filter(|(name, _)| name == "archive");
        assert!(rows.clone().any(|(_, result)| result.contains("opened_by_password")), "{judgement:?}");
    }
}

#[test]
fn limits_lies_and_damage_have_their_verdicts() {
    let limits = crate::content::ContentLimits { max_part: 64 << 10, ..Default::default() };
    let config = Config { contents: limits, ..Config::default() };
    let noise: Vec<u8> = (0..100_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let large = archive(&[Entry::stored("a", &noise)]);
    let judgement = judge_in(config.clone(), &with_attachment(&large), 5000);
    assert_eq!(judgement.decision.verdict, MessageVerdict::LimitExceeded);
    let why = "over a limit of inspection: octets of an attachment that is unpacked (part 2)";
    assert_eq!(judgement.decision.why, why);
    // What is no container may be as large as it is.
    assert_eq!(judge_in(config, &with_attachment(&noise), 5000).decision.verdict, MessageVerdict::Clean);
    let lie = archive(&[Entry { local_name: Some(b"b.txt".to_vec()), ..Entry::deflated("a.exe", b"x") }]);
    let judgement = judge(&with_attachment(&lie));
    assert_eq!(judgement.decision.verdict, MessageVerdict::Ambiguous);
    assert_eq!(
        judgement.decision.why,
        "ambiguous content: header and directory of an archive differ (part 2)"
    );
    assert_eq!(rows(&judgement, "2")[2], "archive ran(1 member; ambiguous: headers_differ)");
    let judgement = judge(&with_attachment(&one("a", b"x")[..30]));
    assert_ne!(judgement.decision.action, MessageAction::Pass, "{judgement:?}");
    let judgement = judge(&with_attachment(b"ITSF\x03\0\0\0"));
    assert_eq!(judgement.decision.verdict, MessageVerdict::Unsupported);
    // Something found counts more.
    let lie = archive(&[Entry { local_name: Some(b"b.txt".to_vec()), ..Entry::deflated("a.exe", &eicar()) }]);
    assert_eq!(judge(&with_attachment(&lie)).decision.verdict, MessageVerdict::Infected);
}

#[test]
fn every_member_has_a_row_for_every_stage() {
    let inner = archive(&[Entry::stored("a", b"x"), encrypt(&Entry::stored("b", b"y"), "?")]);
    let judgement = judge(&with_attachment(&tar("inner.zip", &inner)));
    assert_eq!(judgement.parts.len(), 5);
    for part in &judgement.parts {
        let names: Vec<_> = part.stages.iter().map(|(name, _)| name.as_str()).collect();
        let (last, others) = names.split_last().unwrap();
        assert_eq!((others, *last), (&crate::inspect::stage::STAGES[..], "policy"), "{}", part.part);
    }
}
