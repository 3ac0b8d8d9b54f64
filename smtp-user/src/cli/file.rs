//! Files that are read whole and written whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::cli::exit_code::ExitCode;

/// Octets of a file at most: it is worked on in memory.
pub(super) const MAX_FILE: u64 = 1 << 30;

/// Why a file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("{} cannot be written: {source}{}", path.display(), there(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// More than is worked on in memory.
    #[error("{} is larger than {limit} octets", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Octets at most.
        limit: u64,
    },
}

impl From<&FileError> for ExitCode {
    fn from(error: &FileError) -> Self {
        match error {
            FileError::Read { .. } => Self::NoInput,
            FileError::Write { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Self::Permission
            }
            FileError::Write { .. } => Self::Io,
            FileError::TooLarge { .. } => Self::Data,
        }
    }
}

fn there(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::AlreadyExists { "; `--force` writes over it" } else { "" }
}

/// Reads a file of a length that is not too great.
pub(super) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let mut octets = Vec::new();
    File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut octets)).map_err(failed)?;
    if octets.len() as u64 > limit {
        return Err(FileError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(octets)
}

/// Writes a file whole or not at all: it gets its name when all of it is there.
pub(super) fn write(path: &Path, octets: &[u8], force: bool, mode: u32) -> Result<(), FileError> {
    let failed = |source| FileError::Write { path: path.to_owned(), source };
    if !force && path.exists() {
        return Err(failed(io::ErrorKind::AlreadyExists.into()));
    }
    let mut partial = path.to_owned();
    partial.as_mut_os_string().push(".part");
    let mut options = OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(mode).open(&partial).map_err(failed)?;
    let written = file.write_all(octets).and_then(|()| file.sync_all());
    let written = written.and_then(|()| std::fs::rename(&partial, path));
    written.map_err(|source| {
        // What there is of it is of no use.
        let _ = std::fs::remove_file(&partial);
        failed(source)
    })
}
