//! The process is killed before and after every call of commit, update and removal, and every such call fails once.

use std::io::ErrorKind;

use super::memory_disk::{Fault, MemoryDisk};
use super::rig::{LARGE, TOGETHER, apart, commit, disk, finish, id, message, open_with, whole};
use crate::spool::error::SpoolError;
use crate::spool::place::{Place, Places};
use crate::spool::store::Spool;

/// What is done to a message, in a spool that has message 1 in it already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sequence {
    Commit,
    Update,
    Move,
    Remove,
    /// That it is gone is all that is written down.
    Finish,
}

const SEQUENCES: [Sequence; 5] =
    [Sequence::Commit, Sequence::Update, Sequence::Move, Sequence::Remove, Sequence::Finish];

/// What it is done to.
#[derive(Clone, Copy, Debug)]
struct Subject {
    number: u32,
    recipients: usize,
    /// Octets up to which messages stand in one file.
    together: u64,
}

/// Messages to one and to many recipients, in one file and in two, and a large one.
fn subjects() -> impl Iterator<Item = Subject> {
    let small = |recipients| TOGETHER.map(|together| Subject { number: 2, recipients, together });
    let large = Subject { number: LARGE, recipients: 1, together: 26 };
    small(1).into_iter().chain(small(50)).chain([large])
}

/// Each with each.
fn in_each_way() -> impl Iterator<Item = (Sequence, Subject)> {
    SEQUENCES.into_iter().flat_map(|sequence| subjects().map(move |subject| (sequence, subject)))
}

async fn carry_out(spool: &Spool, sequence: Sequence, subject: Subject) -> Result<(), SpoolError> {
    let mut it = message(subject.number, subject.recipients);
    match sequence {
        Sequence::Commit => commit(spool, subject.number, subject.recipients).await,
        Sequence::Update => {
            it.attempts = 9;
            spool.update(&mut it, Place::Active).await
        }
        Sequence::Move => {
            it.attempts = 9;
            spool.update(&mut it, Place::Deferred).await
        }
        Sequence::Remove => {
            finish(&mut it);
            spool.update(&mut it, Place::Active).await?;
            spool.remove(it.id).await
        }
        Sequence::Finish => spool.remove(it.id).await,
    }
}

/// What there is before.
async fn before(sequence: Sequence, subject: Subject) -> MemoryDisk {
    let disk = disk();
    let (spool, _) = open_with(&disk, subject.together).unwrap();
    commit(&spool, 1, 2).await.unwrap();
    if sequence != Sequence::Commit {
        commit(&spool, subject.number, subject.recipients).await.unwrap();
    }
    disk
}

/// The calls that it takes.
async fn calls(before: &MemoryDisk, sequence: Sequence, subject: Subject) -> Vec<String> {
    let disk = before.copy();
    let (spool, _) = open_with(&disk, subject.together).unwrap();
    disk.arm(None);
    carry_out(&spool, sequence, subject).await.unwrap();
    disk.calls()
}

/// Looks at what is left, with a process that has just been started.
fn check(
    disk: &MemoryDisk,
    sequence: Sequence,
    subject: Subject,
    outcome: Result<(), &SpoolError>,
    what: &str,
) {
    let Subject { number, together, .. } = subject;
    let (spool, recovered) = open_with(disk, together).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(recovered.damaged.is_empty() && recovered.foreign.is_empty(), "{what}: {recovered:?}");
    let numbers = whole(&spool, &recovered);
    assert!(numbers.contains(&1), "{what}: the neighbour is gone");
    match sequence {
        Sequence::Commit => {
            assert!(outcome.is_err() || numbers.contains(&number), "{what}: it was promised and is gone");
        }
        Sequence::Update | Sequence::Move => {
            let to = if sequence == Sequence::Move { Place::Deferred } else { Place::Active };
            let found = recovered.messages.iter().find(|(_, message)| message.id == id(number));
            let found = found.map(|(place, message)| (*place, message.attempts));
            let found = found.unwrap_or_else(|| panic!("{what}: it is gone"));
            let new = found == (to, 9);
            assert!(new || (outcome.is_err() && found == (Place::Active, 0)), "{what}: {found:?}");
        }
        Sequence::Remove | Sequence::Finish => {
            assert!(outcome.is_err() || !numbers.contains(&number), "{what}: it is back");
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
    for (sequence, subject) in in_each_way() {
        let before = before(sequence, subject).await;
        for (number, call) in calls(&before, sequence, subject).await.iter().enumerate() {
            for fault in [Fault::KillBefore, Fault::KillAfter] {
                let disk = before.copy();
                let (spool, _) = open_with(&disk, subject.together).unwrap();
                disk.arm(Some((number, fault)));
                let outcome = carry_out(&spool, sequence, subject).await;
                let what = format!("{sequence:?}, {subject:?}, call {number} ({call}), {fault:?}");
                let after_power_loss = disk.copy();
                disk.restart();
                check(&disk, sequence, subject, outcome.as_ref().copied(), &what);
                after_power_loss.lose_power();
                let outcome = outcome.as_ref().copied();
                check(&after_power_loss, sequence, subject, outcome, &format!("{what}, no power"));
                points += 1;
            }
        }
    }
    eprintln!("{points} points");
    assert!(points > 400, "{points}");
}

#[tokio::test]
async fn an_error_at_any_call_promises_nothing_that_is_not_so() {
    let mut points = 0;
    for (sequence, subject) in in_each_way() {
        let before = before(sequence, subject).await;
        for (number, call) in calls(&before, sequence, subject).await.iter().enumerate() {
            for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
                let disk = before.copy();
                let (spool, _) = open_with(&disk, subject.together).unwrap();
                disk.arm(Some((number, Fault::Error(kind))));
                let outcome = carry_out(&spool, sequence, subject).await;
                let what = format!("{sequence:?}, {subject:?}, call {number} ({call}), {kind:?}");
                if call.starts_with("sync") {
                    assert!(outcome.is_err(), "{what}: said that it was done");
                    assert_eq!(spool.intake().is_read_only(), kind == ErrorKind::Other, "{what}");
                }
                drop(spool);
                disk.restart();
                disk.lose_power();
                check(&disk, sequence, subject, outcome.as_ref().copied(), &what);
                points += 1;
            }
        }
    }
    eprintln!("{points} points");
    assert!(points > 400, "{points}");
}

/// Does again what failed, as whoever works on messages does.
async fn carry_out_again(spool: &Spool, sequence: Sequence, subject: Subject) -> Result<(), SpoolError> {
    match carry_out(spool, sequence, subject).await {
        // The first half was done before.
        Err(SpoolError::Stale { id }) => spool.remove(id).await,
        again => again,
    }
}

/// A removal whose folder could not be synced found no file the second time. It failed for ever: the spool took no mail, and
/// the message was never done with.
#[tokio::test]
async fn what_failed_once_at_any_call_is_done_when_it_is_tried_again() {
    let mut failed = 0;
    for (sequence, subject) in in_each_way() {
        let before = before(sequence, subject).await;
        for (number, call) in calls(&before, sequence, subject).await.iter().enumerate() {
            for fault in [Fault::Error(ErrorKind::Other), Fault::NoDescriptors] {
                let disk = before.copy();
                let (spool, _) = open_with(&disk, subject.together).unwrap();
                disk.arm(Some((number, fault)));
                if carry_out(&spool, sequence, subject).await.is_ok() {
                    continue;
                }
                let what = format!("{sequence:?}, {subject:?}, call {number} ({call}), {fault:?}");
                if spool.intake().is_read_only() {
                    spool.intake().probe().unwrap();
                }
                carry_out_again(&spool, sequence, subject)
                    .await
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(!spool.intake().is_read_only(), "{what}");
                drop(spool);
                disk.restart();
                check(&disk, sequence, subject, Ok(()), &what);
                disk.lose_power();
                check(&disk, sequence, subject, Ok(()), &format!("{what}, no power"));
                failed += 1;
            }
        }
    }
    eprintln!("{failed} failed once");
    assert!(failed > 200, "{failed}");
}

/// The newer control file stayed where it had been moved to. The message was back after it had been removed.
#[tokio::test]
async fn a_message_that_could_not_be_moved_is_gone_when_it_is_removed() {
    let mut failed = 0;
    for subject in subjects() {
        let before = before(Sequence::Move, subject).await;
        for (number, call) in calls(&before, Sequence::Move, subject).await.iter().enumerate() {
            let disk = before.copy();
            let (spool, _) = open_with(&disk, subject.together).unwrap();
            disk.arm(Some((number, Fault::NoDescriptors)));
            if carry_out(&spool, Sequence::Move, subject).await.is_ok() {
                continue;
            }
            spool.remove(id(subject.number)).await.unwrap();
            drop(spool);
            disk.restart();
            check(&disk, Sequence::Finish, subject, Ok(()), &format!("{subject:?}, call {number} ({call})"));
            failed += 1;
        }
    }
    assert!(failed > 10, "{failed}");
}

#[tokio::test]
async fn a_disk_that_failed_is_used_again_when_it_works() {
    let disk = disk();
    let (spool, _) = open_with(&disk, 0).unwrap();
    commit(&spool, 1, 2).await.unwrap();
    disk.arm(Some((4, Fault::Error(ErrorKind::Other))));
    assert!(commit(&spool, 2, 1).await.is_err());
    assert!(matches!(spool.intake().has_room(None), Err(SpoolError::ReadOnly)));
    assert!(matches!(spool.intake().begin(id(3)), Err(SpoolError::ReadOnly)));
    spool.intake().probe().unwrap();
    spool.intake().has_room(None).unwrap();
    commit(&spool, 2, 1).await.unwrap();
    assert_eq!(spool.count(), 2);
}

#[tokio::test]
async fn without_descriptors_nothing_is_promised_and_the_disk_is_not_blamed() {
    for (sequence, subject) in in_each_way() {
        let before = before(sequence, subject).await;
        let opens = |call: &String| !call.starts_with("sync file") && !call.starts_with("write");
        let calls = calls(&before, sequence, subject).await;
        for (number, call) in calls.iter().enumerate().filter(|(_, call)| opens(call)) {
            let disk = before.copy();
            let (spool, _) = open_with(&disk, subject.together).unwrap();
            disk.arm(Some((number, Fault::NoDescriptors)));
            let outcome = carry_out(&spool, sequence, subject).await;
            let what = format!("{sequence:?}, {subject:?}, call {number} ({call})");
            assert!(!spool.intake().is_read_only(), "{what}");
            drop(spool);
            disk.restart();
            check(&disk, sequence, subject, outcome.as_ref().copied(), &what);
        }
    }
}

/// A message that cannot be opened for that reason alone was put into `corrupt`, where nobody delivers it.
#[tokio::test]
async fn a_start_without_descriptors_takes_no_sound_message_for_damaged() {
    for together in TOGETHER {
        let mut failed = 0;
        for readable in 0.. {
            let disk = disk();
            let (spool, _) = open_with(&disk, together).unwrap();
            commit(&spool, 1, 2).await.unwrap();
            drop(spool);
            disk.set_readable(Some(readable));
            let opened = open_with(&disk, together);
            let is_done = opened.is_ok();
            if let Ok((_, recovered)) = opened {
                assert!(recovered.damaged.is_empty(), "{together}, {readable}: {recovered:?}");
            }
            disk.set_readable(None);
            let (spool, recovered) = open_with(&disk, together).unwrap();
            assert!(recovered.damaged.is_empty(), "{together}, {readable}: {recovered:?}");
            assert_eq!(whole(&spool, &recovered), [1], "{together}, {readable}");
            if is_done {
                break;
            }
            failed += 1;
        }
        assert!(failed > 3, "{failed}");
    }
}
