//! A file system of one's own, so that peers do not wait for each other's journal, nor depend on what the scratch folder
//! is on: ext4 as `mkfs.ext4` makes it, in a file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use nix::mount::{MntFlags, umount2};

use crate::netns::{quiet, require};
use crate::skipped::Skipped;

/// A file system that goes with this value.
#[derive(Debug)]
pub(crate) struct OwnDisk {
    folder: PathBuf,
    image: PathBuf,
}

/// Octets of the file system; the file has holes. Enough files for 100,000 messages.
const OCTETS: u64 = 6 << 30;

impl OwnDisk {
    /// Mounts a new file system at a folder.
    pub(crate) fn mount(folder: &Path) -> Result<Self> {
        for tool in ["mkfs.ext4", "mount"] {
            require(tool).map_err(|error| Skipped::because(format!("{error}")))?;
        }
        let image = folder.with_extension("img");
        File::create_new(&image)?.set_len(OCTETS).context("making a file for a file system")?;
        quiet(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        quiet(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(folder))
            .map_err(|error| Skipped::because(format!("no file system can be mounted: {error:#}")))?;
        Ok(Self { folder: folder.to_owned(), image })
    }
}

impl Drop for OwnDisk {
    fn drop(&mut self) {
        if let Err(error) = umount2(&self.folder, MntFlags::MNT_DETACH) {
            eprintln!("left behind: {}: {error}", self.folder.display());
        }
        let _ = fs::remove_file(&self.image);
    }
}
