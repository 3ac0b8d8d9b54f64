//! The same on the real file system: rights, locks, files of others, damage, and the end of a message's time.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::rig::{id, is_whole, keep, octets};
use crate::quarantine::entry::Release;
use crate::quarantine::error::QuarantineError;
use crate::quarantine::store::Store;

#[tokio::test]
async fn nobody_but_the_owner_may_look_into_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("quarantine");
    let (store, opened) = Store::open(&root).unwrap();
    assert_eq!((opened.messages, opened.removed), (0, 0));
    keep(&store, 1).await.unwrap();
    assert!(is_whole(&store, 1));
    for name in ["", "entry", "body", "incoming"] {
        assert_eq!(fs::metadata(root.join(name)).unwrap().mode() & 0o777, 0o700, "{name}");
    }
    for name in ["entry", "body"] {
        let path = root.join(name).join(id(1).to_string());
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600, "{name}");
    }
    // Rights that somebody widened are mended at the next start.
    drop(store);
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
    let (_, opened) = Store::open(&root).unwrap();
    assert_eq!(opened.messages, 1);
    assert_eq!(fs::metadata(&root).unwrap().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_message_is_claimed_by_one_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let (daemon, _) = Store::open(folder.path()).unwrap();
    keep(&daemon, 1).await.unwrap();
    let command = Store::at(folder.path());
    let mut claim = command.claim(id(1)).unwrap();
    assert!(matches!(daemon.claim(id(1)), Err(QuarantineError::Busy { .. })));
    assert_eq!(daemon.expire(u64::MAX).unwrap(), 0, "it is claimed");
    claim.set(Release::Releasing { since: 7, to: "192.0.2.2:25".to_owned() }).unwrap();
    drop(claim);
    let again = daemon.claim(id(1)).unwrap();
    assert_eq!(again.entry().unwrap().release.name(), "releasing");
    drop(again);
    assert_eq!(daemon.expire(u64::MAX).unwrap(), 0, "nobody knows whether it arrived");
}

#[tokio::test]
async fn its_time_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path()).unwrap();
    for number in 1..=3 {
        keep(&store, number).await.unwrap();
    }
    assert_eq!(store.expire(1000).unwrap(), 0);
    assert_eq!(store.expire(1002).unwrap(), 2);
    assert!(matches!(store.get(id(2)), Err(QuarantineError::NotThere { .. })));
    assert!(matches!(store.claim(id(2)), Err(QuarantineError::NotThere { .. })));
    assert!(is_whole(&store, 3));
    assert_eq!(fs::read_dir(folder.path().join("body")).unwrap().count(), 1);
}

#[tokio::test]
async fn what_is_not_its_own_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let (store, _) = Store::open(root).unwrap();
    keep(&store, 1).await.unwrap();
    let target = root.join("target");
    fs::write(&target, "somebody's").unwrap();
    let strange = [
        root.join("notes.txt"),
        root.join("body/README"),
        root.join("entry").join(format!("{}.bak", id(1))),
        root.join("incoming/x"),
    ];
    for path in &strange {
        fs::write(path, "somebody's").unwrap();
    }
    let link = root.join("entry").join(id(9).to_string());
    symlink(&target, &link).unwrap();
    let made = root.join("body").join(id(8).to_string());
    fs::create_dir(&made).unwrap();
    drop(store);
    let (store, opened) = Store::open(root).unwrap();
    assert_eq!((opened.messages, opened.removed), (1, 0));
    let named: Vec<_> = opened.foreign.iter().map(|foreign| foreign.path.clone()).collect();
    for path in strange.iter().chain([&target, &link, &made]) {
        assert!(named.contains(path), "{} is not named", path.display());
        assert!(fs::symlink_metadata(path).is_ok());
    }
    assert_eq!(named.len(), 7);
    let sentence = opened.foreign.iter().find(|foreign| foreign.path == link).unwrap().to_string();
    assert!(sentence.ends_with("is left alone: it is no ordinary file"), "{sentence}");
    assert_eq!(store.list().unwrap().entries.len(), 1);
}

#[tokio::test]
async fn octets_or_entries_that_were_changed_are_not_given_out() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let (store, _) = Store::open(root).unwrap();
    for number in 1..=3 {
        keep(&store, number).await.unwrap();
    }
    let body = root.join("body").join(id(1).to_string());
    let mut changed = octets(1);
    changed[0] ^= 1;
    fs::write(&body, changed).unwrap();
    let entry = store.get(id(1)).unwrap();
    assert!(matches!(store.body(&entry), Err(QuarantineError::Damaged { .. })));

    let path = root.join("entry").join(id(2).to_string());
    let text = fs::read_to_string(&path).unwrap().replace("b@example.com", "c@example.com");
    fs::write(&path, text).unwrap();
    let listing = store.list().unwrap();
    assert_eq!((listing.entries.len(), listing.damaged.len()), (2, 1));
    let claim = store.claim(id(2)).unwrap();
    assert!(matches!(claim.entry(), Err(QuarantineError::Damaged { .. })));
    claim.delete().unwrap();
    assert!(store.list().unwrap().damaged.is_empty());

    fs::remove_file(root.join("body").join(id(3).to_string())).unwrap();
    let claim = store.claim(id(3)).unwrap();
    assert!(matches!(claim.body(), Err(QuarantineError::Damaged { .. })));
}

#[test]
fn a_folder_that_was_never_made_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(&folder.path().join("quarantine"));
    assert!(store.list().unwrap().entries.is_empty());
    assert!(!folder.path().join("quarantine").exists(), "a command makes nothing");
}

#[test]
fn a_link_in_its_place_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("quarantine");
    symlink(folder.path(), &link).unwrap();
    assert!(matches!(Store::open(&link), Err(QuarantineError::NotAFolder { .. })));
}
