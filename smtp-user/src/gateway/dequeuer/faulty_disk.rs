//! A disk with which a delivery ends by a fault of this program: once, at the second look into a large message.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::model::message_octets::MessageOctets;
use crate::spool::file_system::disk::Disk;
use crate::spool::file_system::{FileSystem, Found, NewFile, Space, Unsynced};

/// The disk.
#[derive(Debug, Default)]
pub(super) struct FaultyDisk {
    faults: Arc<AtomicU32>,
}

impl FaultyDisk {
    /// How often it has happened.
    pub(super) fn faults(&self) -> u32 {
        self.faults.load(Ordering::SeqCst)
    }
}

impl FileSystem for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        Disk.create(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn MessageOctets>> {
        let inner = Disk.open(path)?;
        Ok(Box::new(Faulty { inner, looks: AtomicU32::new(0), faults: Arc::clone(&self.faults) }))
    }

    fn mark(&self, path: &Path, places: &[u64], octet: u8) -> io::Result<Box<dyn Unsynced>> {
        Disk.mark(path, places, octet)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Disk.remove(path)
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        Disk.make_folder(path)
    }

    fn open_folder(&self, path: &Path) -> io::Result<Box<dyn Unsynced>> {
        Disk.open_folder(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        Disk.list(path)
    }

    fn look(&self, path: &Path) -> io::Result<Found> {
        Disk.look(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        Disk.space(path)
    }
}

/// The first look is that which compares; it is in a task of its own. The second is the delivery's.
struct Faulty {
    inner: Box<dyn MessageOctets>,
    looks: AtomicU32,
    faults: Arc<AtomicU32>,
}

impl MessageOctets for Faulty {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, room: &mut [u8]) -> io::Result<usize> {
        let is_second = offset == 0 && self.looks.fetch_add(1, Ordering::SeqCst) == 1;
        assert!(!is_second || self.faults.fetch_add(1, Ordering::SeqCst) > 0, "a fault that is meant");
        self.inner.read_at(offset, room)
    }
}
