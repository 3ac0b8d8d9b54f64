//! `cargo xtask run`: builds as the caller, then runs Postern as root.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::build;
use crate::root::Root;
use crate::setup::{self, Need};
use crate::workspace::{Profile, Workspace};

/// `cargo xtask run`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A gateway interface; give it once for each.
    #[arg(long = "iface", value_name = "INTERFACE", required_unless_present = "config")]
    interfaces: Vec<String>,
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Passed on to `postern run`.
    #[arg(last = true)]
    rest: Vec<OsString>,
}

/// Runs the command; comes back only when it fails.
pub(crate) fn command(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    if let Some(config) = arguments.config.as_ref().filter(|config| !config.exists()) {
        bail!("{} does not exist", config.display());
    }
    setup::ensure(workspace, &[Need::Kernel])?;
    let postern = build::postern(workspace, Profile::Release)?;
    let mut words: Vec<OsString> = vec!["run".into()];
    for interface in &arguments.interfaces {
        words.extend(["--interface".into(), interface.into()]);
    }
    if let Some(config) = &arguments.config {
        words.extend(["--config".into(), config.into()]);
    }
    words.extend(arguments.rest.iter().cloned());
    let program = postern.to_str().context("the target folder's name is not UTF-8")?;
    let mut command = Root::detect().command(program, &words)?;
    Err(command.exec()).with_context(|| format!("cannot start {program}"))
}
