//! Block devices in memory, the file system on one, and what is recorded of it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount, umount};

use crate::ledger::Mark;
use crate::messages::FOLDER;

/// The file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// With `data=ordered`, its default.
    Ext4,
    /// As it is.
    Xfs,
}

impl Kind {
    /// Octets of its device.
    pub(crate) const fn octets(self) -> u64 {
        match self {
            Self::Ext4 => 64 << 20,
            // Its maker refuses smaller ones.
            Self::Xfs => 300 << 20,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        }
    }

    const fn options(self) -> &'static str {
        match self {
            Self::Ext4 => "data=ordered",
            Self::Xfs => "",
        }
    }

    /// Makes it on a device.
    pub(crate) fn make(self, device: &str) -> Result<()> {
        match self {
            Self::Ext4 => run("mkfs.ext4", &["-q", "-F", "-E", "nodiscard", device]),
            Self::Xfs => run("mkfs.xfs", &["-q", "-f", "-K", device]),
        }
    }

    /// Says what is wrong with a file system that is not mounted.
    pub(crate) fn check(self, device: &str) -> Result<()> {
        match self {
            Self::Ext4 => run("e2fsck", &["-f", "-n", device]),
            Self::Xfs => run("xfs_repair", &["-n", device]),
        }
    }
}

/// A loop device over a file in memory.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) path: String,
    pub(crate) file: PathBuf,
    pub(crate) octets: u64,
}

impl Device {
    pub(crate) fn create(number: u32, octets: u64) -> Result<Self> {
        let (path, file) = (format!("/dev/loop{number}"), format!("/run/power/device{number}"));
        File::create(&file)?.set_len(octets)?;
        run("losetup", &[&path, &file])?;
        Ok(Self { path, file: file.into(), octets })
    }

    /// The file behind it.
    pub(crate) fn open(&self) -> Result<File> {
        Ok(File::options().read(true).write(true).open(&self.file)?)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // The machine ends with this program.
        let _ = run("losetup", &["-d", &self.path]);
        let _ = fs::remove_file(&self.file);
    }
}

/// A device whose every write is recorded.
#[derive(Debug)]
pub(crate) struct Recorder {
    name: &'static str,
}

impl Recorder {
    pub(crate) fn start(under: &Device, log: &Device) -> Result<Self> {
        let table = format!("0 {} log-writes {} {}", under.octets / 512, under.path, log.path);
        run("dmsetup", &["create", NAME, "--noudevsync", "--noudevrules", "--table", &table])?;
        Ok(Self { name: NAME })
    }

    /// Where it stands: it is the machine's only one.
    pub(crate) const PATH: &str = "/dev/dm-0";

    /// Puts a word into the record, behind all that the device has made last by now.
    pub(crate) fn mark(mark: Mark) -> Result<()> {
        run("dmsetup", &["message", NAME, "0", "mark", &mark.to_string()])
    }

    /// Completes the record.
    pub(crate) fn stop(self) -> Result<()> {
        run("dmsetup", &["remove", "--noudevsync", self.name])
    }
}

/// A file system in use.
#[derive(Debug)]
pub(crate) struct Mounted {
    at: &'static str,
}

impl Mounted {
    pub(crate) fn new(kind: Kind, device: &str) -> Result<Self> {
        fs::create_dir_all(FOLDER)?;
        mount(Some(device), Path::new(FOLDER), Some(kind.name()), MsFlags::empty(), Some(kind.options()))
            .with_context(|| format!("mounting {} from {device}", kind.name()))?;
        Ok(Self { at: FOLDER })
    }

    /// Ends its use. A thread of the spool may be about to end, and keep a file open until then.
    pub(crate) fn end(self) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            match umount(Path::new(self.at)) {
                Err(Errno::EBUSY) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
                ended => return ended.context("unmounting"),
            }
        }
    }
}

fn run(program: &str, words: &[&str]) -> Result<()> {
    let output = Command::new(program).args(words).output().with_context(|| format!("starting {program}"))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{program} {}: {}", words.join(" "), String::from_utf8_lossy(&said).trim());
    }
    Ok(())
}

const NAME: &str = "recorded";
const PATIENCE: Duration = Duration::from_secs(20);
