//! Power loss at the level of the disk: `postern-power-loss` records with dm-log-writes what a spool does, and looks at
//! what every flush would leave, on ext4 and on XFS. Each has a machine of its own, and they run at the same time.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use xshell::cmd;

use super::image::{Contents, build, program};
use super::kernel::{self, Kernel};
use super::machine::Machine;
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
    name: &'static str,
    programs: &'static [&'static str],
    modules: &'static [&'static str],
    /// How often nine messages are taken in until there are a thousand states.
    rounds: u32,
}

const FILE_SYSTEMS: [FileSystem; 2] = [
    FileSystem {
        kind: "ext4",
        name: "power-loss-ext4",
        programs: &["dmsetup", "mkfs.ext4", "e2fsck"],
        modules: &["loop", "dm-log-writes", "ext4", "crc32c_generic"],
        rounds: 18,
    },
    FileSystem {
        kind: "xfs",
        name: "power-loss-xfs",
        programs: &["dmsetup", "mkfs.xfs", "xfs_repair"],
        modules: &["loop", "dm-log-writes", "xfs", "crc32c_generic"],
        rounds: 28,
    },
];

/// Builds, boots and judges; one outcome for each file system.
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
    let boot = |file_system: &FileSystem| {
        let image = image(&kernel, &driver, file_system, depth)?;
        let machine = Machine { name: file_system.name, mebibytes: 1024, longest: depth.longest() };
        machine.boot(&folder, &kernel, &image)
    };
    let boot = &boot;
    thread::scope(|scope| {
        let machines: Vec<_> =
            FILE_SYSTEMS.iter().map(|file_system| scope.spawn(move || boot(file_system))).collect();
        machines
            .into_iter()
            .map(|machine| machine.join().unwrap_or_else(|_| bail!("a machine's thread panicked")))
            .collect()
    })
}

fn image(kernel: &Kernel, driver: &Path, file_system: &FileSystem, depth: Depth) -> Result<Vec<u8>> {
    let mut programs = file_system.programs.iter().map(|name| program(name)).collect::<Result<Vec<_>>>()?;
    programs.push(driver.to_owned());
    let script = INIT.replace("@KIND@", file_system.kind).replace("@TRIES@", &depth.tries(file_system));
    build(
        kernel,
        &Contents { programs: &programs, files: &[], modules: file_system.modules, script: &script },
    )
}

/// What runs in the machine.
const DRIVER: &str = "postern-power-loss";
const INIT: &str = include_str!("power_loss.sh");
