//! Every session has one account: also when the daemon is killed, across files, and when there is no room.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::audit::fixture::opened;
use crate::model::disposition::Disposition;

/// Moves on by a millisecond whenever somebody looks.
#[derive(Debug)]
struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn unix_micros(&self) -> u64 {
        self.0.fetch_add(1_000, Ordering::Relaxed)
    }
}

fn clock() -> Arc<dyn Clock> {
    static BEGAN: AtomicU64 = AtomicU64::new(1_800_000_000_000_000);
    // A later run begins later.
    Arc::new(TestClock(AtomicU64::new(BEGAN.fetch_add(1_000_000_000, Ordering::Relaxed))))
}

fn config(folder: &Path) -> Config {
    Config { folder: folder.join("records"), max_file: 8 << 10, keep: 1 << 30 }
}

fn account(disposition: Disposition) -> SessionEvent {
    SessionEvent::Account {
        disposition,
        delivered: 1,
        refused: 0,
        deferred: 0,
        quarantined: 0,
        client_octets: [1, 2],
        server_octets: [3, 4],
        millis: 5,
    }
}

fn replied() -> SessionEvent {
    SessionEvent::Replied { code: 250, text: "ok".to_owned(), from_next_hop: true, micros: 1 }
}

/// All records there are, in the order they stand in.
fn records(config: &Config) -> Vec<Record> {
    let files = folder::files(&config.folder).unwrap();
    let texts = files.iter().map(|file| fs::read(&file.path).unwrap());
    let lines =
        texts.flat_map(|text| text.split(|&octet| octet == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>());
    lines.filter_map(|line| serde_json::from_slice(&line).ok()).collect()
}

/// Accounts by session; panics when one has two.
fn accounts(records: &[Record]) -> HashMap<SessionId, Disposition> {
    let mut accounts = HashMap::new();
    for record in records {
        if let SessionEvent::Account { disposition, .. } = &record.event {
            let earlier = accounts.insert(record.session, disposition.clone());
            assert_eq!(earlier, None, "second account of {}", record.session);
        }
    }
    accounts
}

fn session(number: u8) -> SessionId {
    SessionId::new(1_800_000_000_000, [number; 10])
}

/// A run of the daemon. Dropping it is a kill: nothing is done that was not done before.
fn run(config: &Config) -> Writer {
    Writer::open(config.clone(), clock()).unwrap()
}

fn record(writer: &mut Writer, session: SessionId, event: SessionEvent) {
    writer.record(writer.clock.unix_micros(), session, None, event);
    writer.flush().unwrap();
}

#[test]
fn a_killed_daemon_leaves_sessions_that_the_next_accounts_for() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let mut first = run(&config);
    record(&mut first, session(1), opened());
    record(&mut first, session(2), opened());
    record(&mut first, session(2), replied());
    record(&mut first, session(1), account(Disposition::Inspected));
    drop(first);
    drop(run(&config));
    // A third run finds nothing to do.
    drop(run(&config));
    let records = records(&config);
    let accounts = accounts(&records);
    assert_eq!(accounts[&session(1)], Disposition::Inspected);
    assert_eq!(accounts[&session(2)], Disposition::Failed("daemon_ended".to_owned()));
    let last = records.last().unwrap();
    assert_eq!(last.sequence, 1, "each run counts from one");
    assert!(matches!(last.event, SessionEvent::Account { delivered: 1, .. }), "{last:?}");
}

#[test]
fn a_session_that_outlasts_its_file_is_accounted_for_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    // So little is kept that the file with the first record is gone by then.
    let config = Config { keep: 20 << 10, ..config(folder.path()) };
    let mut first = run(&config);
    record(&mut first, session(1), opened());
    for number in 2..=200 {
        record(&mut first, session(number), opened());
        record(&mut first, session(number), account(Disposition::Inspected));
    }
    drop(first);
    assert!(!records(&config).iter().any(|record| record.session == session(1)));
    drop(run(&config));
    let records = records(&config);
    assert_eq!(accounts(&records)[&session(1)], Disposition::Failed("daemon_ended".to_owned()));
    assert_eq!(records.iter().filter(|record| record.session == session(1)).count(), 1);
}

#[test]
fn files_are_bounded_one_by_one_and_together() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { keep: 40 << 10, ..config(folder.path()) };
    let mut writer = run(&config);
    for number in 0..=255 {
        record(&mut writer, session(number), opened());
        record(&mut writer, session(number), account(Disposition::Inspected));
    }
    let sizes: Vec<u64> = folder::files(&config.folder)
        .unwrap()
        .iter()
        .map(|file| fs::metadata(&file.path).unwrap().len())
        .collect();
    assert!(sizes.len() > 3, "{sizes:?}");
    assert!(sizes.iter().all(|octets| *octets < config.max_file + 1024), "{sizes:?}");
    assert!(sizes.iter().sum::<u64>() <= config.keep + config.max_file, "{sizes:?}");
    let sequences: Vec<u64> = records(&config).iter().map(|record| record.sequence).collect();
    assert!(sequences.windows(2).all(|pair| pair[1] == pair[0] + 1), "{sequences:?}");
    assert_eq!(sequences.last(), Some(&512));
}

#[test]
fn a_line_that_was_cut_off_anywhere_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let whole = config(folder.path());
    let mut writer = run(&whole);
    record(&mut writer, session(1), opened());
    let one = writer.length;
    record(&mut writer, session(2), opened());
    let two = writer.length;
    drop(writer);
    let path = folder::files(&whole.folder).unwrap().pop().unwrap().path;
    let octets = fs::read(&path).unwrap();
    for cut in (one + 1..two).step_by(7) {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        fs::create_dir(&config.folder).unwrap();
        let path = config.folder.join(path.file_name().unwrap());
        fs::write(&path, &octets[..cut as usize]).unwrap();
        drop(run(&config));
        let records = records(&config);
        assert_eq!(records.len(), 2, "cut at {cut}: {records:?}");
        assert_eq!(accounts(&records).len(), 1);
        assert_eq!(fs::read(path.with_extension("torn")).unwrap(), &octets[one as usize..cut as usize]);
    }
}

#[test]
fn lines_that_are_no_records_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let mut writer = run(&config);
    record(&mut writer, session(1), opened());
    drop(writer);
    let path = folder::files(&config.folder).unwrap().pop().unwrap().path;
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(b"\0\0\0\nnonsense\n{\"time\":1}\n\xff\n").unwrap();
    drop(run(&config));
    assert_eq!(accounts(&records(&config)).len(), 1);
}

#[test]
fn a_second_account_is_a_note() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let mut writer = run(&config);
    record(&mut writer, session(1), opened());
    record(&mut writer, session(1), account(Disposition::Inspected));
    record(&mut writer, session(1), account(Disposition::Refused("policy".to_owned())));
    let records = records(&config);
    assert_eq!(accounts(&records)[&session(1)], Disposition::Inspected);
    let SessionEvent::Note { what, detail, .. } = &records[2].event else { panic!("{:?}", records[2]) };
    assert_eq!((what.as_str(), detail.as_deref()), ("account_of_no_open_session", Some("refused (policy)")));
}

#[test]
fn two_daemons_do_not_write_into_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let _first = run(&config);
    let error = Writer::open(config.clone(), clock()).unwrap_err();
    assert!(matches!(error, RecordsError::InUse { .. }), "{error}");
}

/// Facts that may wait in the next test.
const ROOM: usize = 100;

#[test]
fn facts_without_room_are_counted_and_noted_but_accounts_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let writer = run(&config);
    let queue = Queue::with_room(ROOM);
    let put = |session, event| queue.put(|| 0, Fact { unix_micros: 0, session, message: None, event });
    assert!(put(session(1), opened()));
    for _ in 1..ROOM {
        assert!(put(session(1), replied()));
    }
    assert!(!put(session(1), replied()));
    assert!(!put(session(1), replied()));
    assert!(put(session(2), opened()));
    assert!(put(session(2), account(Disposition::Inspected)));
    assert!(put(session(1), account(Disposition::Inspected)));
    for number in 3..ROOM {
        let _ = (number, put(session(3), opened()));
    }
    assert!(!put(session(4), opened()), "the reserve has an end, too");
    queue.close();
    let written = SharedWriter::new(writer).run(&queue).unwrap();
    assert_eq!(written.lost, 3);
    let records = records(&config);
    assert_eq!(accounts(&records).len(), 3);
    let note = |record: &&Record| matches!(&record.event, SessionEvent::Note { what, .. } if what == LOST);
    let noted: Vec<SessionId> = records.iter().filter(note).map(|record| record.session).collect();
    assert!(noted.contains(&session(1)) && noted.contains(&session(4)), "{noted:?}");
}

#[test]
fn an_orderly_end_accounts_for_what_is_still_open() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let writer = run(&config);
    let queue = Queue::default();
    queue.put(|| 0, Fact { unix_micros: 0, session: session(1), message: None, event: opened() });
    queue.close();
    assert!(!queue.put(|| 0, Fact { unix_micros: 0, session: session(1), message: None, event: replied() }));
    SharedWriter::new(writer).run(&queue).unwrap();
    assert_eq!(accounts(&records(&config))[&session(1)], Disposition::Failed("daemon_stopped".to_owned()));
}

#[test]
fn who_has_to_know_writes_without_the_thread_unless_the_disk_is_slow() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let shared = SharedWriter::new(run(&config));
    let queue = Queue::default();
    let put = |event| queue.put(|| 0, Fact { unix_micros: 0, session: session(1), message: None, event });
    assert!(put(opened()) && put(replied()));
    assert!(!queue.has_written(2));
    shared.write_now(&queue);
    assert!(queue.has_written(2));
    assert_eq!(records(&config).len(), 2);

    shared.lock().as_mut().unwrap().slow_until = Some(Instant::now() + SLOW_FOR);
    assert!(put(account(Disposition::Inspected)));
    shared.write_now(&queue);
    assert!(!queue.has_written(3), "a slow disk is for the thread");
    let held = shared.lock();
    shared.write_now(&queue);
    drop(held);
    assert!(!queue.has_written(3), "somebody else is at it");
    queue.close();
    assert_eq!(shared.run(&queue).unwrap().records, 3);
    assert_eq!(accounts(&records(&config)).len(), 1);
}
