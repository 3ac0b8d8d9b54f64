//! What a spool is opened with.

use std::path::PathBuf;

/// What a spool is opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Its folder. It must exist and be the daemon's own: a folder that is only not mounted yet is no empty spool.
    pub folder: PathBuf,
    /// Messages at most, those in quarantine not counted; `None` is no limit but the file system's.
    pub limit: Option<u64>,
    /// Octets that the file system keeps free: below, no mail is taken.
    pub min_free_octets: u64,
    /// Files that the file system has room for at least: below, no mail is taken.
    pub min_free_files: u64,
    /// Messages of so many octets at most stand in one file with what is known of them.
    pub together: u64,
}

impl Config {
    /// The defaults, in a folder.
    pub fn within(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            limit: None,
            min_free_octets: DEFAULT_MIN_FREE_OCTETS,
            min_free_files: DEFAULT_MIN_FREE_FILES,
            together: TOGETHER,
        }
    }
}

/// 256 MiB: two messages of the largest default size, and what delivery itself writes.
pub const DEFAULT_MIN_FREE_OCTETS: u64 = 256 << 20;
/// Enough for the messages that are being received when the floor is reached.
pub const DEFAULT_MIN_FREE_FILES: u64 = 10_000;
/// What is copied at each attempt that fails is to be little.
pub const TOGETHER: u64 = 64 << 10;
