//! Exim beside Postfix: Debian's packages exclude each other, so this one is only unpacked, below the target
//! folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::packages;
use crate::root::Root;
use crate::workspace::{Workspace, find_program};

/// Whether it is there, from a package or unpacked.
pub(crate) fn is_there(workspace: &Workspace) -> bool {
    find_program("exim4").is_some() || folder(workspace).join("usr/sbin/exim4").is_file()
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target().join("peers/exim")
}

/// Unpacks it, and installs its libraries, most of which are there anyway.
pub(crate) fn unpack(workspace: &Workspace) -> Result<()> {
    if is_there(workspace) {
        return Ok(());
    }
    println!(
        "Unpacking exim4-daemon-light below {}: a mail server at either end.",
        folder(workspace).display()
    );
    let (folder, archive) = (folder(workspace), workspace.target().join("peers"));
    fs::create_dir_all(&folder)?;
    let mut download = Command::new("apt-get");
    download.args(["-qq", "download", "exim4-daemon-light"]).current_dir(&archive);
    let output = download.output().context("starting apt-get")?;
    if !output.status.success() {
        bail!("apt-get download: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let file = fs::read_dir(&archive)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get downloaded nothing")?;
    let libraries = libraries_of(&file);
    let unpacked = Command::new("dpkg").arg("-x").arg(&file).arg(&folder).status()?;
    fs::remove_file(&file)?;
    packages::install_quietly(&libraries?)?;
    if !unpacked.success() {
        bail!("dpkg -x {}: {unpacked}", file.display());
    }
    let root = Root::detect();
    // The name is built into the program, which looks it up before anything else.
    if !Command::new("id").arg(USER).output()?.status.success() {
        let words = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", USER];
        root.run("useradd", &words)?;
    }
    let version = Command::new(folder.join("usr/sbin/exim4")).args(["-C", "/dev/null", "-bV"]).output()?;
    if !version.status.success() {
        let said = String::from_utf8_lossy(&version.stderr).into_owned();
        // Half a package must not look like a whole one.
        let _ = fs::remove_dir_all(&folder);
        bail!("exim4 does not run: {}", said.trim());
    }
    Ok(())
}

/// The libraries that a package names among what it depends on; of alternatives the first.
fn libraries_of(file: &Path) -> Result<Vec<String>> {
    let output = Command::new("dpkg-deb").arg("-f").arg(file).arg("Depends").output()?;
    let depends = String::from_utf8_lossy(&output.stdout);
    let names = depends.split(',').filter_map(|package| package.split_whitespace().next());
    Ok(names.filter(|name| name.starts_with("lib")).map(ToOwned::to_owned).collect())
}

const USER: &str = "Debian-exim";
