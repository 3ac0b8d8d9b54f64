//! `cargo xtask ebpf`: builds the kernel programs alone and counts their instructions.
//!
//! The build is the one that `smtp-user/build.rs` does, with a target folder of its own.

use std::fs;

use anyhow::{Context, Result, bail};
use xshell::{Cmd, cmd};

use crate::elf;
use crate::setup::{self, Compiler, Need};
use crate::workspace::Workspace;

/// Octets of one BPF instruction.
const INSTRUCTION_BYTES: u64 = 8;

/// Runs the command.
pub(crate) fn command(workspace: &Workspace) -> Result<()> {
    let compiler = setup::ensure(workspace, &[Need::Kernel])?;
    cargo(workspace, &compiler, "build", &[])?.run().context("the kernel programs did not build")?;
    let object = workspace.target().join("ebpf/bpfel-unknown-none/release/smtp-ebpf");
    let octets = fs::read(&object).with_context(|| format!("reading {}", object.display()))?;
    println!("{}", object.display());
    println!("{:>12}  section", "instructions");
    for section in elf::code_sections(&octets)? {
        println!("{:>12}  {}", section.size / INSTRUCTION_BYTES, section.name);
    }
    Ok(())
}

/// A cargo command on the kernel programs with the compiler that builds them, and more flags for it.
pub(crate) fn cargo<'a>(
    workspace: &'a Workspace,
    compiler: &Compiler,
    verb: &str,
    flags: &[&str],
) -> Result<Cmd<'a>> {
    let Some(toolchain) = compiler.toolchain() else {
        bail!("there is no BPF compiler");
    };
    let sh = &workspace.shell;
    let manifest = workspace.root.join("smtp-ebpf/Cargo.toml");
    let target = workspace.target().join("ebpf");
    let arch = format!("bpf_target_arch=\"{}\"", host_architecture());
    // What smtp-user/build.rs passes, so that both builds are of the same thing.
    let flags = [&["--cfg", &arch, "-Cdebuginfo=2", "-Ctarget-cpu=v3", "-Clink-arg=--btf"], flags].concat();
    let mut cargo = cmd!(
        sh,
        "rustup run {toolchain} cargo {verb} --quiet --release --manifest-path {manifest} --target bpfel-unknown-none --target-dir {target}"
    )
    .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
    .env_remove("RUSTC")
    .env_remove("RUSTC_WORKSPACE_WRAPPER")
    .quiet();
    cargo = match compiler {
        // Opens unstable features for the two crates that use them; Debian's `core` is prebuilt.
        Compiler::Debian => cargo.env("RUSTC_BOOTSTRAP", "aya_ebpf,smtp_ebpf"),
        Compiler::Nightly { .. } => cargo.args(["-Z", "build-std=core"]),
        Compiler::Missing { .. } => cargo,
    };
    Ok(cargo)
}

fn host_architecture() -> &'static str {
    if cfg!(target_arch = "riscv64") { "riscv64" } else { std::env::consts::ARCH }
}
