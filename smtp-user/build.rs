//! Builds the kernel programs, or a stub where the tools for that are missing.
//!
//! The compiler is the rustup toolchain `bpf` (a compiler that ships `core` for the BPF targets), else a nightly
//! one with `rust-src`. `cargo xtask setup` installs what is missing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, bail, ensure};

/// What the kernel programs are made of.
const SOURCES: [&str; 5] = [
    "build.rs",
    "../smtp-ebpf/src",
    "../smtp-ebpf/Cargo.toml",
    "../smtp-ebpf/Cargo.lock",
    "../smtp-common/src",
];

fn main() -> Result<()> {
    for path in SOURCES {
        ensure!(Path::new(path).exists(), "{path} is gone: cargo would take that for a change, every time");
        println!("cargo:rerun-if-changed={path}");
    }
    match compiler() {
        Ok(compiler) => build(&compiler),
        Err(missing) => stub(&missing),
    }
}

/// A toolchain that can compile for the BPF target.
struct Compiler {
    toolchain: &'static str,
    bootstrap: Option<&'static str>,
    /// `core` is built from its sources.
    sources: bool,
}

/// Looks for one, and tells cargo what to look at before it asks again. `PATH` is not among it once all is there:
/// it differs from terminal to terminal, and every time all would be built anew.
fn compiler() -> Result<Compiler, String> {
    let Some(linker) = find("bpf-linker").filter(|linker| runs(Command::new(linker).arg("--version"))) else {
        println!("cargo:rerun-if-env-changed=PATH");
        if let Some(folder) = cargo_programs() {
            println!("cargo:rerun-if-changed={}", folder.display());
        }
        return Err("bpf-linker is not installed".to_owned());
    };
    println!("cargo:rerun-if-changed={}", linker.display());
    if has_core("bpf") {
        // Opens unstable features for these two crates only; "1" would also ask for the sources of `core`.
        return Ok(Compiler { toolchain: "bpf", bootstrap: Some("aya_ebpf,smtp_ebpf"), sources: false });
    }
    if has_sources("nightly") {
        return Ok(Compiler { toolchain: "nightly", bootstrap: None, sources: true });
    }
    // What is not there has always changed.
    println!("cargo:rerun-if-changed=no-toolchain-yet");
    Err("there is no rustup toolchain `bpf`, and no nightly one with rust-src".to_owned())
}

/// The first of this name in `PATH`.
fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Where cargo installs programs.
fn cargo_programs() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let folder = home.or_else(|| Some(env::home_dir()?.join(".cargo")))?.join("bin");
    folder.is_dir().then_some(folder)
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
    let out = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set")?);
    let target = format!("bpf{}-unknown-none", if cfg!(target_endian = "big") { "eb" } else { "el" });
    let arch = env::var("CARGO_CFG_TARGET_ARCH").context("CARGO_CFG_TARGET_ARCH is not set")?;
    // The third instruction set (Linux 5.12) has 32-bit jumps and atomic compare-and-exchange. `aya-build` has no
    // way to ask for it, so cargo is called from here.
    let flags = [
        &format!("--cfg=bpf_target_arch=\"{arch}\""),
        "-Cdebuginfo=2",
        "-Ctarget-cpu=v3",
        "-Clink-arg=--btf",
    ]
    .join("\x1f");
    let mut cargo = Command::new("rustup");
    cargo.args(["run", compiler.toolchain, "cargo", "build", "--quiet", "--release", "--bin", "smtp-ebpf"]);
    cargo.args(["--target", &target]).arg("--target-dir").arg(out.join("bpf"));
    if compiler.sources {
        cargo.args(["-Z", "build-std=core"]);
    }
    // The kernel programs are a package outside this workspace, with a lock file of their own.
    cargo.current_dir("../smtp-ebpf").env("CARGO_ENCODED_RUSTFLAGS", flags);
    cargo.env_remove("RUSTC").env_remove("RUSTC_WORKSPACE_WRAPPER");
    if let Some(crates) = compiler.bootstrap {
        cargo.env("RUSTC_BOOTSTRAP", crates);
    }
    let output = cargo.output().context("cannot run rustup")?;
    if !output.status.success() {
        bail!("the kernel programs do not build:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let object = out.join("bpf").join(&target).join("release/smtp-ebpf");
    fs::copy(&object, out.join("smtp-ebpf")).with_context(|| format!("cannot copy {}", object.display()))?;
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
