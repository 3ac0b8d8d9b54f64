use std::path::Path;

use super::report::Report;
use super::{judge, worse};
use crate::cli::exit_code::ExitCode;
use crate::engine::eicar::eicar;
use crate::inspect::{Config, Inspector};

fn report(octets: &[u8]) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.eml");
    std::fs::write(&file, octets).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let inspector = Inspector::new(Config::default()).unwrap();
    Report::new(Path::new("m.eml"), runtime.block_on(judge(&inspector, &file)).unwrap())
}

#[test]
fn a_clean_message_gives_zero_and_every_stage() {
    let report = report(b"Subject: x\nContent-Type: text/html\n\n<p>x</p>\n");
    assert_eq!(report.exit_code(), ExitCode::Ok);
    let text = report.text();
    assert!(text.starts_with("m.eml: clean, pass: nothing found\n  45 octets, sha256 "), "{text}");
    assert!(text.contains("\n  part 1: text/html (html), identity, 9 octets\n"), "{text}");
    assert!(text.contains("\n    reputation: skipped(no list)\n"), "{text}");
}

#[test]
fn an_infected_message_gives_one() {
    let report = report(&[b"Subject: x\r\n\r\n".as_slice(), &eicar()].concat());
    assert_eq!(report.exit_code(), ExitCode::NotClean);
    assert!(report.text().starts_with("m.eml: infected, refuse: Eicar-Test-Signature found in part 1\n"));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["verdict"], &json["action"]), (&"infected".into(), &"refuse".into()));
}

#[test]
fn large_messages_go_through_a_file() {
    let report = report(&[b"Subject: x\n\n".as_slice(), &vec![b'a'; 1 << 20]].concat());
    assert_eq!((report.octets, report.exit_code()), ((1 << 20) + 12, ExitCode::Ok));
}

#[test]
fn the_worst_of_several_counts() {
    assert_eq!(worse(ExitCode::Ok, ExitCode::TempFail), ExitCode::TempFail);
    assert_eq!(worse(ExitCode::TempFail, ExitCode::NotClean), ExitCode::NotClean);
    assert_eq!(worse(ExitCode::NotClean, ExitCode::TempFail), ExitCode::NotClean);
}
