//! The folder of record files. Names are the times at which files were begun, so that they sort.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::audit::error::{RecordsError, Result};
use crate::audit::timestamp;

/// How names of record files end.
pub const EXTENSION: &str = "jsonl";

/// A record file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordFile {
    /// When it was begun, in the form of a record's time.
    pub begun: String,
    /// Where it is.
    pub path: PathBuf,
}

/// The record files of a folder, oldest first.
pub fn files(folder: &Path) -> Result<Vec<RecordFile>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| RecordsError::of(folder, error))? {
        let path = entry.map_err(|error| RecordsError::of(folder, error))?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if path.extension().is_some_and(|extension| extension == EXTENSION)
            && let Some(stem) = stem
            && timestamp::parse(stem).is_some()
            && stem.len() == timestamp::LENGTH
        {
            files.push(RecordFile { begun: stem.to_owned(), path });
        }
    }
    files.sort();
    Ok(files)
}

/// Makes the folder if need be, and keeps other daemons out of it for as long as the returned file is open.
pub(crate) fn claim(folder: &Path) -> Result<File> {
    let fail = |error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied => RecordsError::of(folder, error),
        _ => RecordsError::Io { path: folder.to_owned(), source: error },
    };
    // Records name senders and recipients: for the daemon's user and group only.
    fs::DirBuilder::new().recursive(true).mode(0o750).create(folder).map_err(fail)?;
    let handle = File::open(folder).map_err(fail)?;
    match handle.try_lock() {
        Ok(()) => Ok(handle),
        Err(fs::TryLockError::WouldBlock) => Err(RecordsError::InUse { path: folder.to_owned() }),
        Err(fs::TryLockError::Error(error)) => Err(fail(error)),
    }
}

/// Opens a file for records that come after those in it.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path)
}

/// Begins a file with a first line. It has its name only once the line is in it.
pub(crate) fn begin(folder: &Path, unix_micros: u64, first_line: &[u8]) -> io::Result<File> {
    let unnamed = folder.join("next");
    match fs::remove_file(&unnamed) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = open(&unnamed)?;
    file.write_all(first_line)?;
    fs::rename(&unnamed, path_of_new(folder, unix_micros))?;
    Ok(file)
}

/// Path of a file that is begun now; a moment later if there is one already.
pub(crate) fn path_of_new(folder: &Path, mut unix_micros: u64) -> PathBuf {
    loop {
        let path = folder.join(format!("{}.{EXTENSION}", timestamp::format(unix_micros)));
        if !path.exists() {
            return path;
        }
        unix_micros += 1;
    }
}

/// Removes the oldest files until all together have at most so many octets; the newest stays in any case.
pub(crate) fn prune(folder: &Path, keep: u64) -> Result<()> {
    let files = files(folder)?;
    let mut total = 0;
    let mut too_old = Vec::new();
    for file in files.into_iter().rev() {
        total += fs::metadata(&file.path).map_or(0, |metadata| metadata.len());
        if total > keep {
            too_old.push(file.path);
        }
    }
    // The first that was looked at is the one that is being written.
    for path in too_old {
        fs::remove_file(&path).map_err(|error| RecordsError::of(&path, error))?;
    }
    Ok(())
}
