//! Messages from their first octet to the decision.

mod cached;
mod clean_corpus;
mod contents;
mod linked;
mod located;
mod rules;
mod unseen;

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Instant;

use proptest::prelude::*;

use crate::content::fixture::other::base64;
use crate::engine::config::Address;
use crate::engine::eicar::eicar;
use crate::engine::hash_list::DigestKinds;
use crate::event::session_event::SessionEvent;
use crate::inspect::{Config, Inspector, Judgement};
use crate::model::decision::{MessageAction, MessageVerdict};

fn judge_in(config: Config, message: &[u8], step: usize) -> Judgement {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut inspection = Inspector::new(config).unwrap().begin();
    for piece in message.chunks(step) {
        inspection.push(piece);
    }
    runtime.block_on(inspection.judge(&message.to_vec()))
}

fn judge(message: &[u8]) -> Judgement {
    judge_in(Config::default(), message, usize::MAX)
}

fn with_attachment(octets: &[u8]) -> Vec<u8> {
    format!(
        "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_b\"\r\n\r\n\
         --=_b\r\nContent-Type: text/plain\r\n\r\nHello.\r\n\
         --=_b\r\nContent-Type: application/octet-stream; name=\"eicar.com\"\r\n\
         Content-Disposition: attachment; filename=\"eicar.com\"\r\nContent-Transfer-Encoding: base64\r\n\r\n\
         {}\r\n--=_b--\r\n",
        base64(octets)
    )
    .into_bytes()
}

#[test]
fn what_is_not_to_be_looked_at_passes_and_is_not_called_clean() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let inspector = Inspector::new(Config::default()).unwrap().without_looking();
    let message = with_attachment(&eicar());
    for mut inspection in [inspector.begin(), inspector.begin_again(vec!["1".to_owned()])] {
        message.chunks(100).for_each(|piece| inspection.push(piece));
        let judgement = runtime.block_on(inspection.judge(&message));
        assert_eq!(judgement.decision.verdict, MessageVerdict::NotInspected);
        assert_eq!(judgement.decision.action, MessageAction::Pass);
        assert_eq!(
            (&judgement.parts, &judgement.engines, judgement.octets),
            (&Vec::new(), &Vec::new(), message.len() as u64)
        );
        assert_eq!(judgement.sha256, "");
        // What is kept of it is never out of date.
        let kept = judgement.to_be_kept(0, true);
        assert_eq!(kept.outdated_by(&runtime.block_on(inspector.engines())), None);
    }
}

#[test]
fn the_test_string_in_an_attachment_is_refused_by_name() {
    let config = Config { digests: DigestKinds { sha1: true, md5: true }, ..Config::default() };
    let judgement = judge_in(config, &with_attachment(&eicar()), usize::MAX);
    assert_eq!(judgement.decision.verdict, MessageVerdict::Infected);
    assert_eq!(judgement.decision.action, MessageAction::Refuse);
    assert_eq!(judgement.decision.why, "Eicar-Test-Signature found in eicar.com (part 2)");
    let [text, file] = &judgement.parts[..] else { panic!("{:?}", judgement.parts) };
    assert_eq!((text.octets, text.media_type.as_str()), (6, "text/plain"));
    assert_eq!((file.octets, file.names.as_slice()), (68, &["eicar.com".to_owned()][..]));
    assert_eq!(file.md5, "44d88612fea8a8f36de82e1278abb02f");
    assert_eq!(file.sha1, "3395856ce81f2b7382dee72602f798b642f14140");
    assert_eq!(file.sha256, "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f");
    assert_eq!(file.encoding, "base64");
    let stages: Vec<_> = file.stages.iter().map(|(name, result)| format!("{name} {result}")).collect();
    let expected = [
        "structure ran(sound)",
        "type ran(text)",
        "archive skipped(no container)",
        "signature ran(infected: Eicar-Test-Signature)",
        "reputation skipped(no list)",
        "executables skipped(off)",
        "links skipped(no text)",
        "cache ran(miss)",
        "policy skipped(no rules)",
    ];
    assert_eq!(stages, expected);
}

#[test]
fn digests_that_nobody_asked_for_are_not_made() {
    let judgement = judge(&with_attachment(&eicar()));
    let file = &judgement.parts[1];
    assert_eq!((file.md5.as_str(), file.sha1.as_str()), ("", ""));
    assert_eq!(file.sha256, "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f");
}

#[test]
fn the_test_string_anywhere_in_the_octets_is_found() {
    for (before, after) in [
        ("Subject: ", "\r\n\r\nx"),
        ("\r\n", "\r\n"),
        ("", ""),
        ("Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a--\r\n", "\r\n"),
        ("Content-Type: multipart/mixed; boundary=a\r\n\r\n", "\r\n--a\r\n\r\nx\r\n--a--\r\n"),
        ("Content-Transfer-Encoding: base64\r\n\r\n", ""),
    ] {
        let message = [before.as_bytes(), &eicar(), after.as_bytes()].concat();
        assert_eq!(judge(&message).decision.verdict, MessageVerdict::Infected, "{before:?}");
    }
}

#[test]
fn an_inspection_may_move_between_threads() {
    fn is_send(_: impl Send) {}
    is_send(Inspector::new(Config::default()).unwrap().begin().judge(&Vec::new()));
}

#[test]
fn clean_mail_passes_with_a_row_for_every_stage() {
    let judgement = judge(&with_attachment(b"nothing"));
    assert_eq!(judgement.decision.verdict, MessageVerdict::Clean);
    assert_eq!(judgement.decision.action, MessageAction::Pass);
    assert!(judgement.parts.iter().all(|part| part.stages.len() == 9));
    assert!(judgement.engines.is_empty());
}

#[test]
fn listed_digests_and_executables_are_infected_if_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list");
    let mut file = std::fs::File::create(&list).unwrap();
    writeln!(file, "9bc0ec4f6ac6d6d5e4ef9aeb4ba5c2b1 wrong\n900150983cd24fb0d6963f7d28e17f72 Test.Listed")
        .unwrap();
    let config = Config { hash_lists: vec![list], ..Config::default() };
    let judgement = judge_in(config, &with_attachment(b"abc"), 100);
    assert_eq!(judgement.decision.why, "Test.Listed found in eicar.com (part 2)");
    let program = with_attachment(b"\x7fELF\x02\x01");
    assert_eq!(judge(&program).decision.verdict, MessageVerdict::Clean);
    let config = Config { executables: true, ..Config::default() };
    assert_eq!(judge_in(config, &program, 100).decision.why, "Executable.ELF found in eicar.com (part 2)");
    let config = Config { hash_lists: vec!["/nonexistent/list".into()], ..Config::default() };
    assert!(Inspector::new(config).unwrap_err().to_string().contains("/nonexistent/list"));
}

#[test]
fn an_engine_that_is_away_defers_and_does_not_hide_findings() {
    let away = || {
        let address = Address::Unix("/nonexistent/clamd".into());
        Config { engines: vec![crate::engine::config::Config::clamd("av", address)], ..Config::default() }
    };
    let judgement = judge_in(away(), b"Subject: x\r\n\r\nx", 5);
    assert_eq!(judgement.decision.verdict, MessageVerdict::EngineError);
    assert_eq!(judgement.decision.action, MessageAction::Defer);
    assert_eq!(judgement.decision.why, "inspection is not available");
    assert!(matches!(&judgement.engines[..], [SessionEvent::Engine { engine, .. }] if engine == "av"));
    assert_eq!(judgement.parts[0].stages[8].0, "engine:av");
    assert_eq!(judge_in(away(), &eicar(), 5).decision.action, MessageAction::Refuse);
}

/// Ordinary mail of many shapes: structure, encodings and names chosen freely, all of it well-formed.
fn ordinary(level: u32) -> BoxedStrategy<String> {
    // What looks like an encoded word is no ordinary boundary: some readers decode it, RFC 2047 §5.
    let boundary = "[A-Za-z0-9'()+_,./:=?-]{10,40}[A-Za-z0-9]"
        .prop_filter("an encoded word", |boundary: &String| !boundary.contains("=?"));
    let text = "([ -~]{0,60}\r\n){0,8}";
    let leaf = prop_oneof![
        text.prop_map(|text: String| format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{text}")),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|octets| format!(
            "Content-Type: application/pdf; name=\"a b.pdf\"\r\nContent-Disposition: attachment;\r\n filename=\"a b.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
            // By chance two octets could begin an archive.
            base64(&[b"Any octets but no archive: ".as_slice(), &octets].concat())
        )),
        "[ -<>-~]{0,70}".prop_map(|text: String| format!(
            "Content-Transfer-Encoding: quoted-printable\r\nContent-Type: text/html; charset=\"utf-8\"\r\n\r\n<p>=3D{text}=\r\n=E9\r\n"
        )),
    ];
    if level == 0 {
        return leaf.boxed();
    }
    let kind = prop::sample::select(vec!["mixed", "alternative", "related", "signed", "report"]);
    let parts = prop::collection::vec(ordinary(level - 1), 1..4);
    let multipart = (kind, boundary, parts, any::<bool>()).prop_map(|(kind, boundary, parts, preamble)| {
        let mut text = format!("Content-Type: multipart/{kind};\r\n\tboundary=\"{boundary}\"\r\n\r\n");
        if preamble {
            text.push_str("This is a multi-part message in MIME format.\r\n");
        }
        for part in parts {
            let _ = write!(text, "--{boundary}\r\n{part}\r\n");
        }
        let _ = write!(text, "--{boundary}--\r\n");
        text
    });
    let message = ordinary(level - 1)
        .prop_map(|inner| format!("Content-Type: message/rfc822\r\n\r\nSubject: y\r\n{inner}"));
    prop_oneof![2 => leaf, 4 => multipart, 1 => message].boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn ordinary_mail_is_never_ambiguous(body in ordinary(3)) {
        let message = format!("From: a@example.com\r\nSubject: =?utf-8?q?=C3=A9?=\r\nMIME-Version: 1.0\r\n{body}");
        let judgement = judge(message.as_bytes());
        prop_assert_eq!(judgement.decision.verdict, MessageVerdict::Clean, "{}: {}", judgement.decision.why, message);
    }

    #[test]
    fn pieces_do_not_matter(body in ordinary(2), step in 1usize..200, cut in 0usize..500, infected in any::<bool>()) {
        let mut message = body.into_bytes();
        let at = cut.min(message.len());
        message.splice(at..at, if infected { eicar() } else { b"=\r\n--".to_vec() });
        let judgement = judge(&message);
        prop_assert!(!infected || judgement.decision.verdict == MessageVerdict::Infected);
        prop_assert_eq!(judge_in(Config::default(), &message, step), judgement);
    }
}

/// Time this thread was on a processor, seconds; the machine may have other things to do.
fn on_processor() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// Processor time of one inspection, microseconds.
fn cost(message: &[u8], rounds: u32) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let inspector = Inspector::new(Config::default()).unwrap();
    let message = message.to_vec();
    let start = on_processor();
    for _ in 0..rounds {
        let mut inspection = inspector.begin();
        for piece in message.chunks(16 << 10) {
            inspection.push(piece);
        }
        assert_eq!(runtime.block_on(inspection.judge(&message)).decision.verdict, MessageVerdict::Clean);
    }
    (on_processor() - start) * 1e6 / f64::from(rounds)
}

#[test]
#[ignore = "measures; run with --release --ignored --nocapture"]
fn speed() {
    let octets: Vec<u8> = (0..800_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (name, size) in [("10 KiB", 7 << 10), ("100 KiB", 73 << 10), ("1 MiB", 745 << 10)] {
        let message = with_attachment(&octets[..size]);
        println!("{name} base64, {} octets: {:.1} us", message.len(), cost(&message, 1000));
    }
    let text =
        "Subject: x\r\n\r\n".to_owned() + &"All work and no play makes Jack a dull boy.\r\n".repeat(230);
    println!("10 KiB text, {} octets: {:.1} us", text.len(), cost(text.as_bytes(), 5000));
}

#[test]
fn time_grows_with_size_and_not_faster() {
    let lines = |count: usize| {
        let start = "Content-Type: multipart/mixed; boundary=\"-\"\r\n\r\n".to_owned();
        start + &"---x\r\n".repeat(count) + &"(".repeat(count) + &"=?".repeat(count)
    };
    let time = |count: usize| {
        let message = lines(count);
        let measure = || {
            let start = Instant::now();
            let _ = judge(message.as_bytes());
            start.elapsed()
        };
        (0..3).map(|_| measure()).min().unwrap()
    };
    let (small, large) = (time(5_000), time(50_000));
    assert!(large < small * 40, "{small:?} {large:?}");
}
