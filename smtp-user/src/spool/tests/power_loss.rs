//! Power fails after each call of many commits, updates and removals: whatever was promised is there, whole.

use super::memory_disk::{Fault, Omitted};
use super::rig::{TOGETHER, commit, disk, finish, message, open_with, whole};
use crate::spool::place::Place;

/// Takes in messages 1 to 4, defers 2, finishes 3, and is killed at some call; gives what was promised to be there.
async fn some_work(disk: &super::memory_disk::MemoryDisk, together: u64) -> Vec<u32> {
    let (spool, _) = open_with(disk, together).unwrap();
    let mut promised = Vec::new();
    for number in 1..=4 {
        if commit(&spool, number, 1).await.is_ok() {
            promised.push(number);
        }
        if number == 3 {
            let mut two = message(2, 1);
            let _ = spool.update(&mut two, Place::Deferred).await;
            let mut three = message(3, 1);
            finish(&mut three);
            // From here on it may be there or not, whatever is answered.
            promised.retain(|number| *number != 3);
            if spool.update(&mut three, Place::Active).await.is_ok() {
                let _ = spool.remove(three.id).await;
            }
        }
    }
    promised
}

/// Lets power fail after each call in turn; gives how often, and how often something promised was not there.
async fn fail_everywhere(omitted: Omitted, together: u64) -> (usize, usize) {
    let ready = disk();
    drop(open_with(&ready, together).unwrap());
    let counting = ready.copy();
    counting.arm(None);
    some_work(&counting, together).await;
    let calls = counting.calls().len();
    let mut lost = 0;
    for call in 0..calls {
        let disk = ready.copy();
        disk.omit(omitted);
        disk.arm(Some((call, Fault::KillAfter)));
        let promised = some_work(&disk, together).await;
        disk.lose_power();
        disk.omit(Omitted::default());
        let Ok((spool, recovered)) = open_with(&disk, together) else {
            lost += 1;
            continue;
        };
        let there: Vec<u32> =
            if recovered.damaged.is_empty() { whole(&spool, &recovered) } else { Vec::new() };
        // More may be there than was promised: its originator was not told, and sends it again.
        if !promised.iter().all(|number| there.contains(number)) {
            lost += 1;
        }
    }
    (calls, lost)
}

#[tokio::test]
async fn what_was_promised_outlasts_a_loss_of_power_at_any_time() {
    for together in TOGETHER {
        let (points, lost) = fail_everywhere(Omitted::default(), together).await;
        eprintln!("{points} points");
        assert!(points > 30, "{points}");
        assert_eq!(lost, 0);
    }
}

#[tokio::test]
async fn without_syncs_the_same_test_finds_losses() {
    for omitted in [
        Omitted { file_syncs: true, ..Omitted::default() },
        Omitted { folder_syncs: true, ..Omitted::default() },
    ] {
        for together in TOGETHER {
            let (_, lost) = fail_everywhere(omitted, together).await;
            assert!(lost > 0, "{omitted:?}, {together}");
        }
    }
}
