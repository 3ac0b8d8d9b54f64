//! The BPF compiler: a Rust toolchain that has `core` for the BPF target, and bpf-linker.
//!
//! Two do the job. Debian's Rust, linked into rustup under the name `bpf`, brings a prebuilt `core`; a
//! nightly toolchain with `rust-src` builds its own. The first that is complete is taken.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::cmd;

use super::packages;
use crate::workspace::{Workspace, find_program};

/// The toolchain link that Debian's Rust gets.
const DEBIAN_TOOLCHAIN: &str = "bpf";
/// Newer releases are not known to fit.
const LINKER_VERSION: &str = "0.13.0";
/// Debian's LLVM of the major version its Rust was built with.
const LLVM_PREFIX: &str = "/usr/lib/llvm-22";

/// What can build the kernel programs here.
pub(crate) enum Compiler {
    /// Debian's Rust as rustup's toolchain `bpf`.
    Debian,
    /// A nightly toolchain with `rust-src`.
    Nightly {
        /// Its full name.
        toolchain: String,
    },
    /// Nothing.
    Missing {
        /// Which part is not there.
        what: String,
    },
}

impl Compiler {
    /// Looks, without starting a program.
    pub(crate) fn detect(_workspace: &Workspace) -> Self {
        if find_program("bpf-linker").is_none() {
            return Self::Missing { what: "bpf-linker".to_owned() };
        }
        if has_debian_toolchain() && packages::COMPILER.iter().all(packages::Package::is_there) {
            return Self::Debian;
        }
        nightly_with_source().map_or_else(
            || Self::Missing { what: "a Rust toolchain with core for the BPF target".to_owned() },
            |toolchain| Self::Nightly { toolchain },
        )
    }

    /// Whether there is one.
    pub(crate) fn is_there(&self) -> bool {
        !matches!(self, Self::Missing { .. })
    }

    /// For people.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Debian => "BPF compiler (Debian's Rust as rustup toolchain `bpf`, bpf-linker)".to_owned(),
            Self::Nightly { toolchain } => format!("BPF compiler ({toolchain} with rust-src, bpf-linker)"),
            Self::Missing { what } => format!("missing BPF compiler: {what}"),
        }
    }

    /// Name for `rustup run`.
    pub(crate) fn toolchain(&self) -> Option<&str> {
        match self {
            Self::Debian => Some(DEBIAN_TOOLCHAIN),
            Self::Nightly { toolchain } => Some(toolchain),
            Self::Missing { .. } => None,
        }
    }
}

/// Installs what is missing.
pub(crate) fn install(workspace: &Workspace) -> Result<Compiler> {
    let sh = &workspace.shell;
    if find_program("rustup").is_none() {
        bail!(
            "rustup is not installed, and the kernel programs need a second Rust toolchain beside yours; see https://rustup.rs"
        );
    }
    let nightly = nightly_with_source().filter(|_| !has_debian_toolchain());
    if nightly.is_none() {
        let missing: Vec<_> = packages::COMPILER.iter().filter(|package| !package.is_there()).collect();
        if !missing.is_empty() {
            packages::install(&missing).context(
                "no BPF compiler from Debian (elsewhere, `rustup toolchain install nightly --component rust-src` and bpf-linker do the same)",
            )?;
        }
        if !has_debian_toolchain() {
            println!("Linking Debian's Rust into rustup as toolchain `{DEBIAN_TOOLCHAIN}`.");
            cmd!(sh, "rustup toolchain link {DEBIAN_TOOLCHAIN} /usr").quiet().run()?;
        }
    }
    if find_program("bpf-linker").is_none() {
        let missing: Vec<_> = packages::LINKER.iter().filter(|package| !package.is_there()).collect();
        if !missing.is_empty() {
            packages::install(&missing)?;
        }
        println!(
            "Building bpf-linker {LINKER_VERSION}: it links the kernel programs. This takes a minute or two."
        );
        // The variables of the cargo that runs this program must not reach the one that builds the linker.
        let build = cmd!(
            sh,
            "cargo install bpf-linker --version {LINKER_VERSION} --no-default-features --features llvm-22 --locked --quiet"
        );
        build
            .env("LLVM_PREFIX", LLVM_PREFIX)
            .env_remove("CARGO_TARGET_DIR")
            .quiet()
            .run()
            .context("bpf-linker did not build")?;
    }
    let compiler = Compiler::detect(workspace);
    if let Compiler::Missing { what } = &compiler {
        bail!("still missing: {what}");
    }
    Ok(compiler)
}

fn toolchains() -> Option<PathBuf> {
    let home = env::var_os("RUSTUP_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".rustup")))?;
    Some(home.join("toolchains"))
}

fn has_debian_toolchain() -> bool {
    toolchains()
        .is_some_and(|folder| folder.join(DEBIAN_TOOLCHAIN).join("lib/rustlib/bpfel-unknown-none").exists())
}

fn nightly_with_source() -> Option<String> {
    let entries = toolchains()?.read_dir().ok()?;
    let mut names: Vec<_> = entries
        .filter_map(Result::ok)
        .filter(|entry| has_source(&entry.path()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with("nightly"))
        .collect();
    names.sort();
    names.into_iter().next()
}

fn has_source(toolchain: &Path) -> bool {
    toolchain.join("lib/rustlib/src/rust/library/core/Cargo.toml").exists()
}
