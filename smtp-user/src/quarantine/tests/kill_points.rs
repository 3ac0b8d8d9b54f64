//! The process is killed, power fails, or a call fails, at each call of some work: what was promised is there, whole, and
//! what was deleted stays away.

use std::io;

use super::rig::{disk, entry, id, is_whole, keep, open};
use crate::quarantine::entry::Release;
use crate::quarantine::error::QuarantineError;
use crate::quarantine::store::Store;
use crate::spool::tests::memory_disk::{Fault, MemoryDisk, Omitted};

/// What was promised by some work, each as soon as it was.
#[derive(Debug, Default)]
struct Promised {
    kept: Vec<u32>,
    deleted: Vec<u32>,
    /// Message 2 is being released, or has been.
    begun: bool,
    released: bool,
}

/// Keeps messages 1 to 3, releases 2, deletes 3; goes on whatever fails.
async fn some_work(store: &Store) -> Promised {
    let mut promised = Promised::default();
    for number in 1..=3 {
        if keep(store, number).await.is_ok() {
            promised.kept.push(number);
        }
    }
    if let Ok(mut claim) = store.claim(id(2)) {
        let to = "192.0.2.2:25".to_owned();
        promised.begun = claim.set(Release::Releasing { since: 5, to: to.clone() }).is_ok();
        promised.released =
            promised.begun && claim.set(Release::Released { at: 6, to, reply: "250 ok".to_owned() }).is_ok();
    }
    if let Ok(claim) = store.claim(id(3)) {
        // From here on it may be there or not, whatever is answered.
        promised.kept.retain(|number| *number != 3);
        if claim.delete().is_ok() {
            promised.deleted.push(3);
        }
    }
    promised
}

/// Whether everything is as it was promised, after a start.
fn is_true(promised: &Promised, disk: &MemoryDisk) -> bool {
    let Ok((store, opened)) = open(disk) else { return false };
    let release = store.get(id(2)).map(|entry| entry.release);
    let is_known = |release: &Result<Release, QuarantineError>, names: &[&str]| {
        release.as_ref().is_ok_and(|release| names.contains(&release.name()))
    };
    opened.damaged.is_empty()
        && opened.foreign.is_empty()
        && promised.kept.iter().all(|number| is_whole(&store, *number))
        && promised.deleted.iter().all(|number| store.get(id(*number)).is_err())
        && (!promised.begun || is_known(&release, &["releasing", "released"]))
        && (!promised.released || is_known(&release, &["released"]))
        // What has an entry has its octets as well, and the other way round.
        && store.list().unwrap().entries.iter().all(|entry| is_whole(&store, entry.id.number))
        && store.names(&store.paths.bodies()).unwrap() == store.names(&store.paths.entries()).unwrap()
        && store.names(&store.paths.incoming()).unwrap().is_empty()
}

/// Has something happen at each call in turn; gives how often, and how often something was not as promised.
async fn everywhere(fault: Fault, power_fails: bool, omitted: Omitted) -> (usize, usize) {
    let ready = disk();
    drop(open(&ready).unwrap());
    let counting = ready.copy();
    counting.arm(None);
    some_work(&Store::with(std::path::Path::new(super::rig::ROOT), std::sync::Arc::new(counting.clone())))
        .await;
    let calls = counting.calls().len();
    let mut wrong = 0;
    for call in 0..calls {
        let disk = ready.copy();
        disk.omit(omitted);
        let (store, _) = open(&disk).unwrap();
        disk.arm(Some((call, fault)));
        let promised = some_work(&store).await;
        if power_fails {
            disk.lose_power();
        } else {
            disk.restart();
        }
        disk.omit(Omitted::default());
        wrong += usize::from(!is_true(&promised, &disk));
    }
    (calls, wrong)
}

#[tokio::test]
async fn what_was_promised_outlasts_the_process_and_the_power_at_every_point() {
    for fault in [Fault::KillBefore, Fault::KillAfter] {
        for power_fails in [false, true] {
            let (points, wrong) = everywhere(fault, power_fails, Omitted::default()).await;
            assert!(points > 30, "{points}");
            assert_eq!(wrong, 0, "{fault:?}, power fails: {power_fails}, of {points}");
        }
    }
}

#[tokio::test]
async fn a_call_that_fails_breaks_no_promise() {
    for kind in [io::ErrorKind::Other, io::ErrorKind::StorageFull] {
        let (points, wrong) = everywhere(Fault::Error(kind), true, Omitted::default()).await;
        assert_eq!(wrong, 0, "{kind:?}, of {points}");
    }
}

#[tokio::test]
async fn without_syncs_the_same_test_finds_losses() {
    for omitted in [
        Omitted { file_syncs: true, ..Omitted::default() },
        Omitted { folder_syncs: true, ..Omitted::default() },
    ] {
        let (_, wrong) = everywhere(Fault::KillAfter, true, omitted).await;
        assert!(wrong > 0, "{omitted:?}");
    }
}

#[tokio::test]
async fn a_full_disk_is_named_and_leaves_nothing() {
    let disk = disk();
    let (store, _) = open(&disk).unwrap();
    disk.set_space(crate::spool::file_system::Space { octets: 1 << 20, files: 1 << 20 });
    assert!(matches!(keep(&store, 1).await, Err(QuarantineError::NoSpace)));
    assert!(store.names(&store.paths.bodies()).unwrap().is_empty());
}

#[tokio::test]
async fn a_message_that_is_there_stays_as_it_is() {
    let disk = disk();
    let (store, _) = open(&disk).unwrap();
    let first = keep(&store, 1).await.unwrap();
    let mut other = entry(1);
    other.decision.why = "another reason".to_owned();
    assert_eq!(store.keep(other, &b"other octets".to_vec()).await.unwrap(), first);
    assert!(is_whole(&store, 1));
}
