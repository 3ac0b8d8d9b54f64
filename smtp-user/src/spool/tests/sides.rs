//! Two processes share a spool: each may be killed and start again while the other one is at work.

use std::path::Path;
use std::sync::Arc;

use super::memory_disk::{Fault, MemoryDisk};
use super::rig::{
    ROOT, TOGETHER, apart, commit, config, config_with, disk, finish, id, message, octets, open, open_with,
    whole,
};
use crate::model::session_id::MessageId;
use crate::spool::config::Config;
use crate::spool::error::{Result, SpoolError};
use crate::spool::intake::Intake;
use crate::spool::news::TakenIn;
use crate::spool::place::{Place, Places, Side};

fn places() -> Places {
    Places::new(Path::new(ROOT))
}

fn receiver(disk: &MemoryDisk, together: u64) -> Intake {
    Intake::open_with(&config_with(together), Arc::new(disk.clone()), None).unwrap()
}

async fn receive(intake: &Intake, number: u32) -> Result<()> {
    let mut incoming = intake.begin(id(number))?;
    incoming.write(&octets(number))?;
    intake.commit(incoming, message(number, 1), Place::Active).await
}

/// With message 1 in it.
async fn ready(together: u64) -> MemoryDisk {
    let disk = disk();
    let (spool, _) = open_with(&disk, together).unwrap();
    commit(&spool, 1, 1).await.unwrap();
    disk
}

/// Calls that taking in a message costs.
async fn calls(together: u64) -> usize {
    let disk = ready(together).await;
    let intake = receiver(&disk, together);
    disk.arm(None);
    receive(&intake, 2).await.unwrap();
    disk.calls().len()
}

/// Each of them, for a message in one file and in two.
async fn every_call() -> Vec<(u64, usize)> {
    let mut all = Vec::new();
    for together in TOGETHER {
        all.extend((0..calls(together).await).map(|number| (together, number)));
    }
    all
}

#[tokio::test]
async fn a_receiver_that_is_killed_at_any_call_leaves_nothing_behind_and_loses_nothing() {
    for (together, number) in every_call().await {
        for fault in [Fault::KillBefore, Fault::KillAfter] {
            let what = format!("{together}, call {number}, {fault:?}");
            let disk = ready(together).await;
            // It is at work all the time.
            let (spool, _) = open_with(&disk, together).unwrap();
            let intake = receiver(&disk, together);
            disk.arm(Some((number, fault)));
            let outcome = receive(&intake, 2).await;
            disk.restart();
            for found in spool.unknown().unwrap() {
                spool.take_note(found).unwrap();
            }
            let intake = receiver(&disk, together);
            assert_eq!(disk.names(&places().incoming()), Vec::<String>::new(), "{what}");
            let there = disk.names(&places().folder(Place::Active)).len();
            let numbers: Vec<u32> = spool.all().iter().map(|(id, _)| id.number).collect();
            assert_eq!(disk.names(&places().bodies()).len(), apart(&numbers, together), "{what}");
            assert!(outcome.is_err() || there == 2, "{what}: it was promised and is gone");
            assert_eq!((spool.all().len(), intake.count()), (there, there as u64), "{what}");
            for (message, _) in spool.all() {
                assert!(spool.body(&spool.load(message).unwrap().1).is_ok(), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_dequeuer_that_starts_in_the_midst_of_it_takes_nothing_from_the_receiver() {
    for (together, number) in every_call().await {
        let what = format!("{together}, call {number}");
        let disk = ready(together).await;
        let intake = receiver(&disk, together);
        disk.arm(Some((number, Fault::KillAfter)));
        let _ = receive(&intake, 2).await;
        disk.restart();
        // It stands still there.
        let names = || [places().incoming(), places().bodies()].map(|folder| disk.names(&folder));
        let before = names();
        let (spool, recovered) = open_with(&disk, together).unwrap();
        assert_eq!(names(), before, "{what}");
        assert!(recovered.damaged.is_empty() && recovered.foreign.is_empty(), "{what}: {recovered:?}");
        assert!(whole(&spool, &recovered).contains(&1), "{what}");
    }
}

#[tokio::test]
async fn each_clears_away_its_own_only() {
    let disk = ready(0).await;
    let planted =
        |side| [places().new_body(id(7), side), places().new_control(id(8), side, 3), places().probe(side)];
    for path in [planted(Side::Receiver), planted(Side::Dequeuer)].concat() {
        disk.plant(&path, b"x");
    }
    disk.plant(&places().body(id(8)), b"x");
    let left = || disk.names(&places().incoming()).len();
    assert_eq!((left(), open(&disk).unwrap().1.foreign.len(), left()), (6, 0, 3));
    // Octets without a name are somebody's as long as a control file beside says so.
    assert_eq!(disk.names(&places().bodies()).len(), 2);
    drop(receiver(&disk, 0));
    assert_eq!((left(), disk.names(&places().bodies()).len()), (0, 1));
}

#[tokio::test]
async fn the_limit_is_exact_over_both() {
    let disk = ready(0).await;
    let (spool, _) = open(&disk).unwrap();
    let limited = Config { limit: Some(3), ..config() };
    let intake = Intake::open_with(&limited, Arc::new(disk.clone()), None).unwrap();
    receive(&intake, 2).await.unwrap();
    receive(&intake, 3).await.unwrap();
    assert!(matches!(receive(&intake, 4).await, Err(SpoolError::Full { limit: 3 })));
    let told: Vec<MessageId> = intake.taken_in().await.iter().map(|message| message.id).collect();
    assert_eq!((told.as_slice(), intake.not_handed_over().len()), ([id(2), id(3)].as_slice(), 2));
    for id in &told {
        spool.take_note(TakenIn::to_be_read(*id, None)).unwrap();
        // Twice is once.
        spool.take_note(TakenIn::to_be_read(*id, None)).unwrap();
    }
    assert_eq!(spool.count(), 3);
    intake.handed_over(&told, spool.count());
    assert!(matches!(intake.has_room(None), Err(SpoolError::Full { limit: 3 })));
    let mut first = message(1, 1);
    finish(&mut first);
    spool.update(&mut first, Place::Active).await.unwrap();
    spool.remove(id(1)).await.unwrap();
    intake.handed_over(&told, spool.count());
    receive(&intake, 4).await.unwrap();
    assert!(intake.has_room(None).is_err());
    // What was told and is gone is no loss.
    spool.take_note(TakenIn::to_be_read(id(1), None)).unwrap();
    assert_eq!((spool.count(), intake.count()), (2, 3));
}

#[tokio::test]
async fn a_name_is_not_given_twice_whoever_has_the_message() {
    let disk = ready(0).await;
    let (spool, _) = open(&disk).unwrap();
    let intake = receiver(&disk, 0);
    spool.update(&mut message(1, 1), Place::Deferred).await.unwrap();
    assert!(matches!(intake.begin(id(1)), Err(SpoolError::Exists { .. })));
}

#[tokio::test]
async fn what_is_told_with_its_file_is_not_read_from_the_disk() {
    for (together, is_told) in [(1000, true), (0, false)] {
        let disk = ready(together).await;
        let (spool, _) = open_with(&disk, together).unwrap();
        let intake = receiver(&disk, together);
        receive(&intake, 2).await.unwrap();
        let [told] = &intake.taken_in().await[..] else { panic!() };
        assert_eq!(told.file.is_some(), is_told);
        disk.damage(&places().control(Place::Active, id(2)), Vec::clear);
        let noted = spool.take_note(told.clone());
        if !is_told {
            assert!(matches!(noted, Err(SpoolError::Damaged { .. })), "{noted:?}");
            continue;
        }
        noted.unwrap();
        let (place, known) = spool.recent(id(2)).unwrap();
        assert_eq!((place, &known), (Place::Active, &message(2, 1)));
        let mut room = vec![0; 200];
        let count = spool.body(&known).unwrap().read_at(0, &mut room).unwrap();
        assert_eq!(room[..count], octets(2));
    }
}

#[tokio::test]
async fn what_was_found_at_the_start_and_is_finished_is_not_delivered_again_when_it_is_told() {
    let disk = ready(1000).await;
    let intake = receiver(&disk, 1000);
    receive(&intake, 2).await.unwrap();
    let (spool, recovered) = open_with(&disk, 1000).unwrap();
    assert_eq!(recovered.messages.len(), 2);
    spool.remove(id(2)).await.unwrap();
    // Only now does the receiver come to tell of it.
    for told in intake.taken_in().await {
        assert!(told.file.is_some());
        spool.take_note(told).unwrap();
    }
    assert_eq!(spool.all(), [(id(1), Place::Active)]);
}

#[tokio::test]
async fn a_file_that_is_not_what_it_is_said_to_be_is_read_from_the_disk() {
    let disk = ready(1000).await;
    let (spool, _) = open_with(&disk, 1000).unwrap();
    let intake = receiver(&disk, 1000);
    receive(&intake, 2).await.unwrap();
    receive(&intake, 3).await.unwrap();
    let told = intake.taken_in().await;
    let file = told[1].file.clone();
    spool.take_note(TakenIn { id: id(2), file, slot: None }).unwrap();
    spool.take_note(TakenIn { id: id(3), file: Some(Arc::new(b"nonsense".to_vec())), slot: None }).unwrap();
    for number in [2, 3] {
        assert_eq!(spool.recent(id(number)).unwrap().1, message(number, 1));
    }
}
