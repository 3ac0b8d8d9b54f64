//! `cargo xtask bench`: builds the measurements and runs them as root, arguments passed through.

use std::ffi::OsString;

use anyhow::{Context, Result, bail};
use xshell::cmd;

use crate::build;
use crate::root::Root;
use crate::setup::{self, Need};
use crate::workspace::{Profile, Workspace};

/// `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to measure and how, for example `packet --quick` or `smtp --case S1`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "packet|smtp")]
    words: Vec<OsString>,
}

/// Runs the command.
pub(crate) fn command(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let mut needs = vec![Need::Kernel, Need::Lab];
    if arguments.words.iter().any(|word| word == "smtp") {
        needs.push(Need::Peers);
    }
    setup::ensure(workspace, &needs)?;
    build::postern(workspace, Profile::Release)?;
    let sh = &workspace.shell;
    cmd!(sh, "cargo build --quiet --release --package postern-tests --bin postern-bench")
        .quiet()
        .run()
        .context("the measurements did not build")?;
    let program = workspace.target().join(Profile::Release.folder()).join("postern-bench");
    let program = program.to_str().context("the target folder's name is not UTF-8")?;
    // Root through sudo has no toolchain.
    cmd!(sh, "{program} compile").quiet().run().context("the measuring programs did not build")?;
    let status = Root::detect().command(program, &arguments.words)?.status()?;
    if !status.success() {
        bail!("the measurement ended with {status}");
    }
    Ok(())
}
