//! `cargo xtask`: the one entry for people. One file per command; this one only dispatches.

mod abi;
mod bench;
mod build;
mod demo;
mod ebpf;
mod elf;
mod fuzz;
mod lab;
mod layers;
mod lint;
mod root;
mod run;
mod setup;
mod tally;
mod test;
mod vm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Set up, build, run, test and measure Postern.
///
/// Every command installs what it needs first and says what and why. Nothing but the part that needs it
/// runs as root: as another user, sudo is asked for that part only.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What can be done.
#[derive(Subcommand)]
enum Command {
    /// Install what is missing: packages, BPF compiler, bpf-linker.
    Setup(setup::Arguments),
    /// Build Postern: the kernel programs and the binary `postern`.
    Build(build::Arguments),
    /// Build the kernel programs alone and count their instructions.
    Ebpf,
    /// Build what changed, then run Postern on the given interfaces.
    Run(run::Arguments),
    /// The lab: three network namespaces, client, gateway and server.
    Lab(lab::Arguments),
    /// Build all, make the lab, show the main job, take the lab down.
    Demo(demo::Arguments),
    /// Run the tests: unit, root, kernels, or all of them.
    Test(test::Arguments),
    /// Feed the parsers octets that a fuzzer makes up, each for a while.
    Fuzz(fuzz::Arguments),
    /// Check format, lints, dependencies and layers.
    Lint,
    /// Compare the kernel/user contract with an earlier revision.
    Abi(abi::Arguments),
    /// Measure.
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = Workspace::open().and_then(|workspace| match arguments.command {
        Command::Setup(arguments) => setup::command(&workspace, &arguments),
        Command::Build(arguments) => build::command(&workspace, &arguments),
        Command::Ebpf => ebpf::command(&workspace),
        Command::Run(arguments) => run::command(&workspace, &arguments),
        Command::Lab(arguments) => lab::command(&workspace, &arguments),
        Command::Demo(arguments) => demo::command(&workspace, &arguments),
        Command::Test(arguments) => test::command(&workspace, &arguments),
        Command::Fuzz(arguments) => fuzz::command(&workspace, &arguments),
        Command::Lint => lint::command(&workspace),
        Command::Abi(arguments) => abi::command(&workspace, &arguments),
        Command::Bench(arguments) => bench::command(&workspace, &arguments),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
