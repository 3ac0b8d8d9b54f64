use std::time::Duration;

use super::Pool;
use crate::action::extract::{Removed, Weeds};
use crate::content::ContentLimits;
use crate::engine::hash_list::DigestKinds;
use crate::worker::error::WorkerError;
use crate::worker::lane::{Lane, Lanes};
use crate::worker::protocol::{self, Copied, Original, Pages, Question, Unpacked};

/// A worker that is ready, and does what a line of shell says.
fn pool(script: &str) -> Pool {
    unready(&format!("printf r; {script}"))
}

/// One that has to say itself when it is.
fn unready(script: &str) -> Pool {
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
    pool.unpack(&question, &[octets.to_vec()], &mut lane(1))
}

/// A place, with so many to change over to.
fn lane(slow: usize) -> Lane {
    let lanes = Lanes::new(1, slow);
    let mut entering = std::pin::pin!(lanes.enter());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match entering.as_mut().poll(&mut context) {
        std::task::Poll::Ready(lane) => lane,
        std::task::Poll::Pending => panic!("there is a place"),
    }
}

fn copy(pool: &Pool, time: Duration, slow: usize) -> Result<(Copied, Vec<u8>), WorkerError> {
    let octets = b"octets\n".to_vec();
    let length = octets.len() as u64;
    let original = Original {
        media_type: String::new(),
        pages: Pages::Page,
        weeds: Weeds::default(),
        limits: ContentLimits::default(),
        members: Vec::new(),
        length,
    };
    pool.copy(&original, octets, time, &mut lane(slow))
}

/// A script that answers once with one empty reading.
fn honest() -> String {
    let mut answer = Vec::new();
    protocol::write(&mut answer, &vec![Unpacked::default()]).unwrap();
    saying(&answer)
}

/// A script that answers once with these octets.
fn saying(answer: &[u8]) -> String {
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
fn a_part_whose_workers_were_killed_may_be_tried_as_often_as_one_likes() {
    // As the kernel does where there is too little memory for everybody.
    let pool = pool("kill -KILL $$");
    for _ in 0..5 {
        let error = ask(&pool, b"x").unwrap_err();
        assert!(matches!(error, WorkerError::Killed) && !error.is_final(), "{error}");
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

#[test]
fn a_kept_worker_that_is_killed_is_no_sign_against_the_next_part() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("second");
    // The first one answers once and is killed when the next task is on its way; one that begins after that answers.
    let (mark, honest) = (mark.display(), honest());
    let first =
        honest.replacen("exec cat > /dev/null", &format!("read -r line; : > {mark}; kill -KILL $$"), 1);
    let pool = pool(&format!("if [ -e {mark} ]; then {honest}; else {first}; fi"));
    for octets in [b"octets\n", b"others\n"] {
        assert_eq!(ask(&pool, octets).unwrap(), [Unpacked::default()]);
    }
    assert!(std::path::Path::new(&mark.to_string()).exists(), "none was killed");
    assert_eq!(pool.idle.lock().unwrap().len(), 1);
}

#[test]
fn a_worker_that_ends_over_a_copy_is_told_and_the_part_may_still_be_unpacked() {
    let dying = pool("exit 3");
    for _ in 0..2 {
        let error = copy(&dying, Duration::from_secs(5), 1).unwrap_err();
        assert!(matches!(&error, WorkerError::Died { how } if how == "exit code 3"), "{error}");
    }
    assert!(matches!(copy(&dying, Duration::from_secs(5), 1).unwrap_err(), WorkerError::Poisonous));
    assert!(matches!(ask(&dying, b"octets\n").unwrap_err(), WorkerError::Died { .. }));
}

#[test]
fn a_copy_has_one_end_for_all_of_it_however_slowly_the_octets_drip() {
    for script in ["exec sleep 1000", "while :; do printf '\\001'; sleep 0.02; done"] {
        let (pool, start) = (pool(script), std::time::Instant::now());
        let error = copy(&pool, Duration::from_millis(300), 1).unwrap_err();
        assert!(matches!(error, WorkerError::TimedOut), "{script}: {error}");
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(5), "{script}: {took:?}");
    }
}

#[test]
fn what_takes_long_is_ended_where_there_is_no_room_for_it_and_is_not_blamed() {
    let pool = pool("exec sleep 1000");
    for _ in 0..3 {
        let error = copy(&pool, Duration::from_secs(100), 0).unwrap_err();
        assert!(matches!(error, WorkerError::Crowded) && !error.is_final(), "{error}");
    }
}

#[test]
fn what_takes_long_goes_on_behind_the_others_and_its_worker_does_not_stay_there() {
    let mut answer = Vec::new();
    protocol::write(&mut answer, &Copied::Needless).unwrap();
    let pool = pool(&saying(&answer).replacen("printf", "sleep 1.5; printf", 1));
    assert_eq!(copy(&pool, Duration::from_secs(100), 1).unwrap(), (Copied::Needless, Vec::new()));
    let kept = pool.idle.lock().unwrap();
    let nice = kept.iter().map(|worker| {
        let id = i32::try_from(worker.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::getpriority_process(id).unwrap()
    });
    assert!(nice.clone().all(|nice| nice == 0), "it would go on being last: {:?}", nice.collect::<Vec<_>>());
    assert_eq!(kept.len(), usize::from(rustix::process::geteuid().is_root()), "kept where it can be told so");
}

#[test]
fn what_goes_on_after_its_deadline_has_turns_to_answer_in_and_is_as_before_then() {
    let mut answer = Vec::new();
    protocol::write(&mut answer, &vec![Unpacked::default()]).unwrap();
    let pool = pool(&saying(&answer).replacen("printf", "sleep 0.5; printf", 1));
    assert_eq!(ask(&pool, b"octets\n").unwrap(), [Unpacked::default()]);
    for worker in pool.idle.lock().unwrap().iter() {
        let state = std::fs::read_to_string(format!("/proc/{}/stat", worker.child.id())).unwrap();
        let state = state.rsplit(") ").next().unwrap();
        assert!(!state.starts_with('T'), "it stands still: {state}");
    }
}

#[test]
fn a_worker_is_not_stopped_before_it_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let (stopped, early) = (folder.path().join("stopped"), folder.path().join("early"));
    let mut answer = Vec::new();
    protocol::write(&mut answer, &vec![Unpacked::default()]).unwrap();
    // Whoever was stopped and goes on hears that.
    let begin = format!(
        "trap ': > {}' CONT; sleep 0.5; if [ -e {} ]; then : > {}; fi; printf r; ",
        stopped.display(),
        stopped.display(),
        early.display()
    );
    let pool = unready(&(begin + &saying(&answer).replacen("printf", "sleep 0.5; printf", 1)));
    assert_eq!(ask(&pool, b"octets\n").unwrap(), [Unpacked::default()]);
    assert!(!early.exists(), "killed at that moment, this process would have left it behind for ever");
    assert!(stopped.exists(), "it has turns when it is ready");
}

#[test]
fn a_program_that_is_no_worker_is_told_apart() {
    let error = ask(&unready("printf x; exec cat > /dev/null"), b"x").unwrap_err();
    assert!(matches!(error, WorkerError::Died { .. }), "{error}");
}

#[test]
fn a_copy_that_is_shorter_or_longer_than_it_says_is_none() {
    for (length, octets, expected) in
        [(3, &b"abc"[..], "whole"), (4, b"abc", "cut"), (1 << 40, b"abc", "too large")]
    {
        let mut answer = Vec::new();
        protocol::write(
            &mut answer,
            &Copied::Copy { removed: Removed::default(), members: Vec::new(), length },
        )
        .unwrap();
        answer.extend_from_slice(octets);
        let script = saying(&answer).replace("exec cat > /dev/null", "exit 0");
        match copy(&pool(&script), Duration::from_secs(5), 1) {
            Ok((_, copy)) => assert_eq!((copy.as_slice(), expected), (octets, "whole")),
            Err(error) => {
                assert!(matches!(error, WorkerError::Died { .. }) && expected != "whole", "{error}");
            }
        }
    }
}
