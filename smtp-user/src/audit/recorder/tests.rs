//! Facts that are handed in from many threads are written in the order of their times.

use std::collections::HashSet;
use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::*;
use crate::audit::folder;
use crate::model::leg::Leg;

#[derive(Debug)]
struct Wall;

impl Clock for Wall {
    fn unix_micros(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
    }
}

fn note(detail: u32) -> SessionEvent {
    SessionEvent::Note { leg: Leg::Client, what: "test".to_owned(), detail: Some(detail.to_string()) }
}

#[test]
fn records_are_numbered_without_gaps_in_the_order_of_their_times() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { max_file: 64 << 10, ..Config::within(folder.path()) };
    let (recorder, writing) = Recorder::start(config.clone(), Arc::new(Wall)).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let session = recorder.new_session();
                for number in 0..500 {
                    recorder.emit(session, Some(number), note(number));
                }
            });
        }
    });
    let written = writing.finish().unwrap();
    assert_eq!(written, Written { records: 2_000, lost: 0 });
    let mut records: Vec<Record> = Vec::new();
    for file in folder::files(&config.folder).unwrap() {
        let text = fs::read_to_string(file.path).unwrap();
        // The first line of a later file is the list of open sessions.
        records.extend(text.lines().filter_map(|line| serde_json::from_str(line).ok()));
    }
    assert!((1..).zip(&records).all(|(number, record)| record.sequence == number));
    assert!(records.windows(2).all(|pair| pair[0].time <= pair[1].time));
    assert_eq!(records.len(), 2_000);
    for session in records.iter().map(|record| record.session).collect::<HashSet<_>>() {
        let numbers = records.iter().filter(|record| record.session == session).map(|record| record.message);
        assert!(numbers.eq((0..500).map(Some)));
    }
}

#[test]
fn a_fact_is_on_the_disk_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::within(folder.path());
    let (recorder, writing) = Recorder::start(config.clone(), Arc::new(Wall)).unwrap();
    let file = folder::files(&config.folder).unwrap().pop().unwrap();
    let began = Instant::now();
    recorder.emit(recorder.new_session(), None, note(1));
    while fs::metadata(&file.path).unwrap().len() == 0 {
        assert!(began.elapsed() < Duration::from_secs(1));
        thread::yield_now();
    }
    drop(writing);
}

#[tokio::test]
async fn what_is_waited_for_is_written_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::within(folder.path());
    let (recorder, writing) = Recorder::start(config.clone(), Arc::new(Wall)).unwrap();
    let file = folder::files(&config.folder).unwrap().pop().unwrap();
    let began = Instant::now();
    for number in 1..=100 {
        recorder.emit(recorder.new_session(), None, note(number));
        recorder.settle().await;
        let text = fs::read_to_string(&file.path).unwrap();
        assert_eq!(text.lines().count(), number as usize);
    }
    // Far less than if each had been left to gather with others.
    assert!(began.elapsed() < Duration::from_millis(400), "{:?}", began.elapsed());
    // Nobody is waited for that is not there.
    writing.finish().unwrap();
    recorder.emit(recorder.new_session(), None, note(0));
    recorder.settle().await;
    let (recorder, _collected) = Recorder::collecting(Arc::new(Wall));
    recorder.emit(recorder.new_session(), None, note(0));
    recorder.settle().await;
}

#[test]
fn sessions_have_names_of_their_own_that_sort_by_time() {
    let (recorder, mut collected) = Recorder::collecting(Arc::new(Wall));
    let names: Vec<SessionId> = (0..1_000).map(|_| recorder.new_session()).collect();
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    let millis = |id: &SessionId| id.octets()[..6].to_vec();
    assert!(names.windows(2).all(|pair| millis(&pair[0]) <= millis(&pair[1])));
    recorder.emit(names[0], Some(1), note(7));
    let records = collected.take();
    assert_eq!((records.len(), records[0].message, records[0].sequence), (1, Some(1), 1));
    assert!(collected.take().is_empty());
}
