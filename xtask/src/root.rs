//! Who may do what needs root: this process, sudo, or nobody.

use std::ffi::OsStr;
use std::process::Command;

use anyhow::{Result, bail};
use nix::unistd::geteuid;

use crate::workspace::{find_program, search_path};

/// How root's work gets done here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// This process is root.
    Here,
    /// Through sudo.
    Sudo,
    /// Not at all.
    None,
}

impl Root {
    /// Finds out.
    pub(crate) fn detect() -> Self {
        if geteuid().is_root() {
            Self::Here
        } else if find_program("sudo").is_some() {
            Self::Sudo
        } else {
            Self::None
        }
    }

    /// A command that runs as root, or a sentence with the line to run by hand.
    pub(crate) fn command<S: AsRef<OsStr>>(self, program: &str, arguments: &[S]) -> Result<Command> {
        let mut command = match self {
            Self::Here => Command::new(program),
            Self::Sudo => {
                let mut sudo = Command::new("sudo");
                sudo.arg(program);
                sudo
            }
            Self::None => {
                let arguments: Vec<_> = arguments.iter().map(|a| a.as_ref().to_string_lossy()).collect();
                bail!("this needs root and there is no sudo; as root, run: {program} {}", arguments.join(" "))
            }
        };
        command.args(arguments).env("PATH", search_path());
        Ok(command)
    }

    /// Runs a command as root and fails with its own words.
    pub(crate) fn run<S: AsRef<OsStr>>(self, program: &str, arguments: &[S]) -> Result<()> {
        let mut command = self.command(program, arguments)?;
        let output = command.output()?;
        if !output.status.success() {
            bail!("{}: {}", line(&command), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }
}

/// A command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
