//! What an engine finds in a message is looked for in its parts, and rules are about the part that it is in.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{base64, judge_in};
use crate::engine::config::{Address, Config as EngineConfig};
use crate::event::session_event::PartRecord;
use crate::inspect::Config;
use crate::inspect::ruled::Replacement;
use crate::model::decision::{MessageAction, MessageVerdict};
use crate::policy::part_action::PartAction;
use crate::policy::part_pattern::PartPattern;
use crate::policy::part_rule::PartRule;

/// A clamd that finds words, in octets as they are and in base64. It is asked at a path that is gone with it.
struct Finder {
    _folder: tempfile::TempDir,
    path: PathBuf,
    scans: Arc<AtomicUsize>,
}

/// Words, each of six octets, so that they are the same at the start of base64; and what it says of them.
const WORDS: [(&str, &str); 4] = [
    ("INFECT", "stream: Bad.Thing FOUND"),
    ("SEALED", "stream: Heuristics.Encrypted.Zip FOUND"),
    ("FAILED", "stream: it is broken ERROR"),
    ("Subject: whole", "stream: Only.Together FOUND"),
];

impl Finder {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clamd");
        let listener = UnixListener::bind(&path).unwrap();
        let scans = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&scans);
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let (mut octets, mut room) = (Vec::new(), [0; 4096]);
                while octets != b"zVERSION\0" && !octets.ends_with(b"\0\0\0\0") {
                    match stream.read(&mut room) {
                        Ok(0) | Err(_) => break,
                        Ok(length) => octets.extend_from_slice(&room[..length]),
                    }
                }
                let has = |word: &str| memchr::memmem::find(&octets, word.as_bytes()).is_some();
                let said = if octets.starts_with(b"zVERSION") {
                    "ClamAV 1"
                } else {
                    count.fetch_add(1, Ordering::Relaxed);
                    let is_in =
                        |word: &&(&str, &str)| has(word.0) || has(base64(word.0.as_bytes()).trim_end());
                    WORDS.iter().find(is_in).map_or("stream: OK", |word| word.1)
                };
                let _ = stream.write_all(format!("{said}\0").as_bytes());
            }
        });
        Self { _folder: folder, path, scans }
    }

    fn config(&self, rules: Vec<PartRule>) -> Config {
        let engine = EngineConfig::clamd("av", Address::Unix(self.path.clone()));
        Config { engines: vec![EngineConfig { self_test: false, ..engine }], rules, ..Config::default() }
    }
}

fn message(subject: &str, files: &[&str]) -> Vec<u8> {
    let mut text = format!(
        "Subject: {subject}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello.\r\n"
    );
    for (number, file) in files.iter().enumerate() {
        let _ = write!(
            text,
            "--b\r\nContent-Type: application/octet-stream; name=\"{number}.bin\"\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n{}\r\n",
            base64(file.as_bytes())
        );
    }
    (text + "--b--\r\n").into_bytes()
}

fn row<'p>(part: &'p PartRecord, stage: &str) -> &'p str {
    part.stages.iter().find(|(name, _)| name == stage).map(|(_, result)| result.as_str()).unwrap()
}

fn by_engine(action: PartAction) -> PartRule {
    PartRule { engines: vec!["av".to_owned()], ..PartRule::new("av", action) }
}

#[test]
fn a_rule_about_an_engine_is_about_the_part_that_it_found_something_in() {
    let finder = Finder::start();
    for (action, by) in [
        (PartAction::Strip, Replacement::Notice),
        (PartAction::Lock, Replacement::Locked),
        (PartAction::Clean, Replacement::Copy),
    ] {
        let by_verdict =
            PartRule { verdicts: vec![MessageVerdict::Infected], ..PartRule::new("infected", action) };
        for rule in [by_engine(action), by_verdict] {
            let judgement =
                judge_in(finder.config(vec![rule]), &message("x", &["harmless", "INFECT..", "fine"]), 4096);
            assert_eq!(judgement.decision.action, MessageAction::Rewrite, "{action}: {judgement:?}");
            assert_eq!(judgement.decision.why, "Bad.Thing found in 1.bin (part 3)");
            let [change] = &judgement.changes[..] else { panic!("{:?}", judgement.changes) };
            assert_eq!((change.part.as_str(), change.by, change.found.as_str()), ("3", by, "Bad.Thing"));
            assert!(change.excuses);
            let rows: Vec<_> = judgement.parts.iter().map(|part| row(part, "engine:av")).collect();
            assert_eq!(rows, ["ran(clean)", "ran(clean)", "ran(infected: Bad.Thing)", "ran(clean)"]);
        }
    }
}

#[test]
fn what_is_allowed_is_excused_and_what_is_beside_it_is_not() {
    let finder = Finder::start();
    let allow =
        PartRule { file_names: vec![PartPattern::new("0.bin")], ..PartRule::new("a", PartAction::Allow) };
    for (files, action) in
        [(&["INFECT.."][..], MessageAction::Pass), (&["INFECT..", "INFECT.."], MessageAction::Refuse)]
    {
        let judgement = judge_in(finder.config(vec![allow.clone()]), &message("x", files), 4096);
        assert_eq!(judgement.decision.action, action, "{judgement:?}");
        assert_eq!(judgement.decision.verdict, MessageVerdict::Infected);
    }
}

#[test]
fn what_needs_a_key_is_in_a_part_too() {
    let finder = Finder::start();
    let lock = PartRule { encrypted: Some(true), ..PartRule::new("sealed", PartAction::Lock) };
    let judgement = judge_in(finder.config(vec![lock]), &message("x", &["fine", "SEALED.."]), 4096);
    assert_eq!(judgement.decision.action, MessageAction::Rewrite, "{judgement:?}");
    assert_eq!(judgement.changes.iter().map(|change| change.part.as_str()).collect::<Vec<_>>(), ["3"]);
}

#[test]
fn what_no_part_alone_accounts_for_stays_with_the_message() {
    let finder = Finder::start();
    let allow = || PartRule::new("everything", PartAction::Allow);
    let judgement = judge_in(finder.config(vec![allow()]), &message("whole", &["fine"]), 4096);
    assert_eq!(judgement.decision.action, MessageAction::Refuse);
    assert_eq!(judgement.decision.why, "Only.Together found in the message");
    assert_eq!(row(&judgement.parts[1], "engine:av"), "ran(clean)");
    // It may be in any part, as far as anybody knows.
    let judgement =
        judge_in(finder.config(vec![by_engine(PartAction::Strip)]), &message("whole", &["fine"]), 4096);
    assert_eq!(judgement.changes.len(), 2);
}

#[test]
fn where_a_part_cannot_be_asked_about_nothing_is_excused() {
    let finder = Finder::start();
    let allow = || PartRule::new("everything", PartAction::Allow);
    let judgement = judge_in(finder.config(vec![allow()]), &message("x", &["INFECT..", "FAILED.."]), 4096);
    assert_eq!(judgement.decision.action, MessageAction::Refuse);
    assert_eq!(row(&judgement.parts[2], "engine:av"), "ran(error)");
    let mut config = finder.config(vec![allow()]);
    config.contents.max_part = 7;
    let judgement = judge_in(config, &message("x", &["INFECT.."]), 4096);
    assert_eq!(judgement.decision.action, MessageAction::Refuse);
}

#[test]
fn clean_mail_is_asked_about_once_and_many_parts_are_not_asked_about() {
    let finder = Finder::start();
    judge_in(finder.config(Vec::new()), &message("x", &["fine", "good"]), 4096);
    assert_eq!(finder.scans.load(Ordering::Relaxed), 1);
    let files = [&["fine"; 60][..], &["INFECT.."]].concat();
    let judgement = judge_in(finder.config(Vec::new()), &message("x", &files), 4096);
    assert_eq!(judgement.decision.why, "Bad.Thing found in the message");
    assert_eq!(finder.scans.load(Ordering::Relaxed), 2);
}

#[cfg(feature = "yara")]
#[test]
fn rules_of_yara_see_parts_as_they_are_when_decoded() {
    use crate::engine::config::Protocol;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yar");
    std::fs::write(&path, "rule Known_Word { strings: $a = \"a known word\" condition: $a at 0 }").unwrap();
    let engine = EngineConfig::new("rules", Protocol::Yara { rules: vec![path] });
    let strip = PartRule { engines: vec!["rules".to_owned()], ..PartRule::new("found", PartAction::Strip) };
    let config = || Config {
        engines: vec![EngineConfig { self_test: false, ..engine.clone() }],
        rules: vec![strip.clone()],
        ..Config::default()
    };
    let judgement = judge_in(config(), &message("x", &["harmless", "a known word and more"]), 4096);
    assert_eq!(judgement.decision.why, "Known_Word found in 1.bin (part 3)");
    assert_eq!(judgement.changes.iter().map(|change| change.part.as_str()).collect::<Vec<_>>(), ["3"]);
    assert_eq!(row(&judgement.parts[2], "engine:rules"), "ran(infected: Known_Word)");
    assert_eq!(row(&judgement.parts[1], "engine:rules"), "ran(clean)");
    let judgement = judge_in(config(), &message("x", &["harmless", "no known word"]), 4096);
    assert_eq!(judgement.decision.action, MessageAction::Pass);
    let mut few = config();
    few.contents.max_part = 10;
    let judgement = judge_in(few, &message("x", &["more than ten octets"]), 4096);
    assert_eq!(judgement.decision.verdict, MessageVerdict::LimitExceeded, "{judgement:?}");
}
