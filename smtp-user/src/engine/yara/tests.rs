use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Yara;
use crate::engine::outcome::EngineOutcome;

const TIME: Duration = Duration::from_secs(30);

/// A file of rules in a folder of its own.
struct File {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl File {
    fn of(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.yar");
        std::fs::write(&path, text).unwrap();
        Self { _folder: folder, path }
    }

    fn load(&self) -> Arc<Yara> {
        Arc::new(Yara::load(std::slice::from_ref(&self.path)).unwrap())
    }
}

fn rule(name: &str, word: &str) -> String {
    format!("rule {name} {{\n  strings:\n    $a = \"{word}\"\n  condition:\n    $a\n}}\n")
}

#[tokio::test]
async fn a_rule_that_matches_is_named() {
    let file = File::of(&(rule("first", "one") + &rule("second", "two")));
    let yara = file.load();
    let ask = async |octets: &[u8]| yara.ask(&octets.to_vec(), TIME).await.unwrap();
    assert_eq!(ask(b"one").await, EngineOutcome::Infected("first".to_owned()));
    assert_eq!(ask(b"and two").await, EngineOutcome::Infected("second".to_owned()));
    assert_eq!(ask(b"three").await, EngineOutcome::Clean);
    assert_eq!(ask(b"").await, EngineOutcome::Clean);
}

#[test]
fn mistakes_have_their_place() {
    let text = rule("fine", "one") + "rule bad {\n  condition:\n    $missing\n}\n";
    let file = File::of(&text);
    let missing = file.path.with_file_name("none.yar");
    let problems = Yara::load(&[file.path.clone(), missing]).unwrap_err();
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert!(problems[0].contains("rules.yar:9: unknown pattern"), "{problems:?}");
    assert!(problems[1].contains("none.yar: ") && problems[1].contains("cannot be read"), "{problems:?}");
    let file = File::of("include \"/etc/passwd\"\n");
    assert!(Yara::load(&[file.path]).is_err(), "only files that the configuration names");
}

#[tokio::test]
async fn a_scan_has_an_end_and_that_is_no_clean_one() {
    let slow = "rule slow { condition: for all i in (0..10000000000) : (uint8(i) == 0 or true) }";
    let yara = File::of(slow).load();
    let outcome = yara.ask(&vec![0; 1000], Duration::from_secs(1)).await.unwrap();
    assert_eq!(outcome, EngineOutcome::LimitExceeded("time".to_owned()));
}

#[tokio::test]
async fn a_file_that_changes_is_compiled_again_and_a_wrong_one_is_not() {
    let file = File::of(&rule("old", "word"));
    let yara = file.load();
    let first = yara.version();
    let ask = async || yara.ask(&b"another word".to_vec(), TIME).await.unwrap();
    assert_eq!(ask().await, EngineOutcome::Infected("old".to_owned()));
    let until = async |name: &str| {
        let name = EngineOutcome::Infected(name.to_owned());
        tokio::time::timeout(TIME, async { while ask().await != name {} }).await.expect("it is read again");
    };
    std::fs::write(&file.path, rule("changed", "another")).unwrap();
    until("changed").await;
    assert_ne!(yara.version(), first);
    std::fs::write(&file.path, "no rule at all").unwrap();
    let end = std::time::Instant::now() + Duration::from_secs(2);
    while std::time::Instant::now() < end {
        assert_eq!(ask().await, EngineOutcome::Infected("changed".to_owned()));
    }
    std::fs::write(&file.path, rule("third", "another word")).unwrap();
    until("third").await;
}
