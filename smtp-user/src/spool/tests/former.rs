//! What is left in a folder that was the spool's before is moved, and nothing is lost whenever that ends.

use std::path::{Path, PathBuf};

use super::memory_disk::{Fault, MemoryDisk};
use super::rig::{ROOT, TOGETHER, commit, disk, id, message, octets, open, open_with, whole};
use crate::spool::former::{Moved, change, list_on, move_found};
use crate::spool::place::{Place, Places};

/// Messages, and where they stand: one that waits, one that was tried, one that nobody is to get.
const MESSAGES: [(u32, Place); 3] = [(1, Place::Active), (40, Place::Deferred), (3, Place::Quarantine)];

async fn former(together: u64) -> MemoryDisk {
    let disk = disk();
    let (spool, _) = open_with(&disk, together).unwrap();
    for (number, place) in MESSAGES {
        commit(&spool, number, 2).await.unwrap();
        if place != Place::Active {
            let mut moved = message(number, 2);
            moved.attempts = number;
            spool.update(&mut moved, place).await.unwrap();
        }
    }
    disk
}

/// Moves everything from one disk to the other, as far as that goes.
async fn move_all(from: &MemoryDisk, to: &MemoryDisk, together: u64) -> Option<Moved> {
    let (from, found) = open_with(from, together).ok()?;
    let (to, _) = open_with(to, together).ok()?;
    move_found(&from, found.messages, found.damaged.len() as u64, &to).await.ok()
}

/// Each of them is in the new folder as it was in the old one, where nothing is left.
fn check(from: &MemoryDisk, to: &MemoryDisk, together: u64, what: &str) {
    let (from, found) = open_with(from, together).unwrap();
    assert_eq!(whole(&from, &found), Vec::<u32>::new(), "{what}");
    let (to, found) = open_with(to, together).unwrap();
    assert_eq!(whole(&to, &found).len(), MESSAGES.len(), "{what}");
    for (number, place) in MESSAGES {
        let (at, message) = to.load(id(number)).unwrap();
        let attempts = if place == Place::Active { 0 } else { number };
        assert_eq!((at, message.attempts), (place, attempts), "{what}");
    }
}

#[tokio::test]
async fn each_message_is_moved_to_where_it_stood() {
    for together in TOGETHER {
        let (from, to) = (former(together).await, disk());
        let moved = move_all(&from, &to, together).await.unwrap();
        assert_eq!(moved, Moved { messages: 3, damaged: 0 });
        check(&from, &to, together, "");
        assert_eq!(move_all(&from, &to, together).await, Some(Moved::default()));
    }
}

#[tokio::test]
async fn the_limit_of_the_spool_keeps_nothing_from_being_moved() {
    let (from, to) = (former(0).await, disk());
    let (from, found) = open(&from).unwrap();
    let (spool, _) = open(&to).unwrap();
    spool.intake().set_limit(Some(1));
    move_found(&from, found.messages, 0, &spool).await.unwrap();
    // Those in quarantine do not count.
    assert_eq!(spool.count(), 2);
}

#[tokio::test]
async fn a_kill_at_any_call_leaves_each_message_in_one_of_the_folders() {
    let mut points = 0;
    for together in TOGETHER {
        let source = former(together).await;
        for is_source in [true, false] {
            let (from, to) = (source.copy(), disk());
            // What opening them does is not counted.
            let (spool, found) = open_with(&from, together).unwrap();
            let (target, _) = open_with(&to, together).unwrap();
            for disk in [&from, &to] {
                disk.arm(None);
            }
            move_found(&spool, found.messages, 0, &target).await.unwrap();
            let calls = if is_source { from.calls() } else { to.calls() };
            for (number, call) in calls.iter().enumerate() {
                for fault in [Fault::KillBefore, Fault::KillAfter] {
                    let what = format!("{together}, {is_source}, call {number} ({call}), {fault:?}");
                    let (from, to) = (source.copy(), disk());
                    let (spool, found) = open_with(&from, together).unwrap();
                    let (target, _) = open_with(&to, together).unwrap();
                    if is_source { &from } else { &to }.arm(Some((number, fault)));
                    let _ = move_found(&spool, found.messages, 0, &target).await;
                    drop((spool, target));
                    for disk in [&from, &to] {
                        disk.restart();
                        disk.lose_power();
                    }
                    move_all(&from, &to, together).await.unwrap_or_else(|| panic!("{what}"));
                    check(&from, &to, together, &what);
                    points += 1;
                }
            }
        }
    }
    eprintln!("{points} points");
    assert!(points > 100, "{points}");
}

#[tokio::test]
async fn a_damaged_message_stays_in_the_corrupt_folder_of_the_old_one() {
    let (from, to) = (former(0).await, disk());
    let body = Places::new(Path::new(ROOT)).body(id(40));
    from.damage(&body, |octets| octets[3] ^= 1);
    let moved = move_all(&from, &to, 0).await.unwrap();
    assert_eq!(moved, Moved { messages: 2, damaged: 1 });
    assert!(!from.names(&Places::new(Path::new(ROOT)).corrupt()).is_empty());
    assert_eq!(octets(40).len() as u64, message(40, 2).octets);
}

#[test]
fn which_folders_there_were_outlasts_a_kill_at_any_call() {
    let (one, two) = (PathBuf::from("/one"), PathBuf::from("/two"));
    let places = Places::new(Path::new(ROOT));
    let steps: [(&[&PathBuf], &[&PathBuf]); 3] = [(&[], &[&one]), (&[&one], &[&one, &two]), (&[&two], &[])];
    for (before, after) in steps {
        let disk = disk();
        let set = |disk: &MemoryDisk, to: &[&PathBuf]| {
            change(disk, &places, |all| *all = to.iter().map(|path| (*path).clone()).collect())
        };
        set(&disk, before).unwrap();
        disk.arm(None);
        let trial = disk.copy();
        set(&trial, after).unwrap();
        let calls = trial.calls();
        assert!(!calls.is_empty());
        for number in 0..calls.len() {
            for fault in [Fault::KillBefore, Fault::KillAfter] {
                let disk = disk.copy();
                disk.arm(Some((number, fault)));
                let _ = set(&disk, after);
                disk.restart();
                disk.lose_power();
                let found = list_on(&disk, &places).unwrap();
                let found: Vec<&PathBuf> = found.iter().collect();
                assert!(found == before || found == after, "{number}, {fault:?}: {found:?}");
                set(&disk, after).unwrap();
                assert_eq!(list_on(&disk, &places).unwrap().iter().collect::<Vec<_>>(), after);
            }
        }
    }
}
