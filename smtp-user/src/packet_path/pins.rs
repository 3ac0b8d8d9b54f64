//! Names of everything under the pin folder, and the folder itself.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock, statfs};
use smtp_common::abi;

use crate::packet_path::error::{PacketPathError, Result};

/// Magic number of a BPF file system (`BPF_FS_MAGIC`).
const BPF_FS_MAGIC: u32 = 0xcafe_4a11;

/// What a link is attached to.
const LINK_KINDS: [&str; 2] = ["xdp", "tcx"];

/// The pin folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pins {
    dir: PathBuf,
}

impl Pins {
    /// Of a folder that need not exist.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Pin of a map.
    pub fn map(&self, name: &str) -> PathBuf {
        self.dir.join(name.to_lowercase())
    }

    /// Pin of a program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(format!("prog_{name}"))
    }

    /// Pin of a link; `kind` is `xdp` or `tcx`. Dots are not allowed in a BPF file system's names.
    pub fn link(&self, interface: &str, kind: &str) -> PathBuf {
        self.dir.join(format!("link_{}_{kind}", interface.replace('.', ":")))
    }

    /// Gives the links of interfaces that were renamed their new names, which may be those of others that move too.
    pub fn move_links(&self, moves: &[(&str, &str)]) -> Result<()> {
        let aside = |position: usize, kind: &str| self.dir.join(format!("moving_{position}_{kind}"));
        let rename = |from: PathBuf, to: PathBuf| match fs::rename(&from, to) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(PacketPathError::Pin { path: from, source: error })
            }
            _ => Ok(()),
        };
        for kind in LINK_KINDS {
            for (position, (from, _)) in moves.iter().enumerate() {
                rename(self.link(from, kind), aside(position, kind))?;
            }
            for (position, (_, to)) in moves.iter().enumerate() {
                rename(aside(position, kind), self.link(to, kind))?;
            }
        }
        Ok(())
    }

    /// Whether maps were made here.
    pub fn exist(&self) -> bool {
        self.map(abi::map::ABI).exists()
    }

    /// Makes the folder.
    pub fn create(&self) -> Result<()> {
        let parent = self.dir.parent().unwrap_or(Path::new("/"));
        let magic = statfs(parent).map(|fs| fs.f_type);
        if !magic.is_ok_and(|magic| u32::try_from(magic & 0xffff_ffff) == Ok(BPF_FS_MAGIC)) {
            return Err(PacketPathError::NoBpfFileSystem { dir: self.dir.clone() });
        }
        match fs::create_dir(&self.dir) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                Err(PacketPathError::NoRights { what: format!("make {}", self.dir.display()) })
            }
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(self.failed(error)),
            _ => Ok(()),
        }
    }

    /// Removes every pin, and the folder.
    pub fn remove(&self) -> Result<()> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(|error| self.failed(error))?,
        };
        for entry in entries {
            let path = entry.map_err(|error| self.failed(error))?.path();
            // The only folders are locks.
            let removed = if path.is_dir() { fs::remove_dir(&path) } else { fs::remove_file(&path) };
            removed.map_err(|source| PacketPathError::Pin { path, source })?;
        }
        fs::remove_dir(&self.dir).map_err(|error| self.failed(error))
    }

    /// Takes the folder for changes that must not meet another process's; held until the guard goes.
    /// `None` when another process has it.
    pub fn lock(&self) -> Result<Option<fs::File>> {
        let folder = fs::File::open(&self.dir).map_err(|error| self.failed(error))?;
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(folder)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(self.failed(error.into())),
        }
    }

    /// Waits for a lock that all processes share, by its name, and holds it until the guard goes. The lock is a
    /// folder: files of a BPF file system cannot be opened.
    pub fn wait_for(&self, name: &str) -> Result<fs::File> {
        let path = self.dir.join(name);
        let wrap = |source| PacketPathError::Pin { path: path.clone(), source };
        match fs::create_dir(&path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(wrap(error)),
            _ => {}
        }
        let folder = fs::File::open(&path).map_err(wrap)?;
        flock(&folder, FlockOperation::LockExclusive).map_err(|error| wrap(error.into()))?;
        Ok(folder)
    }

    fn failed(&self, source: std::io::Error) -> PacketPathError {
        PacketPathError::Pin { path: self.dir.clone(), source }
    }
}
