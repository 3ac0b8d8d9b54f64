//! Power loss at the level of the disk: `postern-power-loss` records with dm-log-writes what a spool does, and looks at
//! what every flush would leave, on ext4 and on XFS. As a cross-check, machines with a spool on a disk are reset in the
//! midst of their work. Each file system has machines of its own, and they run at the same time.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use xshell::cmd;

use super::image::{Contents, build, program};
use super::kernel::{self, Kernel};
use super::machine::Machine;
use super::resets::Resets;
use super::{Outcome, refusal};
use crate::setup::{self, Need};
use crate::workspace::{Profile, Workspace};

/// How much is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What every change must pass.
    Short,
    /// A thousand states of each file system, each checked by its own tool.
    Full,
}

impl Depth {
    const fn longest(self) -> Duration {
        match self {
            Self::Short => Duration::from_mins(6),
            Self::Full => Duration::from_hours(1),
        }
    }

    /// After how many resets it is looked at what they left.
    const fn resets(self) -> u32 {
        match self {
            Self::Short => 2,
            Self::Full => 40,
        }
    }

    /// The negative controls come first: a test that cannot fail shows nothing.
    fn tries(self, file_system: &FileSystem) -> String {
        match self {
            Self::Short => "try --rounds 2 --omit file-syncs --check-each 1000 --seconds 20\n\
                            try --rounds 2 --omit folder-syncs --check-each 1000 --seconds 20\n\
                            try --rounds 3 --check-each 5 --seconds 90 --least 60\n"
                .to_owned(),
            Self::Full => format!(
                "try --rounds 5 --omit file-syncs --check-each 1000\n\
                 try --rounds 5 --omit folder-syncs --check-each 1000\n\
                 try --rounds {} --least 1000\n",
                file_system.rounds
            ),
        }
    }
}

/// A file system, and what its machine needs.
struct FileSystem {
    kind: &'static str,
    programs: &'static [&'static str],
    modules: &'static [&'static str],
    /// Of its disk, where it is on one.
    mebibytes: u64,
    /// How often nine messages are taken in until there are a thousand states.
    rounds: u32,
}

const FILE_SYSTEMS: [FileSystem; 2] = [
    FileSystem {
        kind: "ext4",
        programs: &["dmsetup", "mkfs.ext4", "e2fsck"],
        modules: &["loop", "dm-log-writes", "virtio_pci", "virtio_blk", "ext4", "crc32c_generic"],
        mebibytes: 64,
        rounds: 18,
    },
    FileSystem {
        kind: "xfs",
        programs: &["dmsetup", "mkfs.xfs", "xfs_repair"],
        modules: &["loop", "dm-log-writes", "virtio_pci", "virtio_blk", "xfs", "crc32c_generic"],
        // Its maker refuses smaller ones.
        mebibytes: 300,
        rounds: 28,
    },
];

/// Builds, boots and judges; three outcomes for each file system.
pub(crate) fn run(workspace: &Workspace, depth: Depth) -> Result<Vec<Outcome>> {
    let skipped = |why: String| Ok(vec![Outcome::Skipped(why)]);
    if let Some(why) = refusal() {
        return skipped(why);
    }
    if let Err(error) = setup::ensure(workspace, &[Need::Build, Need::Emulator]) {
        return skipped(format!("{error:#}"));
    }
    let kernel = match kernel::fetch(workspace, &workspace.target().join("kernels")) {
        Ok(kernel) => kernel,
        Err(error) => return skipped(format!("{error:#}")),
    };
    let sh = &workspace.shell;
    cmd!(sh, "cargo build --quiet --package postern-tests --bin {DRIVER}")
        .quiet()
        .run()
        .with_context(|| format!("{DRIVER} did not build"))?;
    let driver = workspace.target().join(Profile::Dev.folder()).join(DRIVER);
    let folder = workspace.target().join("kernels");
    let all = All { kernel, driver, folder, depth };
    let all = &all;
    thread::scope(|scope| {
        let machines: Vec<_> =
            FILE_SYSTEMS.iter().map(|file_system| scope.spawn(move || all.of(file_system))).collect();
        let mut outcomes = Vec::new();
        for machine in machines {
            outcomes.extend(machine.join().unwrap_or_else(|_| bail!("a machine's thread panicked"))?);
        }
        Ok(outcomes)
    })
}

/// What all machines are made from.
struct All {
    kernel: Kernel,
    driver: PathBuf,
    folder: PathBuf,
    depth: Depth,
}

impl All {
    /// Everything about one file system.
    fn of(&self, file_system: &FileSystem) -> Result<Vec<Outcome>> {
        let machine = Machine {
            name: format!("power-loss-{}", file_system.kind),
            mebibytes: 1024,
            longest: self.depth.longest(),
        };
        let tries = self.depth.tries(file_system);
        let image = self.image(file_system, &RECORD.replace("@TRIES@", &tries))?;
        let replayed = machine.boot(&self.folder, &self.kernel, &image)?;
        let looks = self.depth.resets();
        Ok(vec![
            replayed,
            self.resets(file_system, "file-syncs", "-control")?.lose_something(LOOKS_FOR_A_LOSS, SEED)?,
            self.resets(file_system, "nothing", "")?.keep_everything(looks, SEED)?,
        ])
    }

    fn resets(&self, file_system: &FileSystem, omit: &str, what: &str) -> Result<Resets<'_>> {
        Ok(Resets {
            kernel: &self.kernel,
            folder: &self.folder,
            name: format!("resets-{}{what}", file_system.kind),
            image: self.image(file_system, &LIFE.replace("@OMIT@", omit))?,
            disk_octets: file_system.mebibytes << 20,
        })
    }

    fn image(&self, file_system: &FileSystem, script: &str) -> Result<Vec<u8>> {
        let mut programs =
            file_system.programs.iter().map(|name| program(name)).collect::<Result<Vec<_>>>()?;
        programs.push(self.driver.clone());
        let script = script.replace("@KIND@", file_system.kind);
        let modules = file_system.modules;
        build(&self.kernel, &Contents { programs: &programs, files: &[], modules, script: &script })
    }
}

/// What runs in the machines.
const DRIVER: &str = "postern-power-loss";
const RECORD: &str = include_str!("power_loss.sh");
const LIFE: &str = include_str!("resets.sh");

/// What chance is made from that decides when the power is gone.
const SEED: u64 = 0x5eed_0004;
/// After so many resets a spool without its syncs must have lost something.
const LOOKS_FOR_A_LOSS: u32 = 12;
