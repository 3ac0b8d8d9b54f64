//! How much of the past is kept.

use std::path::PathBuf;

/// Where records are written, and how much is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The folder; made if it is not there.
    pub folder: PathBuf,
    /// Octets of one file at most; then the next is begun.
    pub max_file: u64,
    /// Octets of all files together at most; the oldest are removed.
    pub keep: u64,
}

impl Config {
    /// The folder of records within a data folder, and the default bounds.
    pub fn within(data_dir: &std::path::Path) -> Self {
        Self { folder: data_dir.join(FOLDER), max_file: DEFAULT_MAX_FILE, keep: DEFAULT_KEEP }
    }

    /// The dequeuer's share: files that nobody else writes.
    #[must_use]
    pub fn of_dequeuer(&self) -> Self {
        let max_file = (self.max_file / SHARE).max(MIN_MAX_FILE);
        Self { folder: self.folder.join(DEQUEUER), max_file, keep: self.keep / SHARE }
    }

    /// What the dequeuer leaves to all others.
    #[must_use]
    pub fn beside_dequeuer(&self) -> Self {
        Self { keep: self.keep - self.keep / SHARE, ..self.clone() }
    }
}

/// Name of the folder within the data folder.
pub const FOLDER: &str = "records";
/// Folder of the dequeuer's records within that of all.
pub const DEQUEUER: &str = "dequeuer";
/// The dequeuer has a quarter: of a message it says a few lines, where its session says a dozen.
const SHARE: u64 = 4;
/// 64 MiB: some twenty thousand sessions, read through in a second.
pub const DEFAULT_MAX_FILE: u64 = 64 << 20;
/// 4 GiB: weeks of a middling server.
pub const DEFAULT_KEEP: u64 = 4 << 30;
/// 64 KiB: smaller files would be nothing but file names.
pub const MIN_MAX_FILE: u64 = 64 << 10;
