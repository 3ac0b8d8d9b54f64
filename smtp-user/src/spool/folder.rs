//! The spool's folder: made ready, locked, and refused in one sentence if it is not what it should be.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::spool::error::{Result, SpoolError};
use crate::spool::file_system::lock_file::try_lock;
use crate::spool::file_system::{FileSystem, FoundKind};
use crate::spool::place::{KNOWN, Places, Side};

/// Whether a folder can be read as a spool, for whoever only wants to look at it; an empty one is a spool not begun yet.
pub fn check(root: &Path) -> Result<()> {
    folder(root)?;
    refuse_foreign(root, &Places::new(root))
}

/// Keeps other processes of its side out for as long as the returned file is open.
pub fn claim(root: &Path, side: Side) -> Result<File> {
    let user = rustix::process::geteuid().as_raw();
    let metadata = folder(root)?;
    if metadata.uid() != user {
        return Err(SpoolError::WrongOwner { path: root.to_owned(), owner: metadata.uid(), user });
    }
    let places = Places::new(root);
    refuse_foreign(root, &places)?;
    let path = match side {
        Side::Receiver => places.receiver_lock(),
        Side::Dequeuer => places.lock(),
    };
    let lock = try_lock(&path).map_err(|error| SpoolError::of(&path, error))?;
    lock.ok_or_else(|| SpoolError::InUse { path: root.to_owned() })
}

fn folder(root: &Path) -> Result<fs::Metadata> {
    let metadata = fs::symlink_metadata(root).map_err(|error| no_folder(root, error))?;
    if metadata.is_dir() { Ok(metadata) } else { Err(SpoolError::NotAFolder { path: root.to_owned() }) }
}

/// A folder that has other things in it was not meant.
fn refuse_foreign(root: &Path, places: &Places) -> Result<()> {
    if fs::symlink_metadata(places.format()).is_ok() {
        return Ok(());
    }
    for entry in fs::read_dir(root).map_err(|error| SpoolError::of(root, error))? {
        let name = entry.map_err(|error| SpoolError::of(root, error))?.file_name();
        let name = name.to_string_lossy();
        if !KNOWN.contains(&name.as_ref()) && name != "lost+found" {
            return Err(SpoolError::NotASpool { path: root.to_owned(), found: name.into_owned() });
        }
    }
    Ok(())
}

/// Sees to it that it is a spool of the version that is known here, with all its sub-folders.
pub(crate) fn prepare(file_system: &dyn FileSystem, places: &Places) -> Result<()> {
    let root = places.root();
    let format = places.format();
    match read_small(file_system, &format) {
        Ok(text) if text == FORMAT => {}
        // What an earlier version writes is understood as it stands.
        Ok(text) if text.is_empty() || text == EARLIER => write_format(file_system, places)?,
        Ok(text) => {
            let found = text.trim_end().chars().take(64).collect();
            return Err(SpoolError::OtherVersion { path: root.to_owned(), found, known: FORMAT.trim_end() });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => write_format(file_system, places)?,
        Err(error) => return Err(SpoolError::of(&format, error)),
    }
    let owner = file_system.look(root).map_err(|error| no_folder(root, error))?.owner;
    let mut made = false;
    for folder in places.sub_folders() {
        match file_system.look(&folder) {
            Ok(found) if found.kind != FoundKind::Folder => {
                return Err(SpoolError::NotAFolder { path: folder });
            }
            Ok(found) if found.owner != owner => {
                return Err(SpoolError::WrongOwner { path: folder, owner: found.owner, user: owner });
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                file_system.make_folder(&folder).map_err(|error| SpoolError::of(&folder, error))?;
                made = true;
            }
            Err(error) => return Err(SpoolError::of(&folder, error)),
        }
    }
    if made {
        file_system.sync_folder(root).map_err(|error| SpoolError::of(root, error))?;
    }
    Ok(())
}

fn write_format(file_system: &dyn FileSystem, places: &Places) -> Result<()> {
    let format = places.format();
    let write = || {
        // An empty one is what a loss of power left of an earlier start.
        if file_system.look(&format).is_ok() {
            file_system.remove(&format)?;
        }
        let mut file = file_system.create(&format)?;
        file.write(FORMAT.as_bytes())?;
        file.sync()?;
        file_system.sync_folder(places.root())
    };
    write().map_err(|error| SpoolError::of(&format, error))
}

fn read_small(file_system: &dyn FileSystem, path: &Path) -> io::Result<String> {
    let file = file_system.open(path)?;
    let mut room = [0; 128];
    let count = file.read_at(0, &mut room)?;
    Ok(String::from_utf8_lossy(room.get(..count).unwrap_or_default()).into_owned())
}

fn no_folder(path: &Path, error: io::Error) -> SpoolError {
    match error.kind() {
        io::ErrorKind::NotFound => SpoolError::NoFolder { path: path.to_owned() },
        _ => SpoolError::of(path, error),
    }
}

const FORMAT: &str = "postern-spool 2\n";
/// Without files that several messages share.
const EARLIER: &str = "postern-spool 1\n";
