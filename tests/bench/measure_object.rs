//! The measuring programs: compiled on demand with the BPF toolchain, loaded once.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use aya::Ebpf;
use aya::programs::tc::{SchedClassifierLink, TcAttachType};
use aya::programs::xdp::{XdpLink, XdpMode};
use aya::programs::{SchedClassifier, Xdp};

use crate::layout::{Constant, Source};

// SAFETY: `repr(C)`, integers only, and no padding: 8 + 80 + 4 * 4 octets.
unsafe impl aya::Pod for Source {}
// SAFETY: `repr(C)`, integers only, and no padding: 12 + 4 octets.
unsafe impl aya::Pod for Constant {}

/// XDP programs of the object.
const XDP: [&str; 5] = ["source_v4", "source_v6", "xdp_sink", "xdp_const", "xdp_fib"];
/// Classifiers of the object.
const TC: [&str; 1] = ["tc_sink"];

/// Compiles and loads the programs.
pub(crate) fn load() -> Result<Ebpf> {
    let object = compile()?;
    let mut ebpf = Ebpf::load_file(&object)
        .with_context(|| format!("reading the measuring programs in {}", object.display()))?;
    for name in XDP {
        xdp(&mut ebpf, name)?.load().with_context(|| format!("loading {name}"))?;
    }
    for name in TC {
        tc(&mut ebpf, name)?.load().with_context(|| format!("loading {name}"))?;
    }
    Ok(ebpf)
}

/// An XDP program of the object.
pub(crate) fn xdp<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    Ok(ebpf.program_mut(name).with_context(|| format!("no program {name}"))?.try_into()?)
}

/// A classifier of the object.
fn tc<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut SchedClassifier> {
    Ok(ebpf.program_mut(name).with_context(|| format!("no program {name}"))?.try_into()?)
}

/// Attaches an XDP program to a device of the calling thread's namespace.
pub(crate) fn attach_xdp(ebpf: &mut Ebpf, name: &str, device: &str, mode: XdpMode) -> Result<XdpLink> {
    let program = xdp(ebpf, name)?;
    let id = program.attach(device, mode).with_context(|| format!("attaching {name} to {device}"))?;
    Ok(program.take_link(id)?)
}

/// Attaches a classifier to the ingress of a device of the calling thread's namespace.
pub(crate) fn attach_tc(ebpf: &mut Ebpf, name: &str, device: &str) -> Result<SchedClassifierLink> {
    // Without effect where TCX needs no qdisc, or where the qdisc stands already.
    let _ = aya::programs::tc::qdisc_add_clsact(device);
    let program = tc(ebpf, name)?;
    let id = program
        .attach(device, TcAttachType::Ingress)
        .with_context(|| format!("attaching {name} to {device}"))?;
    Ok(program.take_link(id)?)
}

/// Builds the object the way the gateway's own is built, unless it is newer than its sources, and says
/// where it is. Root may lack a toolchain of its own, so this can be done beforehand by somebody else.
pub(crate) fn compile() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace")?;
    let package = root.join("smtp-ebpf");
    ensure!(
        package.join("Cargo.toml").is_file(),
        "the sources of the measuring programs are not at {}",
        package.display()
    );
    let target = root.join("target").join("measure");
    let endian = if cfg!(target_endian = "big") { "bpfeb" } else { "bpfel" };
    let triple = format!("{endian}-unknown-none");
    let object = target.join(&triple).join("release").join("measure");
    if is_newer(&object, &package) {
        return Ok(object);
    }
    let toolchain = toolchain()?;
    let arch = std::env::consts::ARCH;
    let mut cargo = Command::new("rustup");
    cargo.args(["run", toolchain, "cargo", "build", "--quiet", "--release", "--bin", "measure"]);
    cargo.args(["--features", "measure", "--target", &triple, "--target-dir"]).arg(&target);
    if toolchain == "nightly" {
        cargo.args(["-Z", "build-std=core"]);
    } else {
        cargo.env("RUSTC_BOOTSTRAP", "aya_ebpf");
    }
    let flags = [
        &format!("--cfg=bpf_target_arch=\"{arch}\""),
        "-Cdebuginfo=2",
        "-Clink-arg=--btf",
        "-Ctarget-cpu=v3",
    ]
    .join("\x1f");
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags).current_dir(&package);
    for variable in ["RUSTC", "RUSTC_WORKSPACE_WRAPPER", "RUSTUP_TOOLCHAIN", "CARGO"] {
        cargo.env_remove(variable);
    }
    eprintln!("compiling the measuring programs (toolchain {toolchain})");
    let output = cargo.output().context("starting rustup")?;
    ensure!(
        output.status.success(),
        "the measuring programs do not compile; `cargo xtask setup` installs the BPF toolchain.\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(object)
}

/// Whether the object was made after the last change of its sources.
fn is_newer(object: &Path, package: &Path) -> bool {
    let changed = |path: &Path| std::fs::metadata(path).and_then(|m| m.modified()).ok();
    let sources = ["Cargo.toml", "src/measure/main.rs", "src/measure/layout.rs"];
    let last = sources.iter().map(|source| changed(&package.join(source))).max().flatten();
    changed(object).zip(last).is_some_and(|(object, last)| object > last)
}

/// The toolchain with a `core` for BPF, whichever is there.
fn toolchain() -> Result<&'static str> {
    let works = |name: &str| {
        let version = Command::new("rustup").args(["run", name, "rustc", "--version"]).output();
        version.is_ok_and(|output| output.status.success())
    };
    for name in ["bpf", "nightly"] {
        if works(name) {
            return Ok(name);
        }
    }
    bail!("no BPF toolchain is installed; `cargo xtask setup` installs one")
}
