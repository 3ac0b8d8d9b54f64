//! Folders that are no spool: one sentence, and nothing is touched.

use std::fs;
use std::path::Path;

use super::rig::{commit, whole};
use crate::spool::config::Config;
use crate::spool::error::SpoolError;
use crate::spool::file_system::disk::Disk;
use crate::spool::folder::check;
use crate::spool::place::Place;
use crate::spool::recovery::{read_bundled, read_control};
use crate::spool::store::Spool;

fn open(folder: &Path) -> Result<(Spool, crate::spool::recovery::Recovered), SpoolError> {
    open_with(folder, crate::spool::config::TOGETHER)
}

fn open_with(folder: &Path, together: u64) -> Result<(Spool, crate::spool::recovery::Recovered), SpoolError> {
    Spool::open(&Config { min_free_octets: 0, min_free_files: 0, together, ..Config::within(folder) })
}

#[tokio::test]
async fn on_the_real_file_system_a_message_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, recovered) = open(folder.path()).unwrap();
    assert!(recovered.messages.is_empty());
    commit(&spool, 1, 3).await.unwrap();
    assert!(matches!(open(folder.path()), Err(SpoolError::InUse { .. })));
    drop(spool);
    let (spool, recovered) = open(folder.path()).unwrap();
    assert_eq!(whole(&spool, &recovered), [1]);
}

#[test]
fn a_folder_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let error = open(&path).unwrap_err();
    assert!(matches!(error, SpoolError::NoFolder { .. }), "{error}");
    assert!(!path.exists());
}

#[test]
fn a_symbolic_link_is_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let target = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    std::os::unix::fs::symlink(target.path(), &path).unwrap();
    assert!(matches!(open(&path), Err(SpoolError::NotAFolder { .. })));
    drop(open(target.path()).unwrap());
    fs::remove_dir(target.path().join("active")).unwrap();
    std::os::unix::fs::symlink(folder.path(), target.path().join("active")).unwrap();
    assert!(matches!(open(target.path()), Err(SpoolError::NotAFolder { .. })));
}

#[test]
fn whoever_only_looks_is_told_in_one_sentence_what_is_no_spool() {
    let folder = tempfile::tempdir().unwrap();
    let said = |path: &Path| check(path).unwrap_err().to_string();
    check(folder.path()).unwrap();
    drop(open(folder.path()).unwrap());
    check(folder.path()).unwrap();
    assert!(said(&folder.path().join("none")).starts_with("there is no spool folder "));
    assert!(said(&folder.path().join("format")).contains(" is no folder "));
    fs::remove_file(folder.path().join("format")).unwrap();
    fs::write(folder.path().join("mailbox"), "mine").unwrap();
    assert!(said(folder.path()).contains(" is no spool: it has `mailbox` in it"));
}

#[test]
fn a_link_in_place_of_the_lock_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let target = tempfile::tempdir().unwrap();
    let elsewhere = target.path().join("elsewhere");
    drop(open(folder.path()).unwrap());
    let lock = folder.path().join("lock");
    fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &lock).unwrap();
    assert!(matches!(open(folder.path()), Err(SpoolError::Io { .. })));
    assert!(!elsewhere.exists());
}

#[test]
fn a_folder_with_other_things_in_it_is_no_spool() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mailbox"), "mine").unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(
        error.to_string().contains("is no spool: it has `mailbox` in it, and no file `format`"),
        "{error}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_spool_of_another_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    fs::write(folder.path().join("format"), "postern-spool 3\n").unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("is of format `postern-spool 3`"), "{error}");
}

#[test]
fn a_start_that_was_cut_off_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("format"), "").unwrap();
    fs::write(folder.path().join("lock"), "").unwrap();
    drop(open(folder.path()).unwrap());
    assert_eq!(fs::read_to_string(folder.path().join("format")).unwrap(), "postern-spool 2\n");
}

#[tokio::test]
async fn a_link_in_place_of_a_message_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, _) = open_with(folder.path(), 0).unwrap();
    commit(&spool, 1, 1).await.unwrap();
    let body = spool.places().body(super::rig::id(1));
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(&body, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &body).unwrap();
    let message = super::rig::message(1, 1);
    assert!(matches!(spool.body(&message), Err(SpoolError::Damaged { .. })));
    drop(spool);
    let (_, recovered) = open(folder.path()).unwrap();
    assert_eq!(recovered.damaged.len(), 1);
    assert!(elsewhere.exists());
}

#[tokio::test]
async fn a_pipe_in_place_of_a_message_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let places = crate::spool::place::Places::new(folder.path());
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    let pipes = [
        places.control(Place::Active, super::rig::id(1)),
        places.body(super::rig::id(2)),
        places.bundles().join(super::rig::id(3).to_string()),
    ];
    for path in &pipes {
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    }
    let read = read_control(&Disk, &places, Place::Active, super::rig::id(1));
    assert!(matches!(read, Err(SpoolError::Io { .. })), "{read:?}");
    let _ = read_bundled(&Disk, &places).unwrap();
    let (_, recovered) = open(folder.path()).unwrap();
    assert_eq!((recovered.foreign.len(), recovered.messages.len()), (3, 0), "{:?}", recovered.foreign);
    assert!(pipes.iter().all(|path| path.exists()));
}
