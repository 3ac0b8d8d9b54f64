//! Messages that were taken in at the same time share a file: each is there, whole, until it is finished, whatever
//! happens to the processes, the power and the file.

use std::path::Path;
use std::sync::Arc;

use super::chance::Chance;
use super::memory_disk::{Fault, MemoryDisk, Omitted};
use super::rig::{ROOT, config_with, disk, finish, id, message, octets, open_with, whole};
use crate::spool::batch::{self, Content, Task};
use crate::spool::bundle;
use crate::spool::control;
use crate::spool::error::{Result, SpoolError};
use crate::spool::file_system::FileSystem as _;
use crate::spool::intake::Intake;
use crate::spool::news::TakenIn;
use crate::spool::place::{Place, Places, Side};
use crate::spool::recovery::Recovered;
use crate::spool::store::Spool;
use crate::spool::syncers::Syncers;

const LARGE: u64 = 1000;

fn places() -> Places {
    Places::new(Path::new(ROOT))
}

fn receiver(disk: &MemoryDisk) -> Result<Intake> {
    Intake::open_with(&config_with(LARGE), Arc::new(disk.clone()), None)
}

/// Both sides one after the other, as the daemon opens them.
fn open(disk: &MemoryDisk) -> Result<(Spool, Recovered)> {
    receiver(disk)?;
    open_with(disk, LARGE)
}

/// With folders, and nothing in them.
fn ready() -> MemoryDisk {
    let disk = disk();
    drop(open(&disk).unwrap());
    disk
}

/// Takes messages in at the same time, as a receiver's thread does that finds several waiting.
fn take(disk: &MemoryDisk, numbers: &[u32]) -> Vec<Result<TakenIn>> {
    let file = |number: u32| Arc::new(control::encode_with(&message(number, 1), &octets(number)).unwrap());
    let tasks = numbers.iter().map(|number| Task::Commit {
        content: Content::Together(file(*number)),
        message: Box::new(message(*number, 1)),
        to: Place::Active,
        may_share: true,
    });
    let syncers = Syncers::default();
    let outcomes = batch::run(disk, &syncers, &places(), Side::Receiver, &mut 0, tasks.collect());
    let told = |(number, outcome): (&u32, batch::Outcome)| {
        outcome.map(|slot| TakenIn { id: id(*number), file: Some(file(*number)), slot })
    };
    numbers.iter().zip(outcomes).map(told).collect()
}

fn three() -> MemoryDisk {
    let disk = ready();
    assert!(take(&disk, &[1, 2, 3]).iter().all(Result::is_ok));
    disk
}

fn files(disk: &MemoryDisk) -> [usize; 3] {
    [places().bundles(), places().folder(Place::Active), places().folder(Place::Deferred)]
        .map(|folder| disk.names(&folder).len())
}

#[tokio::test]
async fn each_message_of_a_shared_file_goes_its_own_way() {
    let disk = three();
    assert_eq!(files(&disk), [1, 0, 0]);
    let (spool, recovered) = open(&disk).unwrap();
    assert_eq!(whole(&spool, &recovered), [1, 2, 3]);
    spool.remove(id(1)).await.unwrap();
    let (_, mut two) = spool.load(id(2)).unwrap();
    two.attempts = 1;
    spool.update(&mut two, Place::Deferred).await.unwrap();
    assert!(matches!(spool.load(id(1)), Err(SpoolError::NotFound { .. })));
    assert_eq!(spool.load(id(2)).unwrap(), (Place::Deferred, two.clone()));
    assert_eq!((files(&disk), spool.count()), ([1, 0, 1], 2));

    let (spool, recovered) = open(&disk).unwrap();
    assert_eq!((whole(&spool, &recovered), recovered.removed), (vec![2, 3], 0));
    spool.remove(id(3)).await.unwrap();
    assert_eq!(files(&disk), [0, 0, 1], "nobody needs the shared file any more");
    spool.remove(id(2)).await.unwrap();
    let (_, recovered) = open(&disk).unwrap();
    assert!(recovered.messages.is_empty() && recovered.removed == 0, "{recovered:?}");
}

#[tokio::test]
async fn whoever_comes_alone_has_a_file_of_its_own() {
    let disk = ready();
    assert!(take(&disk, &[1])[0].as_ref().unwrap().slot.is_none());
    assert_eq!(files(&disk), [0, 1, 0]);
}

#[tokio::test]
async fn many_that_come_at_once_are_all_there_for_the_next_dequeuer() {
    let disk = ready();
    let intake = receiver(&disk).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=300 {
        let intake = intake.clone();
        tasks.spawn(async move {
            let mut incoming = intake.begin_new(id(number))?;
            incoming.write(&octets(number))?;
            intake.commit(incoming, message(number, 1), Place::Active).await
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    let [bundles, alone, _] = files(&disk);
    assert!(bundles > 0 && bundles + alone < 300, "{bundles} shared files, {alone} others");
    let told = intake.taken_in().await;
    assert_eq!(told.iter().filter(|told| told.slot.is_none()).count(), alone);
    drop(intake);
    let (spool, recovered) = open(&disk).unwrap();
    assert_eq!(whole(&spool, &recovered), (1..=300).collect::<Vec<_>>());
    let again = receiver(&disk).unwrap();
    assert_eq!(again.count(), 300);
    // All of that is known.
    for told in told {
        spool.take_note(told).unwrap();
    }
    for number in 1..=300 {
        spool.remove(id(number)).await.unwrap();
    }
    assert_eq!((files(&disk), spool.count()), ([0; 3], 0));
}

/// What is done to a spool with messages 1 to 3 in a shared file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sequence {
    /// Messages 4 to 6 come.
    Take,
    /// Message 2 is finished.
    Remove,
    /// All are.
    RemoveAll,
    /// Message 2 is to be tried again.
    Move,
    /// And is finished then.
    MoveAndRemove,
    /// Message 2 turns out to be damaged.
    SetAside,
}

const SEQUENCES: [Sequence; 6] = [
    Sequence::Take,
    Sequence::Remove,
    Sequence::RemoveAll,
    Sequence::Move,
    Sequence::MoveAndRemove,
    Sequence::SetAside,
];

async fn carry_out(disk: &MemoryDisk, spool: &Spool, sequence: Sequence) -> Result<()> {
    let mut two = message(2, 1);
    match sequence {
        Sequence::Take => take(disk, &[4, 5, 6]).into_iter().try_for_each(|outcome| outcome.map(drop)),
        Sequence::Remove => spool.remove(id(2)).await,
        Sequence::RemoveAll => {
            for number in 1..=3 {
                spool.remove(id(number)).await?;
            }
            Ok(())
        }
        Sequence::Move => spool.update(&mut two, Place::Deferred).await,
        Sequence::MoveAndRemove => {
            finish(&mut two);
            spool.update(&mut two, Place::Deferred).await?;
            spool.remove(id(2)).await
        }
        Sequence::SetAside => spool.set_aside(id(2)).await,
    }
}

/// Looks at what is left, with a process that has just been started.
fn check(disk: &MemoryDisk, sequence: Sequence, is_done: bool, what: &str) {
    let (spool, recovered) = open(disk).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(recovered.damaged.is_empty() && recovered.foreign.is_empty(), "{what}: {recovered:?}");
    let there = whole(&spool, &recovered);
    let has = |number: u32| there.contains(&number);
    if sequence == Sequence::Take {
        assert!(has(1) && has(2) && has(3), "{what}: {there:?}");
        assert!(!is_done || (4..=6).all(has), "{what}: it was promised and is gone");
    } else if sequence == Sequence::RemoveAll {
        assert!(!is_done || there.is_empty(), "{what}: it is back");
    } else {
        assert!(has(1) && has(3), "{what}: the neighbours are gone: {there:?}");
        let is_expected = sequence == Sequence::Move;
        assert!(!is_done || has(2) == is_expected, "{what}: {there:?}");
        assert!(!is_expected || has(2), "{what}: it is gone");
    }
    if is_done && sequence == Sequence::Move {
        let (place, _) = recovered.messages.iter().find(|(_, message)| message.id == id(2)).unwrap();
        assert_eq!(*place, Place::Deferred, "{what}");
    }
    // Looking twice changes nothing, and nothing is left over.
    let (_, again) = open(disk).unwrap();
    assert_eq!((again.messages.len(), again.removed), (there.len(), 0), "{what}");
    assert_eq!(receiver(disk).unwrap().count(), there.len() as u64, "{what}");
    assert_eq!(disk.names(&places().incoming()), Vec::<String>::new(), "{what}");
}

#[tokio::test]
async fn a_kill_or_a_loss_of_power_at_any_call_loses_nothing_and_brings_nothing_back() {
    let mut points = 0;
    for sequence in SEQUENCES {
        let disk = three();
        let (spool, _) = open(&disk).unwrap();
        disk.arm(None);
        carry_out(&disk, &spool, sequence).await.unwrap();
        let calls = disk.calls();
        for (number, call) in calls.iter().enumerate() {
            for fault in [Fault::KillBefore, Fault::KillAfter, Fault::Error(std::io::ErrorKind::Other)] {
                let disk = three();
                let (spool, _) = open(&disk).unwrap();
                disk.arm(Some((number, fault)));
                let is_done = carry_out(&disk, &spool, sequence).await.is_ok();
                let what = format!("{sequence:?}, call {number} ({call}), {fault:?}");
                drop(spool);
                let without_power = disk.copy();
                disk.restart();
                without_power.lose_power();
                // A disk that does not take the mark of a message that has got its own file is told of, with what that may
                // lead to.
                let is_promised = is_done
                    && !(sequence == Sequence::MoveAndRemove
                        && matches!(fault, Fault::Error(_))
                        && call.contains("in bundle"));
                check(&disk, sequence, is_promised, &what);
                check(&without_power, sequence, is_promised, &format!("{what}, no power"));
                points += 1;
            }
        }
        // And when all of it was done.
        disk.lose_power();
        check(&disk, sequence, true, &format!("{sequence:?}, no power"));
    }
    eprintln!("{points} points");
    assert!(points > 80, "{points}");
}

#[tokio::test]
async fn without_syncs_the_same_test_finds_losses() {
    for (omitted, sequence) in [
        (Omitted { file_syncs: true, ..Omitted::default() }, Sequence::Take),
        (Omitted { folder_syncs: true, ..Omitted::default() }, Sequence::Take),
        (Omitted { file_syncs: true, ..Omitted::default() }, Sequence::Remove),
        (Omitted { file_syncs: true, ..Omitted::default() }, Sequence::MoveAndRemove),
    ] {
        let disk = three();
        let (spool, _) = open(&disk).unwrap();
        disk.omit(omitted);
        carry_out(&disk, &spool, sequence).await.unwrap();
        disk.lose_power();
        disk.omit(Omitted::default());
        let (_, recovered) = open(&disk).unwrap();
        let there: Vec<u32> = recovered.messages.iter().map(|(_, message)| message.id.number).collect();
        let is_wrong =
            if sequence == Sequence::Take { there != [1, 2, 3, 4, 5, 6] } else { there.contains(&2) };
        assert!(is_wrong, "{omitted:?}, {sequence:?}: {there:?}");
    }
}

#[tokio::test]
async fn a_message_that_was_found_and_finished_is_not_delivered_again_when_it_is_told() {
    let disk = ready();
    let told: Vec<TakenIn> = take(&disk, &[1, 2, 3]).into_iter().map(Result::unwrap).collect();
    assert!(told.iter().all(|told| told.slot.is_some()));
    // A dequeuer finds them, finishes one, and is killed; the next one finds the others.
    let (spool, _) = open(&disk).unwrap();
    spool.remove(id(1)).await.unwrap();
    drop(spool);
    let (spool, recovered) = open(&disk).unwrap();
    assert_eq!(whole(&spool, &recovered), [2, 3]);
    spool.remove(id(2)).await.unwrap();
    // Only now does the receiver come to tell of them, with and without what it has in memory.
    for told in &told {
        spool.take_note(told.clone()).unwrap();
        spool.take_note(TakenIn::to_be_read(told.id, told.slot)).unwrap();
    }
    assert_eq!(spool.all(), [(id(3), Place::Active)]);
    spool.remove(id(3)).await.unwrap();
    for told in told {
        spool.take_note(told).unwrap();
    }
    assert_eq!((spool.all(), files(&disk)), (Vec::new(), [0; 3]));
}

#[tokio::test]
async fn what_a_receiver_that_is_gone_had_not_told_is_found() {
    let disk = ready();
    let (spool, _) = open(&disk).unwrap();
    let told: Vec<TakenIn> = take(&disk, &[1, 2, 3]).into_iter().map(Result::unwrap).collect();
    assert!(take(&disk, &[4])[0].is_ok());
    spool.take_note(told[1].clone()).unwrap();
    let mut unknown: Vec<u32> = spool.unknown().unwrap().iter().map(|found| found.id.number).collect();
    unknown.sort_unstable();
    assert_eq!(unknown, [1, 3, 4]);
    for found in spool.unknown().unwrap() {
        spool.take_note(found).unwrap();
    }
    for number in 1..=4 {
        let (_, known) = spool.load(id(number)).unwrap();
        let mut room = vec![0; 200];
        let count = spool.body(&known).unwrap().read_at(0, &mut room).unwrap();
        assert_eq!(room[..count], octets(number));
        spool.remove(id(number)).await.unwrap();
    }
    assert_eq!((spool.unknown().unwrap().len(), files(&disk)), (0, [0; 3]));
}

#[tokio::test]
async fn any_change_of_a_shared_file_is_found_and_harms_only_whom_it_meets() {
    let sound = three();
    let path = places().bundle(id(1));
    let slots: Vec<_> = bundle::list(id(1), sound.open(&path).unwrap().as_ref()).unwrap().unwrap();
    let seed = 0x5eed_0002;
    eprintln!("seed {seed:#x}");
    let mut chance = Chance::new(seed);
    let (mut harmed, mut apart) = (0, 0);
    for _ in 0..3000 {
        let disk = sound.copy();
        let (mut met, mut what) = (0..0, String::new());
        disk.damage(&path, |octets| {
            let at = chance.below(octets.len());
            let length = octets.len();
            match chance.below(3) {
                0 => {
                    octets[at] ^= 1 << chance.below(8);
                    met = at..at + 1;
                }
                1 => {
                    octets.truncate(at);
                    met = at..length;
                }
                _ => {
                    let end = (at + 1 + chance.below(60)).min(length);
                    octets[at..end].fill(0);
                    met = at..end;
                }
            }
            what = format!("{met:?} of {length}");
        });
        let is_met = |number: usize| {
            let slot = slots[number].slot;
            let (begin, end) = (slot.offset, slot.offset + slot.octets);
            (begin as usize) < met.end && met.start < end as usize
        };
        let (spool, mut recovered) = open(&disk).unwrap_or_else(|error| panic!("{what}: {error}"));
        // Octets of a message are compared when it is sent.
        let mut there = Vec::new();
        for (_, message) in std::mem::take(&mut recovered.messages) {
            match spool.body(&message) {
                Ok(_) => there.push(message.id.number),
                Err(SpoolError::Damaged { .. }) => spool.set_aside(message.id).await.unwrap(),
                Err(error) => panic!("{what}: {error}"),
            }
        }
        let is_table_met = met.end > slots[2].slot.mark as usize;
        for number in 0..3 {
            let is_behind_harm = is_table_met && (0..=number).any(is_met);
            assert!(
                there.contains(&(number as u32 + 1)) || is_met(number) || is_behind_harm,
                "{what}: {there:?}"
            );
        }
        harmed += usize::from(there.len() < 3);
        apart += usize::from(!disk.names(&places().bundles()).contains(&id(1).to_string()));
        let (_, again) = open(&disk).unwrap();
        assert_eq!((again.messages.len(), again.damaged.len()), (there.len(), 0), "{what}");
    }
    assert!(harmed > 300 && apart > 300, "{harmed} {apart}");
}

#[tokio::test]
async fn a_spool_of_the_version_without_shared_files_is_taken_over() {
    let disk = three();
    disk.damage(&places().format(), |octets| *octets = b"postern-spool 1\n".to_vec());
    let (spool, recovered) = open(&disk).unwrap();
    assert_eq!(whole(&spool, &recovered), [1, 2, 3]);
    disk.damage(&places().format(), |octets| assert_eq!(octets, b"postern-spool 2\n"));
}

#[tokio::test]
async fn messages_that_are_finished_at_the_same_time_share_a_sync() {
    let disk = ready();
    let numbers: Vec<u32> = (1..=40).collect();
    assert!(take(&disk, &numbers).iter().all(Result::is_ok));
    let (spool, _) = open(&disk).unwrap();
    disk.arm(None);
    let mut tasks = tokio::task::JoinSet::new();
    for number in numbers {
        let spool = spool.clone();
        tasks.spawn(async move { spool.remove(id(number)).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    let syncs = disk.calls().iter().filter(|call| call.starts_with("sync")).count();
    // A machine that is busy may take them in a few turns.
    assert!((1..=10).contains(&syncs), "{:?}", disk.calls());
    assert_eq!(files(&disk), [0; 3]);
}

#[tokio::test]
async fn a_message_whose_mark_cannot_be_synced_is_there_until_it_can() {
    let disk = three();
    let (spool, _) = open(&disk).unwrap();
    disk.arm(None);
    spool.remove(id(1)).await.unwrap();
    let sync = disk.calls().iter().position(|call| call.starts_with("sync file")).unwrap();
    disk.arm(Some((sync, Fault::Error(std::io::ErrorKind::Other))));
    assert!(matches!(spool.remove(id(2)).await, Err(SpoolError::Io { .. })));
    assert_eq!(spool.load(id(2)).unwrap(), (Place::Active, message(2, 1)));
    spool.remove(id(2)).await.unwrap();
    disk.lose_power();
    let (spool, recovered) = open(&disk).unwrap();
    assert_eq!(whole(&spool, &recovered), [3]);
}

/// What a receiver leaves that is killed, or loses power, after it has written a shared file and before it has named it.
fn unnamed() -> (MemoryDisk, std::path::PathBuf) {
    let disk = three();
    let path = places().new_bundle(id(1));
    disk.rename(&places().bundle(id(1)), &path).unwrap();
    (disk, path)
}

#[tokio::test]
async fn a_shared_file_that_has_no_name_yet_is_its_receivers_alone() {
    let (disk, _) = unnamed();
    let (spool, recovered) = open_with(&disk, LARGE).unwrap();
    assert!(recovered.messages.is_empty() && recovered.removed == 0, "{recovered:?}");
    assert!(recovered.foreign.is_empty() && recovered.damaged.is_empty(), "{recovered:?}");
    // The receiver names it, and is asked what it has.
    let receiver = receiver(&disk).unwrap();
    assert_eq!((receiver.count(), spool.unknown().unwrap().len()), (3, 3));
    drop((receiver, spool));
    let (spool, recovered) = open_with(&disk, LARGE).unwrap();
    assert_eq!(whole(&spool, &recovered), [1, 2, 3]);
}

#[test]
fn a_shared_file_that_was_written_to_its_end_is_named_and_one_that_was_not_is_removed() {
    let (disk, path) = unnamed();
    let length = disk.open(&path).unwrap().len() as usize;
    for left in (0..length).step_by(7).chain([length - 1, length]) {
        let (disk, path) = unnamed();
        disk.damage(&path, |octets| octets.truncate(left));
        let (spool, recovered) = open(&disk).unwrap();
        assert!(recovered.damaged.is_empty() && recovered.foreign.is_empty(), "{left}: {recovered:?}");
        let expected: &[u32] = if left == length { &[1, 2, 3] } else { &[] };
        assert_eq!(whole(&spool, &recovered), expected, "{left} of {length}");
        assert_eq!(files(&disk), [usize::from(left == length), 0, 0], "{left} of {length}");
    }
}

#[test]
fn a_shared_file_without_a_name_of_which_a_part_was_lost_is_kept_and_told_of() {
    let (disk, path) = unnamed();
    disk.damage(&path, |octets| octets[..40].fill(0));
    let (_, recovered) = open(&disk).unwrap();
    assert_eq!((recovered.messages.len(), recovered.damaged.len()), (2, 1), "{recovered:?}");
}
