//! The process is killed before and after every call of commit, update and removal, and every such call fails once.

use std::io::ErrorKind;

use super::memory_disk::{Fault, MemoryDisk};
use super::rig::{TOGETHER, apart, commit, disk, finish, id, message, open_with, whole};
use crate::spool::error::SpoolError;
use crate::spool::place::{Place, Places};
use crate::spool::store::Spool;

/// What is done to a spool that has message 1 in it already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sequence {
    Commit {
        recipients: usize,
    },
    Update,
    Move,
    Remove,
    /// That it is gone is all that is written down.
    Finish,
}

const SEQUENCES: [Sequence; 6] = [
    Sequence::Commit { recipients: 1 },
    Sequence::Commit { recipients: 50 },
    Sequence::Update,
    Sequence::Move,
    Sequence::Remove,
    Sequence::Finish,
];

/// Each of them, in one file for a message and in two.
fn in_each_way() -> impl Iterator<Item = (Sequence, u64)> {
    SEQUENCES.into_iter().flat_map(|sequence| TOGETHER.map(|together| (sequence, together)))
}

async fn carry_out(spool: &Spool, sequence: Sequence) -> Result<(), SpoolError> {
    let mut first = message(1, 2);
    match sequence {
        Sequence::Commit { recipients } => commit(spool, 2, recipients).await,
        Sequence::Update => {
            first.attempts = 9;
            spool.update(&mut first, Place::Active).await
        }
        Sequence::Move => {
            first.attempts = 9;
            spool.update(&mut first, Place::Deferred).await
        }
        Sequence::Remove => {
            finish(&mut first);
            spool.update(&mut first, Place::Active).await?;
            spool.remove(first.id).await
        }
        Sequence::Finish => spool.remove(first.id).await,
    }
}

async fn with_one(together: u64) -> MemoryDisk {
    let disk = disk();
    let (spool, _) = open_with(&disk, together).unwrap();
    commit(&spool, 1, 2).await.unwrap();
    disk
}

/// Looks at what is left, with a process that has just been started.
fn check(disk: &MemoryDisk, together: u64, sequence: Sequence, outcome: Result<(), &SpoolError>, what: &str) {
    let (spool, recovered) = open_with(disk, together).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(recovered.damaged.is_empty() && recovered.foreign.is_empty(), "{what}: {recovered:?}");
    let numbers = whole(&spool, &recovered);
    let attempts = |number: u32| {
        let found = recovered.messages.iter().find(|(_, message)| message.id == id(number));
        found.map(|(place, message)| (*place, message.attempts))
    };
    match sequence {
        Sequence::Commit { .. } => {
            assert!(numbers.contains(&1), "{what}: the neighbour is gone");
            assert!(outcome.is_err() || numbers.contains(&2), "{what}: it was promised and is gone");
        }
        Sequence::Update | Sequence::Move => {
            let to = if sequence == Sequence::Move { Place::Deferred } else { Place::Active };
            let found = attempts(1).unwrap_or_else(|| panic!("{what}: it is gone"));
            let new = found == (to, 9);
            assert!(new || (outcome.is_err() && found == (Place::Active, 0)), "{what}: {found:?}");
        }
        Sequence::Remove | Sequence::Finish => {
            assert!(outcome.is_err() || numbers.is_empty(), "{what}: it is back");
        }
    }
    // Nothing is left over beside what there is.
    let places = Places::new(std::path::Path::new(super::rig::ROOT));
    assert_eq!(disk.names(&places.incoming()), Vec::<String>::new(), "{what}");
    assert_eq!(disk.names(&places.bodies()).len(), apart(&numbers, together), "{what}");
    let controls: usize = Place::ALL.iter().map(|place| disk.names(&places.folder(*place)).len()).sum();
    assert_eq!(controls, numbers.len(), "{what}");
}

#[tokio::test]
async fn a_kill_at_any_call_loses_nothing_that_was_promised() {
    let mut points = 0;
    for (sequence, together) in in_each_way() {
        let disk = with_one(together).await;
        let (spool, _) = open_with(&disk, together).unwrap();
        disk.arm(None);
        carry_out(&spool, sequence).await.unwrap();
        let calls = disk.calls();
        for (number, call) in calls.iter().enumerate() {
            for fault in [Fault::KillBefore, Fault::KillAfter] {
                let disk = with_one(together).await;
                let (spool, _) = open_with(&disk, together).unwrap();
                disk.arm(Some((number, fault)));
                let outcome = carry_out(&spool, sequence).await;
                let what = format!("{sequence:?}, {together}, call {number} ({call}), {fault:?}");
                let after_power_loss = disk.copy();
                disk.restart();
                check(&disk, together, sequence, outcome.as_ref().copied(), &what);
                after_power_loss.lose_power();
                let outcome = outcome.as_ref().copied();
                check(&after_power_loss, together, sequence, outcome, &format!("{what}, no power"));
                points += 1;
            }
        }
    }
    eprintln!("{points} points");
    assert!(points > 150, "{points}");
}

#[tokio::test]
async fn an_error_at_any_call_promises_nothing_that_is_not_so() {
    let mut points = 0;
    for (sequence, together) in in_each_way() {
        let disk = with_one(together).await;
        let (spool, _) = open_with(&disk, together).unwrap();
        disk.arm(None);
        carry_out(&spool, sequence).await.unwrap();
        for (number, call) in disk.calls().iter().enumerate() {
            for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
                let disk = with_one(together).await;
                let (spool, _) = open_with(&disk, together).unwrap();
                disk.arm(Some((number, Fault::Error(kind))));
                let outcome = carry_out(&spool, sequence).await;
                let what = format!("{sequence:?}, {together}, call {number} ({call}), {kind:?}");
                if call.starts_with("sync") {
                    assert!(outcome.is_err(), "{what}: said that it was done");
                    assert_eq!(spool.intake().is_read_only(), kind == ErrorKind::Other, "{what}");
                }
                drop(spool);
                disk.restart();
                disk.lose_power();
                check(&disk, together, sequence, outcome.as_ref().copied(), &what);
                points += 1;
            }
        }
    }
    eprintln!("{points} points");
    assert!(points > 150, "{points}");
}

#[tokio::test]
async fn a_disk_that_failed_is_used_again_when_it_works() {
    let together = 0;
    let disk = with_one(together).await;
    let (spool, _) = open_with(&disk, together).unwrap();
    disk.arm(Some((4, Fault::Error(ErrorKind::Other))));
    assert!(commit(&spool, 2, 1).await.is_err());
    assert!(matches!(spool.intake().has_room(None), Err(SpoolError::ReadOnly)));
    assert!(matches!(spool.intake().begin(id(3)), Err(SpoolError::ReadOnly)));
    spool.intake().probe().unwrap();
    spool.intake().has_room(None).unwrap();
    commit(&spool, 2, 1).await.unwrap();
    assert_eq!(spool.count(), 2);
}
