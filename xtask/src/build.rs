//! `cargo xtask build`: the kernel programs and the binary, in one cargo run.

use std::path::PathBuf;

use anyhow::{Context, Result};
use xshell::cmd;

use crate::setup::{self, Need};
use crate::workspace::{Profile, Workspace};

/// `cargo xtask build`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Optimised.
    #[arg(long)]
    release: bool,
}

/// Runs the command.
pub(crate) fn command(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let profile = if arguments.release { Profile::Release } else { Profile::Dev };
    setup::ensure(workspace, &[Need::Build])?;
    let binary = postern(workspace, profile)?;
    println!("{}", binary.display());
    Ok(())
}

/// Builds `postern` (and with it, by its build script, the kernel programs).
pub(crate) fn postern(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    let sh = &workspace.shell;
    let arguments = profile.arguments();
    cmd!(sh, "cargo build --quiet --package smtp-user {arguments...}")
        .quiet()
        .run()
        .context("postern did not build")?;
    Ok(workspace.postern(profile))
}
