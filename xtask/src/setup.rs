//! `cargo xtask setup`: installs what is missing, says what and why first, and does nothing the second time.
//!
//! Every other command calls [`ensure`]; when all is there it costs a few file look-ups.

mod bpffs;
mod compiler;
mod exim;
mod packages;
mod services;

use anyhow::{Result, anyhow, bail};

use crate::root::Root;
use crate::workspace::Workspace;

pub(crate) use compiler::Compiler;

/// `cargo xtask setup`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Also what the tests, the lab, the demo and the measurements need.
    #[arg(long)]
    tests: bool,
    /// Only say what is there and what is missing.
    #[arg(long)]
    check: bool,
}

/// What a command needs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// User space alone; a missing BPF compiler is a warning.
    Build,
    /// Kernel programs too; a missing BPF compiler is an error.
    Kernel,
    /// Namespaces and the programs that make traffic in them.
    Lab,
    /// A machine to emulate.
    Emulator,
    /// Mail servers and engines by other hands.
    Peers,
}

/// Runs the command.
pub(crate) fn command(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let groups = if arguments.tests { packages::ALL } else { packages::BUILD };
    let missing = packages::missing(groups);
    let compiler = Compiler::detect(workspace);
    let mounted = bpffs::is_mounted();
    if arguments.check {
        for package in packages::of(groups) {
            let state = if package.is_there() { "there  " } else { "missing" };
            println!("{state} {:<22} {}", package.name, package.why);
        }
        println!("{}", compiler.describe());
        println!("{} bpffs on {}", if mounted { "there  " } else { "missing" }, bpffs::MOUNT_POINT);
        if !missing.is_empty() || !compiler.is_there() {
            bail!(
                "something is missing; `cargo xtask setup{}` installs it",
                if arguments.tests { " --tests" } else { "" }
            );
        }
        return Ok(());
    }
    if arguments.tests
        && let Err(error) = exim::unpack(workspace)
    {
        println!("Exim cannot be had, and what needs it will be skipped: {error:#}");
    }
    let mut there = Vec::new();
    if missing.is_empty() {
        let names: Vec<_> = packages::of(groups).map(|package| package.name).collect();
        there.push(names.join(" "));
    }
    // Each group for itself: what cannot be had of one is no reason to go without the others.
    let mut failed = Ok(());
    for group in groups {
        let missing = packages::missing(&[*group]);
        if !missing.is_empty()
            && let Err(error) = packages::install(&missing)
        {
            println!("These cannot be had: {error:#}");
            failed = Err(anyhow!("not everything could be installed"));
        }
    }
    if compiler.is_there() {
        there.push(compiler.describe());
    } else {
        println!("{}", compiler::install(workspace)?.describe());
    }
    if mounted {
        there.push(format!("bpffs on {}", bpffs::MOUNT_POINT));
    } else if let Err(error) = bpffs::mount() {
        println!("bpffs is not mounted: {error:#}");
    }
    if !there.is_empty() {
        println!("Already there: {}.", there.join(", "));
    }
    failed
}

/// Makes sure that what `need` names is there, and says which compiler builds the kernel programs.
pub(crate) fn ensure(workspace: &Workspace, needs: &[Need]) -> Result<Compiler> {
    let mut groups = Vec::new();
    if needs.iter().any(|need| *need > Need::Build) {
        groups.extend_from_slice(packages::BUILD);
    }
    if needs.contains(&Need::Lab) {
        groups.push(packages::Group::Lab);
    }
    if needs.contains(&Need::Emulator) {
        groups.push(packages::Group::Emulator);
    }
    if needs.contains(&Need::Peers) {
        // Whoever meets a peer that is not there skips it aloud.
        if let Err(error) = ensure_peers(workspace) {
            eprintln!("warning: not every peer can be had, and what needs it will be skipped: {error:#}");
        }
    }
    let missing = packages::missing(&groups);
    if !missing.is_empty() {
        packages::install(&missing)?;
    }
    let mut compiler = Compiler::detect(workspace);
    let wanted = needs.contains(&Need::Build) || needs.contains(&Need::Kernel);
    if wanted && !compiler.is_there() {
        match compiler::install(workspace) {
            Ok(installed) => compiler = installed,
            Err(error) if needs.contains(&Need::Kernel) => {
                return Err(error.context("the kernel programs cannot be built"));
            }
            Err(error) => eprintln!(
                "warning: the kernel programs cannot be built, user space is built with a stub in their place: {error:#}"
            ),
        }
    }
    if needs.contains(&Need::Kernel) && Root::detect() != Root::None && !bpffs::is_mounted() {
        bpffs::mount()?;
    }
    Ok(compiler)
}

fn ensure_peers(workspace: &Workspace) -> Result<()> {
    let missing = packages::missing(&[packages::Group::Peers]);
    if !missing.is_empty() {
        packages::install(&missing)?;
    }
    exim::unpack(workspace)
}
