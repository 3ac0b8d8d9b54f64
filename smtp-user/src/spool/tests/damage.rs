//! What happened to files at rest: the damaged message is set aside, and its neighbours do not notice.

use super::chance::Chance;
use super::memory_disk::MemoryDisk;
use super::rig::{ROOT, commit, disk, id, message, octets, open_with, whole};
use crate::spool::error::Result;
use crate::spool::error::SpoolError;
use crate::spool::file_system::FileSystem as _;
use crate::spool::place::{Place, Places};
use crate::spool::recovery::Recovered;
use crate::spool::store::Spool;

fn places() -> Places {
    Places::new(std::path::Path::new(ROOT))
}

/// Octets stand apart from what is known of them.
fn open(disk: &MemoryDisk) -> Result<(Spool, Recovered)> {
    open_with(disk, 0)
}

async fn three() -> MemoryDisk {
    three_with(0).await
}

async fn three_with(together: u64) -> MemoryDisk {
    let disk = disk();
    let (spool, _) = open_with(&disk, together).unwrap();
    for number in 1..=3 {
        commit(&spool, number, 2).await.unwrap();
    }
    disk
}

#[tokio::test]
async fn any_change_of_a_file_is_found_and_harms_no_other() {
    let (apart, together) = (three().await, three_with(1000).await);
    let seed = 0x5eed_0001;
    eprintln!("seed {seed:#x}");
    let mut chance = Chance::new(seed);
    for _ in 0..15_000 {
        let (is_together, is_body) = (chance.below(3) == 0, chance.below(2) == 0);
        let sound = if is_together { &together } else { &apart };
        let is_body = is_body && !is_together;
        let disk = sound.copy();
        let path = if is_body { places().body(id(2)) } else { places().control(Place::Active, id(2)) };
        let mut what = String::new();
        disk.damage(&path, |octets| {
            let at = chance.below(octets.len());
            match chance.below(5) {
                0 => octets[at] ^= 1 << chance.below(8),
                1 => octets.truncate(at),
                2 => octets[at..].fill(0),
                3 => octets.insert(at, b'x'),
                _ => octets.clear(),
            }
            what = format!("{is_body} {at} {octets:?}");
        });
        let unchanged = |path: &std::path::Path| {
            let read = |disk: &MemoryDisk| {
                let file = disk.open(path).unwrap();
                let mut room = vec![0; usize::try_from(file.len()).unwrap()];
                file.read_at(0, &mut room).unwrap();
                room
            };
            read(&disk) == read(sound)
        };
        if unchanged(&path) {
            continue;
        }
        let (spool, mut recovered) = open(&disk).unwrap_or_else(|error| panic!("{what}: {error}"));
        let two = recovered.messages.iter().position(|(_, message)| message.id == id(2));
        if let Some(two) = two {
            // Its length is right: it is found when it is to be sent.
            let (_, message) = recovered.messages.remove(two);
            assert!(matches!(spool.body(&message), Err(SpoolError::Damaged { .. })), "{what}");
            spool.set_aside(id(2)).await.unwrap();
        } else {
            assert_eq!(recovered.damaged.len(), 1, "{what}");
        }
        assert_eq!(whole(&spool, &recovered), [1, 3], "{what}");
        assert!(disk.names(&places().corrupt()).iter().any(|name| name.ends_with(".active")), "{what}");
        let (_, again) = open(&disk).unwrap();
        assert_eq!((again.messages.len(), again.damaged.len()), (2, 0), "{what}");
    }
}

#[tokio::test]
async fn swapped_files_are_found() {
    let sound = three().await;
    let disk = sound.copy();
    let (one, two) = (places().body(id(1)), places().body(id(2)));
    let mut first = Vec::new();
    disk.damage(&one, |octets| first.clone_from(octets));
    let mut second = Vec::new();
    disk.damage(&two, |octets| second = std::mem::replace(octets, first));
    disk.damage(&one, |octets| *octets = second);
    let (_, recovered) = open(&disk).unwrap();
    assert_eq!((recovered.messages.len(), recovered.damaged.len()), (1, 2));

    let disk = sound.copy();
    let mut control = Vec::new();
    disk.damage(&places().control(Place::Active, id(1)), |octets| control.clone_from(octets));
    disk.damage(&places().control(Place::Active, id(2)), |octets| *octets = control);
    let (_, recovered) = open(&disk).unwrap();
    let wrong = &recovered.damaged[0];
    assert!(wrong.0 == id(2) && wrong.1.contains("is that of message"), "{wrong:?}");
}

#[tokio::test]
async fn a_message_without_octets_is_damaged_and_octets_without_a_message_are_nothing() {
    let disk = three().await;
    disk.remove(&places().body(id(1))).unwrap();
    disk.remove(&places().control(Place::Active, id(2))).unwrap();
    let (_, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.damaged, [(id(1), "its octets are missing".to_owned())]);
    assert_eq!((recovered.messages.len(), recovered.removed), (1, 1));
}

#[tokio::test]
async fn a_message_in_one_file_keeps_its_octets_wherever_it_goes() {
    let disk = three_with(1000).await;
    assert_eq!(disk.names(&places().bodies()), Vec::<String>::new());
    let (spool, _) = open_with(&disk, 0).unwrap();
    let mut two = message(2, 2);
    two.attempts = 1;
    spool.update(&mut two, Place::Deferred).await.unwrap();
    spool.update(&mut two, Place::Deferred).await.unwrap();
    for number in 1..=3 {
        let (_, message) = spool.load(id(number)).unwrap();
        let body = spool.body(&message).unwrap();
        let mut room = vec![0; 1000];
        let count = body.read_at(0, &mut room).unwrap();
        assert_eq!(room[..count], octets(number));
    }
    spool.remove(id(2)).await.unwrap();
    drop(spool);
    let (spool, recovered) = open(&disk).unwrap();
    assert_eq!((whole(&spool, &recovered), recovered.removed), (vec![1, 3], 0));
}

#[tokio::test]
async fn foreign_files_are_named_and_left_alone() {
    let disk = three().await;
    let planted = [
        places().root().join("notes.txt"),
        places().folder(Place::Active).join("README"),
        places().folder(Place::Deferred).join(id(9).to_string().to_uppercase()),
        places().bodies().join("core"),
        places().incoming().join("x~y"),
    ];
    for path in &planted {
        disk.plant(path, b"mine");
    }
    let (_, recovered) = open(&disk).unwrap();
    let mut found: Vec<_> = recovered.foreign.iter().map(|foreign| foreign.path.clone()).collect();
    found.sort();
    let mut expected = planted.to_vec();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(recovered.messages.len(), 3);
    for path in &planted {
        disk.damage(path, |octets| assert_eq!(octets, b"mine"));
    }
}

#[tokio::test]
async fn of_two_control_files_the_newer_one_is_meant() {
    use crate::spool::control::encode;
    for (version, expected) in [(2, Place::Deferred), (1, Place::Deferred), (0, Place::Active)] {
        let disk = three().await;
        let mut other = message(1, 2);
        other.version = version;
        disk.plant(&places().control(Place::Deferred, id(1)), &encode(&other).unwrap());
        let (_, recovered) = open(&disk).unwrap();
        assert_eq!((recovered.messages.len(), recovered.removed), (3, 1), "{version}");
        assert_eq!(recovered.messages[0].0, expected, "{version}");
    }
}

#[tokio::test]
async fn control_files_of_another_version_stop_the_start() {
    let disk = three().await;
    disk.damage(&places().control(Place::Active, id(1)), |octets| {
        *octets = crate::spool::control::with_heading("3", b"{\"id\":7}");
    });
    let error = open(&disk).unwrap_err();
    assert!(matches!(error, SpoolError::OtherVersion { .. }), "{error}");
    assert_eq!(disk.names(&places().folder(Place::Active)).len(), 3);
}
