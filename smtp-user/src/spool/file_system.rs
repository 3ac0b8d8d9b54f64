//! What the spool asks of a file system. Every call it makes goes through here, so that tests can count, fail and cut them.

pub mod disk;
pub mod lock_file;

use std::fmt::Debug;
use std::io;
use std::path::Path;

use crate::model::message_octets::MessageOctets;

/// A file system.
pub trait FileSystem: Debug + Send + Sync {
    /// Makes a file that was not there; only its owner may read it.
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>>;
    /// Opens a file for reading; a symbolic link is not followed.
    fn open(&self, path: &Path) -> io::Result<Box<dyn MessageOctets>>;
    /// Writes an octet at some places of a file, over those that are there, and gives the file to be synced.
    fn mark(&self, path: &Path, places: &[u64], octet: u8) -> io::Result<Box<dyn Unsynced>>;
    /// Gives a file another name, in place of whatever had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes a folder that only its owner may look into.
    fn make_folder(&self, path: &Path) -> io::Result<()>;
    /// Gives a folder whose names are to be synced.
    fn open_folder(&self, path: &Path) -> io::Result<Box<dyn Unsynced>>;
    /// Has the names in a folder outlast a loss of power.
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.open_folder(path)?.sync()
    }
    /// What is in a folder.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// What stands at a path, symbolic links not followed.
    fn look(&self, path: &Path) -> io::Result<Found>;
    /// How much room there is.
    fn space(&self, path: &Path) -> io::Result<Space>;
}

/// Something with changes that a loss of power would undo.
pub trait Unsynced: Debug + Send {
    /// Has them outlast it.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file that is being written.
pub trait NewFile: Unsynced {
    /// Adds octets.
    fn write(&mut self, octets: &[u8]) -> io::Result<()>;
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: FoundKind,
    /// Octets, of a file.
    pub octets: u64,
    /// Number of the user it belongs to.
    pub owner: u32,
}

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundKind {
    /// An ordinary file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, a device, a socket.
    Other,
}

/// How much room there is for whoever is not the superuser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Octets.
    pub octets: u64,
    /// Files.
    pub files: u64,
}
