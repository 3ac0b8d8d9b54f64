use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::Engine;
use crate::engine::config::{Address, Config};
use crate::engine::eicar::eicar;
use crate::engine::outcome::{EngineError, EngineOutcome};

/// A clamd that tells the truth, or finds nothing at all.
struct Daemon {
    folder: tempfile::TempDir,
    knows: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Daemon {
    fn start(knows: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("clamd")).unwrap();
        let (knows, asked) = (Arc::new(AtomicBool::new(knows)), Arc::new(AtomicUsize::new(0)));
        let (has_signatures, count) = (Arc::clone(&knows), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (has_signatures, count) = (Arc::clone(&has_signatures), Arc::clone(&count));
                tokio::spawn(async move {
                    let mut octets = Vec::new();
                    while !octets.ends_with(b"\0\0\0\0") && octets != b"zVERSION\0" {
                        if stream.read_buf(&mut octets).await.unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    if octets.starts_with(b"zVERSION") {
                        return stream.write_all(b"ClamAV\0").await.unwrap();
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                    let test = eicar();
                    let found = octets.windows(test.len()).any(|window| window == test);
                    let finds = found && has_signatures.load(Ordering::Relaxed);
                    let reply: &[u8] = if finds { b"stream: Eicar FOUND\0" } else { b"stream: OK\0" };
                    stream.write_all(reply).await.unwrap();
                });
            }
        });
        Self { folder, knows, asked }
    }

    fn engine(&self) -> Engine {
        let config = Config::clamd("av", Address::Unix(self.folder.path().join("clamd")));
        Engine::load(Config { deadline: Duration::from_secs(20), ..config }).unwrap()
    }
}

#[tokio::test]
async fn an_engine_is_tested_once_before_it_is_trusted() {
    let daemon = Daemon::start(true);
    let engine = daemon.engine();
    for _ in 0..3 {
        assert_eq!(engine.scan(&b"harmless".to_vec()).await.outcome, EngineOutcome::Clean);
    }
    assert_eq!(daemon.asked.load(Ordering::Relaxed), 4, "one test and three messages");
}

#[tokio::test]
async fn an_engine_without_signatures_is_never_believed() {
    let daemon = Daemon::start(false);
    let engine = daemon.engine();
    for _ in 0..3 {
        let outcome = engine.scan(&b"harmless".to_vec()).await.outcome;
        assert_eq!(outcome, EngineOutcome::Error(EngineError::Blind));
    }
    assert_eq!(daemon.asked.load(Ordering::Relaxed), 1, "it is left alone for a while");
    daemon.knows.store(true, Ordering::Relaxed);
    // The breaker's clock is the system's: its pause is waited out by asking.
    let back = tokio::time::timeout(Duration::from_secs(5), async {
        while engine.scan(&b"harmless".to_vec()).await.outcome != EngineOutcome::Clean {
            tokio::task::yield_now().await;
        }
    });
    back.await.expect("an engine that is back is used again within five seconds");
}

#[tokio::test]
async fn an_engine_that_is_away_is_not_waited_for_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clamd");
    let listener = UnixListener::bind(&path).unwrap();
    let config = Config::clamd("av", Address::Unix(path));
    let deadline = Duration::from_millis(50);
    let engine = Engine::load(Config { deadline, self_test: false, ..config }).unwrap();
    let mut micros = Vec::new();
    for _ in 0..5 {
        // It accepts, since the kernel does, and never answers.
        let report = engine.scan(&b"x".to_vec()).await;
        assert_eq!(report.outcome, EngineOutcome::Error(EngineError::TimedOut));
        micros.push(report.micros);
    }
    drop(listener);
    assert!(micros[..3].iter().all(|micros| *micros >= 50_000), "{micros:?}");
    assert!(micros[3..].iter().all(|micros| *micros < 50_000), "{micros:?}");
}

/// A clamd that answers scans at once, and what else it is asked never; the test file perhaps not either.
fn answers_scans_only(path: &Path, answers_test: bool) {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut octets = Vec::new();
            while !octets.ends_with(b"\0\0\0\0") && octets != b"zVERSION\0" {
                if stream.read_buf(&mut octets).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            let test = eicar();
            let is_test = octets.windows(test.len()).any(|window| window == test);
            if octets.starts_with(b"zINSTREAM") && (answers_test || !is_test) {
                let reply: &[u8] = if is_test { b"stream: Eicar FOUND\0" } else { b"stream: OK\0" };
                stream.write_all(reply).await.unwrap();
            }
            held.push(stream);
        }
    });
}

#[tokio::test]
async fn an_engine_that_says_no_version_holds_up_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clamd");
    answers_scans_only(&path, true);
    let config = Config::clamd("av", Address::Unix(path));
    let engine = Engine::load(Config { deadline: Duration::from_secs(1), ..config }).unwrap();
    for _ in 0..10 {
        let report = engine.scan(&b"harmless".to_vec()).await;
        assert_eq!((report.outcome, report.version), (EngineOutcome::Clean, None));
    }
}

#[tokio::test]
async fn a_first_test_that_is_cut_off_by_the_deadline_is_not_passed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clamd");
    answers_scans_only(&path, false);
    let config = Config::clamd("av", Address::Unix(path));
    let engine = Engine::load(Config { deadline: Duration::from_millis(100), ..config }).unwrap();
    for _ in 0..3 {
        let report = engine.scan(&b"harmless".to_vec()).await;
        assert_eq!(report.outcome, EngineOutcome::Error(EngineError::TimedOut), "it is not trusted");
    }
}
