//! Builds the kernel programs, or a stub where the tools for that are missing.
//!
//! The compiler is the rustup toolchain `bpf` (a compiler that ships `core` for the BPF targets), else a nightly
//! one with `rust-src`. `cargo xtask setup` installs what is missing.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result};
use aya_build::{Package, Toolchain};

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../smtp-ebpf/src");
    println!("cargo:rerun-if-changed=../smtp-ebpf/Cargo.toml");
    println!("cargo:rerun-if-changed=../smtp-ebpf/build.rs");
    println!("cargo:rerun-if-changed=../smtp-common/src");
    println!("cargo:rerun-if-env-changed=PATH");
    match compiler() {
        Ok(compiler) => build(&compiler),
        Err(missing) => stub(&missing),
    }
}

/// A toolchain that can compile for the BPF target.
struct Compiler {
    toolchain: &'static str,
    bootstrap: Option<&'static str>,
}

fn compiler() -> Result<Compiler, String> {
    if !runs(Command::new("bpf-linker").arg("--version")) {
        return Err("bpf-linker is not installed".to_owned());
    }
    if has_core("bpf") {
        // Opens unstable features for these two crates only; "1" would also ask for the sources of `core`.
        return Ok(Compiler { toolchain: "bpf", bootstrap: Some("aya_ebpf,smtp_ebpf") });
    }
    if has_sources("nightly") {
        return Ok(Compiler { toolchain: "nightly", bootstrap: None });
    }
    Err("there is no rustup toolchain `bpf`, and no nightly one with rust-src".to_owned())
}

fn runs(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn rustc(toolchain: &str, arguments: &[&str]) -> Option<PathBuf> {
    let output = Command::new("rustup").args(["run", toolchain, "rustc"]).args(arguments).output().ok()?;
    output.status.success().then(|| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn has_core(toolchain: &str) -> bool {
    rustc(toolchain, &["--print", "target-libdir", "--target", "bpfel-unknown-none"])
        .and_then(|folder| fs::read_dir(folder).ok())
        .is_some_and(|mut entries| {
            entries.any(|entry| entry.is_ok_and(|e| e.file_name().to_string_lossy().starts_with("libcore-")))
        })
}

fn has_sources(toolchain: &str) -> bool {
    rustc(toolchain, &["--print", "sysroot"])
        .is_some_and(|root| root.join("lib/rustlib/src/rust/library/core").is_dir())
}

fn build(compiler: &Compiler) -> Result<()> {
    // SAFETY: a build script has one thread.
    unsafe {
        if let Some(crates) = compiler.bootstrap {
            env::set_var("RUSTC_BOOTSTRAP", crates);
        }
        // Whatever the inner cargo says is shown as a warning: let it say what is wrong, not what it does.
        env::set_var("CARGO_TERM_QUIET", "true");
    }
    // The kernel programs are a package outside this workspace, with a lock file of their own.
    env::set_current_dir("../smtp-ebpf").context("the folder smtp-ebpf is missing")?;
    aya_build::build_ebpf(
        [Package { name: "smtp-ebpf", root_dir: "../smtp-ebpf", ..Package::default() }],
        Toolchain::Custom(compiler.toolchain),
    )?;
    println!("cargo:rustc-env=POSTERN_BPF_MISSING=");
    Ok(())
}

/// An empty object: user space builds and is tested, and `postern run` says why it cannot load.
fn stub(missing: &str) -> Result<()> {
    println!("cargo:warning=the kernel programs are not built: {missing}; run `cargo xtask setup`");
    let object = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set")?).join("smtp-ebpf");
    fs::write(&object, []).with_context(|| format!("cannot write {}", object.display()))?;
    println!("cargo:rustc-env=POSTERN_BPF_MISSING={missing}");
    Ok(())
}
