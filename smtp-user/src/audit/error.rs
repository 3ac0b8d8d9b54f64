//! Why records cannot be written or read.

use std::io;
use std::path::{Path, PathBuf};

/// Why records cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// No gateway with `inspect` rules has run here, or another data folder was meant.
    #[error("there is no folder of records {}: name another with --records, or the configuration file with --config", path.display())]
    NoFolder {
        /// The path.
        path: PathBuf,
    },
    /// Run as another user than the daemon.
    #[error("{} may not be read", path.display())]
    NoRights {
        /// The path.
        path: PathBuf,
    },
    /// Another daemon writes there.
    #[error("another daemon writes into {}", path.display())]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// A full or failing disk.
    #[error("records in {}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl RecordsError {
    pub(crate) fn of(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NoFolder { path },
            io::ErrorKind::PermissionDenied => Self::NoRights { path },
            _ => Self::Io { path, source },
        }
    }
}

/// Results of this module.
pub type Result<T> = std::result::Result<T, RecordsError>;
