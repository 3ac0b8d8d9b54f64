//! What stands in the emulated machine's file system: busybox, ip, Postern with its libraries, the modules
//! this kernel needs, and the script that tries it all.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::archive::Archive;
use super::kernel::Kernel;
use crate::lab;
use crate::workspace::find_program;

/// Modules that Postern and the lab need where the kernel is modular.
const MODULES: &[&str] = &["veth", "sch_ingress", "cls_bpf", "nf_tables"];

/// Builds the archive.
pub(crate) fn build(kernel: &Kernel, postern: &Path) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    archive.console();
    for folder in ["proc", "sys", "run/netns", "tmp", "bin", "var"] {
        archive.folder(folder);
    }
    archive.file("bin/busybox", &read(&program("busybox")?)?);
    archive.link("bin/sh", "busybox");
    let programs = [
        ("bin/ip", program("ip")?),
        ("bin/ethtool", program("ethtool")?),
        ("bin/nft", program("nft")?),
        ("bin/postern", postern.to_owned()),
    ];
    let mut libraries = BTreeSet::new();
    for (name, path) in &programs {
        archive.file(name, &read(path)?);
        libraries.extend(shared_libraries(path)?);
    }
    for library in libraries {
        archive.file(&library.to_string_lossy(), &read(&library)?);
    }
    archive.file("postern.toml", CONFIGURATION.as_bytes());
    let mut loading = String::new();
    let mut loaded = BTreeSet::new();
    for module in MODULES {
        for path in kernel.module(module)? {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .context("a module without a name")?
                .to_owned();
            if loaded.insert(name.clone()) {
                archive.file(&format!("modules/{name}"), &read(&path)?);
                writeln!(loading, "insmod /modules/{name}")?;
            }
        }
    }
    archive.file("init", script(&loading).as_bytes());
    Ok(archive.finish())
}

/// The first process: makes the lab, runs Postern in it, and judges.
fn script(loading: &str) -> String {
    let mut steps = String::new();
    for step in lab::up_steps() {
        // Busybox's shell prefers its own `ip`, which knows no namespaces; a full path it leaves alone.
        let words = step.iter().map(|word| if word == "ip" { "/bin/ip" } else { word });
        let words: Vec<_> = words.map(|word| format!("'{word}'")).collect();
        let _ = writeln!(steps, "{}", words.join(" "));
    }
    INIT.replace("@MODULES@", loading).replace("@LAB@", &steps)
}

fn program(name: &str) -> Result<PathBuf> {
    find_program(name).with_context(|| format!("{name} is not installed"))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}

fn shared_libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().context("starting ldd")?;
    if !output.status.success() {
        bail!("ldd cannot read {}", program.display());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    // `libc.so.6 => /lib/… (0x…)`, and the loader itself without an arrow.
    Ok(text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect())
}

const INIT: &str = include_str!("init.sh");
const CONFIGURATION: &str = include_str!("postern.toml");
