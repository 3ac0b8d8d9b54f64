//! The system's own files.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

use crate::model::message_octets::MessageOctets;
use crate::spool::file_system::{FileSystem, Found, FoundKind, NewFile, Space, Unsynced};

/// The system's own files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl FileSystem for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(no_follow())
            .open(path)?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn MessageOctets>> {
        let file = OpenOptions::new().read(true).custom_flags(no_follow() | no_wait()).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not an ordinary file"));
        }
        Ok(Box::new(DiskFile { file, octets: metadata.len() }))
    }

    fn mark(&self, path: &Path, places: &[u64], octet: u8) -> io::Result<Box<dyn Unsynced>> {
        let file = OpenOptions::new().write(true).custom_flags(no_follow() | no_wait()).open(path)?;
        for place in places {
            file.write_all_at(&[octet], *place)?;
        }
        Ok(Box::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(path)
    }

    fn open_folder(&self, path: &Path) -> io::Result<Box<dyn Unsynced>> {
        Ok(Box::new(Folder(File::open(path)?)))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        // A name that is not text is none of ours; it is shown as well as it can be.
        fs::read_dir(path)?
            .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn look(&self, path: &Path) -> io::Result<Found> {
        let metadata = fs::symlink_metadata(path)?;
        let kind = match metadata.file_type() {
            kind if kind.is_file() => FoundKind::File,
            kind if kind.is_dir() => FoundKind::Folder,
            _ => FoundKind::Other,
        };
        Ok(Found { kind, octets: metadata.len(), owner: metadata.uid() })
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let state = rustix::fs::statvfs(path)?;
        // A file system without a fixed number of files says that there are none.
        let files = if state.f_files == 0 { u64::MAX } else { state.f_favail };
        Ok(Space { octets: state.f_bavail.saturating_mul(state.f_frsize), files })
    }
}

impl NewFile for File {
    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.write_all(octets)
    }
}

impl Unsynced for File {
    fn sync(&mut self) -> io::Result<()> {
        // The length is among what this makes last; the time of the last change need not.
        self.sync_data()
    }
}

/// A folder in which names have changed.
#[derive(Debug)]
struct Folder(File);

impl Unsynced for Folder {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// A file that is read.
#[derive(Debug)]
struct DiskFile {
    file: File,
    octets: u64,
}

impl MessageOctets for DiskFile {
    fn len(&self) -> u64 {
        self.octets
    }

    fn read_at(&self, offset: u64, room: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(room, offset)
    }

    fn as_file(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }
}

/// A pipe in the place of a file is opened at once, and refused, whether somebody is at its other end or not. Ordinary
/// files know nothing of it.
const fn no_wait() -> i32 {
    OFlags::NONBLOCK.bits().cast_signed()
}

const fn no_follow() -> i32 {
    OFlags::NOFOLLOW.bits().cast_signed()
}
