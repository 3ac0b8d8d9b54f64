//! Records are found from a moment on, over files, and while they are written.

use std::fs::{self, OpenOptions};
use std::io::Write as _;

use super::*;

/// A record at a second, of a session named after it.
fn line(second: u32) -> String {
    let time = timestamp::format(1_800_000_000_000_000 + u64::from(second) * 1_000_000);
    let session = format!("0193a5e8-7c1d-7b3a-9f42-3d5c{second:08x}");
    format!(
        "{{\"time\":\"{time}\",\"sequence\":{second},\"session\":\"{session}\",\"message\":1,\
         \"event\":\"note\",\"leg\":\"client-leg\",\"what\":\"{}\"}}\n",
        "x".repeat(100)
    )
}

fn name(second: u32) -> String {
    format!("{}.jsonl", timestamp::format(1_800_000_000_000_000 + u64::from(second) * 1_000_000))
}

fn sequences(reader: &mut Reader) -> Vec<u64> {
    let mut sequences = Vec::new();
    while let Some(raw) = reader.next_record().unwrap() {
        sequences.push(raw.parse().unwrap().sequence);
    }
    sequences
}

fn micros(second: u32) -> u64 {
    1_800_000_000_000_000 + u64::from(second) * 1_000_000
}

#[test]
fn a_line_is_taken_apart_without_reading_all_of_it() {
    let line = line(7);
    let raw = RawRecord::new(line.trim_end()).unwrap();
    assert_eq!(raw.time(), "2027-01-15T08:00:07.000000Z");
    assert_eq!(raw.session(), "0193a5e8-7c1d-7b3a-9f42-3d5c00000007");
    assert_eq!(raw.event(), "note");
    let record = raw.parse().unwrap();
    assert_eq!((record.sequence, record.message), (7, Some(1)));
    // The places are those at which records are written.
    let written = serde_json::to_string(&record).unwrap();
    assert_eq!(RawRecord::new(&written).unwrap().event(), "note");
    for text in ["", "{}", "{\"time\":\"é", "{\"time\":\"2027-01-15T08:00:07.000000Z\",\"open\":{}}"] {
        assert!(RawRecord::new(text).is_none(), "{text}");
    }
}

#[test]
fn records_are_read_from_a_moment_on_over_files() {
    let folder = tempfile::tempdir().unwrap();
    for file in 0..3 {
        let list = format!("{{\"time\":\"{}\",\"open\":{{}}}}\n", timestamp::format(micros(file * 5_000)));
        let lines: String = (file * 5_000..(file + 1) * 5_000).map(line).collect();
        fs::write(folder.path().join(name(file * 5_000)), list + &lines).unwrap();
    }
    for from in [0, 1, 2_499, 4_999, 5_000, 5_001, 9_000, 14_999] {
        let mut reader = Reader::open(folder.path(), micros(from)).unwrap();
        assert!(sequences(&mut reader).into_iter().eq(u64::from(from)..15_000), "from {from}");
        assert_eq!(reader.unreadable(), 0);
    }
    assert_eq!(sequences(&mut Reader::open(folder.path(), 0).unwrap()).len(), 15_000);
    assert!(sequences(&mut Reader::open(folder.path(), micros(20_000)).unwrap()).is_empty());
}

#[test]
fn a_reader_goes_on_where_it_ended_also_in_the_next_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name(0));
    fs::write(&path, line(1)).unwrap();
    let mut reader = Reader::open(folder.path(), 0).unwrap();
    assert_eq!(sequences(&mut reader), [1]);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    let second = line(2);
    let (half, rest) = second.split_at(50);
    file.write_all(half.as_bytes()).unwrap();
    assert!(sequences(&mut reader).is_empty(), "half a line is none");
    file.write_all(rest.as_bytes()).unwrap();
    file.write_all(line(3).as_bytes()).unwrap();
    fs::write(folder.path().join(name(4)), line(4)).unwrap();
    assert_eq!(sequences(&mut reader), [2, 3, 4]);
    fs::write(folder.path().join(name(5)), line(5)).unwrap();
    fs::write(folder.path().join("notes.txt"), "other").unwrap();
    assert_eq!(sequences(&mut reader), [5]);
}

#[test]
fn other_lines_are_counted_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut octets = line(1).into_bytes();
    octets.extend_from_slice(b"nonsense\n\xff\xfe\n\n");
    octets.extend_from_slice(line(2).as_bytes());
    octets.extend_from_slice(b"half a li");
    fs::write(folder.path().join(name(0)), octets).unwrap();
    let mut reader = Reader::open(folder.path(), 0).unwrap();
    assert_eq!(sequences(&mut reader), [1, 2]);
    assert_eq!(reader.unreadable(), 3);
}

#[test]
fn without_a_folder_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let error = Reader::open(&folder.path().join("records"), 0).unwrap_err();
    assert!(error.to_string().starts_with("there is no folder of records "), "{error}");
}
