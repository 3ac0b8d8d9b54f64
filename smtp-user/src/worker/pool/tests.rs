use std::time::Duration;

use super::Pool;
use crate::content::ContentLimits;
use crate::engine::hash_list::DigestKinds;
use crate::worker::error::WorkerError;
use crate::worker::protocol::{self, Question, Unpacked};

/// A worker that does what a line of shell says.
fn pool(script: &str) -> Pool {
    Pool::new("/bin/sh".into(), vec!["-c".to_owned(), script.to_owned()])
}

fn ask(pool: &Pool, octets: &[u8]) -> Result<Vec<Unpacked>, WorkerError> {
    let question = Question {
        structure_only: false,
        part: "1".to_owned(),
        media_type: String::new(),
        passwords: Vec::new(),
        limits: ContentLimits { deadline: Duration::ZERO, ..ContentLimits::default() },
        digests: DigestKinds::default(),
        lengths: vec![octets.len() as u64],
    };
    pool.unpack(&question, &[octets.to_vec()])
}

/// A script that answers once with one empty reading.
fn honest() -> String {
    let mut answer = Vec::new();
    protocol::write(&mut answer, &vec![Unpacked::default()]).unwrap();
    let octal: Vec<String> = answer.iter().map(|octet| format!("\\{octet:03o}")).collect();
    let octal = octal.concat();
    // Everything stands in one write of the daemon's, which is read before the answer is given.
    format!("read -r line; printf '{octal}'; exec cat > /dev/null")
}

#[test]
fn a_worker_that_ends_over_a_part_is_told_and_the_second_time_is_the_last() {
    let pool = pool("exit 3");
    for _ in 0..2 {
        let error = ask(&pool, b"bad").unwrap_err();
        assert!(matches!(&error, WorkerError::Died { how } if how == "exit code 3"), "{error}");
        assert!(!error.is_final());
    }
    let error = ask(&pool, b"bad").unwrap_err();
    assert!(matches!(error, WorkerError::Poisonous) && error.is_final(), "{error}");
    assert!(matches!(ask(&pool, b"other").unwrap_err(), WorkerError::Died { .. }), "others go on");
}

#[test]
fn signals_and_garbage_are_told_apart() {
    for (script, expected) in [
        ("kill -SEGV $$", "signal 11"),
        ("kill -KILL $$", "signal 9"),
        ("printf '\\000\\000\\000\\004none'; exec cat > /dev/null", "expected"),
        ("printf '\\377\\377\\377\\377'; exec cat > /dev/null", "too large"),
        ("exit 0", ""),
    ] {
        let error = ask(&pool(script), b"x").unwrap_err();
        let WorkerError::Died { how } = &error else { panic!("{script}: {error}") };
        assert!(how.contains(expected), "{script}: {how}");
    }
}

#[test]
fn a_program_that_is_not_there_is_no_fault_of_the_part() {
    let pool = Pool::new("/nonexistent/worker".into(), Vec::new());
    for _ in 0..3 {
        assert!(matches!(ask(&pool, b"x").unwrap_err(), WorkerError::Start { .. }));
    }
}

#[test]
fn a_worker_that_hangs_is_ended() {
    let pool = pool("exec sleep 1000");
    let error = ask(&pool, b"x").unwrap_err();
    assert!(matches!(error, WorkerError::TimedOut), "{error}");
    assert!(pool.idle.lock().unwrap().is_empty());
}

#[test]
fn a_worker_that_behaves_is_kept() {
    let pool = pool(&honest());
    // The line that the script reads ends here.
    assert_eq!(ask(&pool, b"octets\n").unwrap(), [Unpacked::default()]);
    assert_eq!(pool.idle.lock().unwrap().len(), 1);
}
