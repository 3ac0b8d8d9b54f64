//! The key of locked files: a file with 64 hexadecimal digits, made where there is none.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::action::clk::LockKey;

/// Its name in the data folder.
pub const FILE: &str = "lock.key";
/// Octets of a key file at most.
const MAX_KEY: u64 = 1024;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum LockKeyError {
    /// Its file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Its file cannot be made.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Not 64 hexadecimal digits.
    #[error("{} holds no key: it takes 64 hexadecimal digits", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The system gives no random octets: this does not happen.
    #[error("the system has no chance to give")]
    Chance,
}

/// Reads a key.
pub fn read(path: &Path) -> Result<LockKey, LockKeyError> {
    let failed = |source| LockKeyError::Read { path: path.to_owned(), source };
    let mut octets = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_KEY).read_to_end(&mut octets)).map_err(failed)?;
    let key = std::str::from_utf8(&octets).ok().and_then(LockKey::from_hex);
    key.ok_or_else(|| LockKeyError::Malformed { path: path.to_owned() })
}

/// Reads a key, or makes one if there is no file: whole or not at all, for its owner's eyes.
pub fn read_or_make(path: &Path) -> Result<LockKey, LockKeyError> {
    match read(path) {
        Err(LockKeyError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => make(path),
        read => read,
    }
}

fn make(path: &Path) -> Result<LockKey, LockKeyError> {
    let mut octets = [0; 32];
    aws_lc_rs::rand::fill(&mut octets).map_err(|_| LockKeyError::Chance)?;
    let key = LockKey::new(octets);
    let mut partial = path.to_owned();
    partial.as_mut_os_string().push(".part");
    let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial);
    let written = written.and_then(|mut file| {
        file.write_all(format!("{}\n", key.to_hex()).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&partial, path)
    });
    written.map_err(|source| LockKeyError::Write { path: path.to_owned(), source })?;
    Ok(key)
}
