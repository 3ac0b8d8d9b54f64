use std::path::Path;

use super::report::Report;
use super::{replay, retained};
use crate::app::config::Config;
use crate::cli::exit_code::ExitCode;
use crate::cli::forecasters::Forecasters;
use crate::engine::eicar::eicar;
use crate::model::decision::{Decision, MessageAction, MessageVerdict};
use crate::quarantine::FOLDER;
use crate::quarantine::entry::Entry;
use crate::quarantine::fixture::{entry, id};
use crate::quarantine::store::Store;

const STRIP: &str = "[[inspection.rule]]\nname = \"programs\"\nfile_name = [\"*.exe\"]\naction = \"strip\"\n";
const KEEP: &str = "[inspection.actions]\ninfected = \"quarantine\"\n";

fn config(folder: &Path, tables: &str) -> Config {
    let data = folder.display();
    let text = format!("[gateway]\ninterfaces = [\"eth0\"]\ndata_dir = \"{data}\"\n{tables}");
    Config::parse(&text, "test.toml").unwrap()
}

fn with_file(name: &str) -> Vec<u8> {
    format!("Subject: x\r\nContent-Type: application/octet-stream; name=\"{name}\"\r\n\r\ntext\r\n")
        .into_bytes()
}

fn decided(number: u32, verdict: MessageVerdict, action: MessageAction, rule: Option<&str>) -> Entry {
    let decision = Decision { verdict, action, why: "then".to_owned() };
    Entry { decision, part_rule: rule.map(str::to_owned), ..entry(number) }
}

/// Keeps messages as an earlier configuration would have, and judges them again under another.
async fn kept(folder: &Path) {
    let (store, _) = Store::open(&folder.join(FOLDER)).unwrap();
    let infected = [b"Subject: x\r\n\r\n".as_slice(), &eicar()].concat();
    let stripped = decided(2, MessageVerdict::Clean, MessageAction::Rewrite, Some("programs"));
    for (entry, octets) in [
        (decided(1, MessageVerdict::Infected, MessageAction::Quarantine, None), infected),
        (Entry { original: true, ..stripped }, with_file("a.exe")),
        (decided(3, MessageVerdict::Ambiguous, MessageAction::Quarantine, None), with_file("a.txt")),
    ] {
        store.keep(entry, &octets).await.unwrap();
    }
}

fn replayed(folder: &Path, since: u64, policy: &str, all: bool) -> Report {
    let policy = config(folder, policy);
    let forecasters = Forecasters::without_workers(&policy).unwrap();
    replay(retained::all(&config(folder, ""), since).unwrap(), &forecasters, all).unwrap()
}

fn counts(report: &Report) -> (u64, u64, Vec<String>) {
    let json = serde_json::to_value(report).unwrap();
    let ids = json["messages"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned());
    (json["same"].as_u64().unwrap(), json["changed"].as_u64().unwrap(), ids.collect())
}

#[test]
fn the_same_configuration_decides_the_same_and_another_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(kept(folder.path()));
    let name = |number| id(number).to_string();
    let report = replayed(folder.path(), 0, &format!("{KEEP}{STRIP}"), false);
    assert_eq!(counts(&report), (2, 1, vec![name(3)]));
    assert_eq!(report.exit_code(), ExitCode::Ok);
    let text = report.text();
    assert!(text.contains("  - ambiguous, quarantine: then\n  + clean, pass: nothing found\n"), "{text}");
    assert!(text.ends_with("3 messages by test.toml: 2 as before, 1 changed.\n"), "{text}");
    let report = replayed(folder.path(), 0, "", true);
    assert_eq!(counts(&report), (0, 3, vec![name(1), name(2), name(3)]));
    let text = report.text();
    assert!(
        text.contains("  - clean, rewrite by rule \"programs\": then\n  + clean, pass: nothing found\n"),
        "{text}"
    );
    assert_eq!(counts(&replayed(folder.path(), 3, "", true)).2, [name(3)]);
}

#[test]
fn paths_that_rules_would_give_another_form_are_a_change() {
    let folder = tempfile::tempdir().unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(kept(folder.path()));
    let policy = "[[rule]]\nname = \"mail\"\nservice = [\"smtp\"]\naction = \"inspect\"\nresource = \"inbound\"\n[[resource]]\n\
                  name = \"inbound\"\n[[resource.envelope]]\npath = \"recipient\"\nleft = \"*@example.com\"\n\
                  right = \"&@new.example\"\n";
    let report = replayed(folder.path(), 0, &format!("{KEEP}{STRIP}{policy}"), false);
    assert_eq!(counts(&report).1, 3);
    let text = report.text();
    assert_eq!(
        text.matches("    recipient b@example.com: b@example.com -> b@new.example\n").count(),
        3,
        "{text}"
    );
}

#[test]
fn it_is_the_same_each_time_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(kept(folder.path()));
    let files = || {
        let mut all = Vec::new();
        for place in ["entry", "body", "incoming"] {
            for file in std::fs::read_dir(folder.path().join(FOLDER).join(place)).unwrap() {
                let path = file.unwrap().path();
                all.push((path.clone(), std::fs::read(path).unwrap()));
            }
        }
        all.sort();
        all
    };
    let before = files();
    let json = || serde_json::to_string(&replayed(folder.path(), 0, STRIP, true)).unwrap();
    assert_eq!(json(), json());
    assert!(before == files() && before.len() == 6);
    assert!(!folder.path().join("lock.key").exists());
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(kept(folder.path()));
    let body = folder.path().join(FOLDER).join("body").join(id(2).to_string());
    std::fs::write(&body, b"something else").unwrap();
    let report = replayed(folder.path(), 0, KEEP, false);
    assert_eq!(counts(&report).0, 1);
    assert_eq!(report.exit_code(), ExitCode::Data);
    assert_eq!(report.damaged.len(), 1);
    assert!(report.text().contains(", 1 not to be read.\n"), "{}", report.text());
}
