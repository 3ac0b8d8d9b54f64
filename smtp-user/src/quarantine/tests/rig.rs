//! Messages and quarantines for the tests.

use std::path::Path;
use std::sync::Arc;

use crate::quarantine::entry::Entry;
use crate::quarantine::error::Result;
pub(super) use crate::quarantine::fixture::{entry, id};
use crate::quarantine::found::Opened;
use crate::quarantine::opening;
use crate::quarantine::store::Store;
use crate::spool::tests::memory_disk::MemoryDisk;

pub(super) const ROOT: &str = "/quarantine";

/// Octets of a message, different for each.
pub(super) fn octets(number: u32) -> Vec<u8> {
    format!("Subject: message {number}\r\n\r\n{}\r\n", "x".repeat(number as usize * 100)).into_bytes()
}

pub(super) fn disk() -> MemoryDisk {
    MemoryDisk::with_folder(Path::new(ROOT))
}

pub(super) fn open(disk: &MemoryDisk) -> Result<(Store, Opened)> {
    let store = Store::with(Path::new(ROOT), Arc::new(disk.clone()));
    let opened = opening::prepare(&store, true)?;
    Ok((store, opened))
}

pub(super) async fn keep(store: &Store, number: u32) -> Result<Entry> {
    store.keep(entry(number), &octets(number)).await
}

/// Whether a message is there, whole.
pub(super) fn is_whole(store: &Store, number: u32) -> bool {
    let Ok(entry) = store.get(id(number)) else { return false };
    let Ok(body) = store.body(&entry) else { return false };
    let mut room = vec![0; usize::try_from(body.len()).unwrap()];
    body.read_at(0, &mut room).unwrap();
    room == octets(number)
}
