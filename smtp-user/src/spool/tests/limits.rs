//! How many messages there may be, and how much room there must be.

use std::sync::Arc;

use super::rig::{commit, config, disk, finish, id, message, open};
use crate::spool::config::Config;
use crate::spool::error::SpoolError;
use crate::spool::file_system::Space;
use crate::spool::place::Place;
use crate::spool::store::Spool;

#[tokio::test]
async fn the_limit_is_exact() {
    let disk = disk();
    let limited = Config { limit: Some(5), ..config() };
    let (spool, _) = Spool::open_with(&limited, Arc::new(disk), None).unwrap();
    // Nobody who began before the limit was reached gets past it.
    let begun = spool.intake().begin(id(100)).unwrap();
    for number in 1..=4 {
        spool.intake().has_room(None).unwrap();
        commit(&spool, number, 1).await.unwrap();
    }
    assert!(matches!(spool.intake().has_room(None), Err(SpoolError::Full { limit: 5 })));
    assert!(matches!(commit(&spool, 5, 1).await, Err(SpoolError::Full { limit: 5 })));
    drop(begun);
    commit(&spool, 5, 1).await.unwrap();
    assert!(matches!(spool.intake().has_room(None), Err(SpoolError::Full { .. })));
    let mut first = message(1, 1);
    finish(&mut first);
    spool.update(&mut first, Place::Active).await.unwrap();
    spool.remove(id(1)).await.unwrap();
    spool.intake().has_room(None).unwrap();
    assert_eq!(spool.count(), 4);
}

#[tokio::test]
async fn the_limit_is_another_from_now_on() {
    let disk = disk();
    let limited = Config { limit: Some(1), ..config() };
    let (spool, _) = Spool::open_with(&limited, Arc::new(disk), None).unwrap();
    commit(&spool, 1, 1).await.unwrap();
    assert!(matches!(spool.intake().has_room(None), Err(SpoolError::Full { limit: 1 })));
    spool.intake().set_limit(Some(2));
    commit(&spool, 2, 1).await.unwrap();
    spool.intake().set_limit(None);
    spool.intake().has_room(None).unwrap();
    spool.intake().set_limit(Some(1));
    assert!(matches!(spool.intake().has_room(None), Err(SpoolError::Full { limit: 1 })));
    assert_eq!(spool.count(), 2);
}

#[tokio::test]
async fn quarantine_does_not_count() {
    let disk = disk();
    let limited = Config { limit: Some(1), ..config() };
    let (spool, _) = Spool::open_with(&limited, Arc::new(disk), None).unwrap();
    commit(&spool, 1, 1).await.unwrap();
    assert!(spool.intake().has_room(None).is_err());
    spool.update(&mut message(1, 1), Place::Quarantine).await.unwrap();
    spool.intake().has_room(None).unwrap();
    assert_eq!(spool.place(id(1)), Some(Place::Quarantine));
}

#[tokio::test]
async fn little_room_is_told_before_the_message_comes() {
    let disk = disk();
    let floors = Config { min_free_octets: 1000, min_free_files: 10, ..config() };
    let (spool, _) = Spool::open_with(&floors, Arc::new(disk.clone()), None).unwrap();
    disk.set_space(Space { octets: 1500, files: 10 });
    spool.intake().has_room(None).unwrap();
    spool.intake().has_room(Some(500)).unwrap();
    assert!(matches!(spool.intake().has_room(Some(501)), Err(SpoolError::NoSpace)));
    disk.set_space(Space { octets: 1500, files: 9 });
    assert!(matches!(spool.intake().has_room(None), Err(SpoolError::NoSpace)));
}

#[tokio::test]
async fn an_older_copy_does_not_undo_a_newer_one() {
    let disk = disk();
    let (spool, _) = open(&disk).unwrap();
    commit(&spool, 1, 1).await.unwrap();
    let mut old = message(1, 1);
    spool.update(&mut message(1, 1), Place::Deferred).await.unwrap();
    assert!(matches!(spool.update(&mut old, Place::Active).await, Err(SpoolError::Stale { .. })));
    assert_eq!(spool.load(id(1)).unwrap().1.version, 2);
}

#[tokio::test]
async fn whoever_waits_is_told_of_messages_that_came_before() {
    let disk = disk();
    let (spool, _) = open(&disk).unwrap();
    commit(&spool, 1, 1).await.unwrap();
    commit(&spool, 2, 1).await.unwrap();
    assert_eq!(spool.taken_in().await, [id(1), id(2)]);
}

#[tokio::test]
async fn many_at_a_time_are_all_taken_in() {
    let disk = disk();
    let (spool, _) = open(&disk).unwrap();
    disk.arm(None);
    let commits = (1..=100).map(|number| {
        let spool = spool.clone();
        tokio::spawn(async move { commit(&spool, number, 1).await })
    });
    let commits: Vec<_> = commits.collect();
    for commit in commits {
        commit.await.unwrap().unwrap();
    }
    assert_eq!(spool.count(), 100);
    let (_, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.messages.len(), 100);
}
