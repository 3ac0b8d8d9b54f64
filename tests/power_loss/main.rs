//! `postern-power-loss`: what a spool keeps when the power fails, at the level of the disk. It runs in a machine of its
//! own, which `cargo xtask test --kernels` makes: it takes loop devices and device-mapper names for itself.
//!
//! `replay` records every write of a file system while a spool on it takes in, defers and removes messages, and looks at
//! what each flush would leave. `life` does the same with a spool on a disk that outlasts the machine, until that is ended.

mod devices;
mod image;
mod ledger;
mod life;
mod log;
mod messages;
mod record;
mod replay;
mod syncs;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;

/// What a spool keeps when the power fails.
#[derive(Debug, Parser)]
enum Command {
    /// Records what a spool does, and loses power everywhere.
    Replay(record::Arguments),
    /// Goes on with a spool until the machine is ended, after a look at what the life before has left.
    Life(life::Arguments),
}

fn main() -> ExitCode {
    let command = Command::parse();
    let is_right = is_emulated().and_then(|()| match &command {
        Command::Replay(arguments) => record::run(arguments),
        Command::Life(arguments) => life::run(arguments),
    });
    match is_right {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("power loss: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_emulated() -> Result<()> {
    let boot = std::fs::read_to_string("/proc/cmdline")?;
    ensure!(boot.split_whitespace().any(|word| word == EMULATED), "this is no machine made for it");
    Ok(())
}

/// What the kernel of a machine that was made for this is started with.
const EMULATED: &str = "postern.emulated=1";
