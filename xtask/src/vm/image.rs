//! What stands in an emulated machine's file system: busybox, programs with their libraries, the modules this kernel
//! needs, and the script that tries it all.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::archive::Archive;
use super::kernel::Kernel;
use crate::workspace::find_program;

/// How every machine starts.
const START: &str = include_str!("start.sh");

/// What a machine is to have.
pub(crate) struct Contents<'c> {
    /// Programs, to be found in `/bin` by the name of their file.
    pub(crate) programs: &'c [PathBuf],
    /// Other files: where, and what is in them.
    pub(crate) files: &'c [(&'c str, &'c str)],
    /// Modules that are needed where the kernel is modular.
    pub(crate) modules: &'c [&'c str],
    /// What the first process does once it has its file systems, for busybox; `@MODULES@` in it becomes what loads the
    /// modules.
    pub(crate) script: &'c str,
}

/// Builds the archive.
pub(crate) fn build(kernel: &Kernel, contents: &Contents) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    archive.console();
    for folder in ["proc", "sys", "run/netns", "tmp", "bin", "var"] {
        archive.folder(folder);
    }
    archive.file("bin/busybox", &read(&program("busybox")?)?);
    archive.link("bin/sh", "busybox");
    let mut libraries = BTreeSet::new();
    for path in contents.programs {
        let name = path.file_name().and_then(|name| name.to_str()).context("a program without a name")?;
        archive.file(&format!("bin/{name}"), &read(path)?);
        libraries.extend(shared_libraries(path)?);
    }
    for library in libraries {
        archive.file(&library.to_string_lossy(), &read(&library)?);
    }
    for (path, content) in contents.files {
        archive.file(path, content.as_bytes());
    }
    let mut loading = String::new();
    let mut loaded = BTreeSet::new();
    for module in contents.modules {
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
    let script = contents.script.replace("@MODULES@", &loading);
    archive.file("init", [START, &script].concat().as_bytes());
    Ok(archive.finish())
}

/// Where an installed program is.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
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
