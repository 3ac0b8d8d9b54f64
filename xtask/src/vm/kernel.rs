//! Debian 12's cloud kernel: found by apt, unpacked beside the build, never installed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::cmd;

use crate::workspace::{Workspace, find_program};

/// An unpacked kernel.
pub(crate) struct Kernel {
    /// Its release, as `uname -r` says it.
    pub(crate) name: String,
    /// The bootable image.
    pub(crate) image: PathBuf,
    modules: PathBuf,
}

/// Takes the one that is there, else downloads the newest.
pub(crate) fn fetch(workspace: &Workspace, folder: &Path) -> Result<Kernel> {
    fs::create_dir_all(folder)?;
    if let Some(kernel) = unpacked(folder) {
        return Ok(kernel);
    }
    if find_program("apt-get").is_none() || find_program("dpkg").is_none() {
        bail!("there is no apt-get here to download a Debian kernel with");
    }
    let sh = &workspace.shell;
    let pattern = r"^linux-image-6\.1\.0-[0-9]+-cloud-amd64$";
    let listed = cmd!(sh, "apt-cache search --names-only {pattern}").quiet().read()?;
    let package = listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .max_by_key(|name| revision(name))
        .context("apt knows no 6.1 cloud kernel; Debian 12's package source has it (apt-get update?)")?;
    println!("Downloading {package} to run the kernel tests on; it is unpacked, not installed.");
    let _there = sh.push_dir(folder);
    cmd!(sh, "apt-get -qq download {package}")
        .quiet()
        .ignore_stderr()
        .run()
        .with_context(|| format!("{package} could not be downloaded"))?;
    let archive = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get downloaded no package")?;
    let unpacked_to = folder.join(package);
    cmd!(sh, "dpkg -x {archive} {unpacked_to}").quiet().run()?;
    fs::remove_file(archive)?;
    unpacked(folder).context("the kernel package holds no kernel")
}

impl Kernel {
    /// A module and all it depends on, in the order to load them. What is built in needs no loading.
    pub(crate) fn module(&self, name: &str) -> Result<Vec<PathBuf>> {
        let mut order = Vec::new();
        self.collect(name, &mut order)?;
        Ok(order)
    }

    fn collect(&self, name: &str, order: &mut Vec<PathBuf>) -> Result<()> {
        let built_in = fs::read_to_string(self.modules.join("modules.builtin")).unwrap_or_default();
        let is_it = |path: &Path| {
            path.file_name()
                .and_then(|file| file.to_str())
                .and_then(|file| file.split_once(".ko"))
                .is_some_and(|(stem, rest)| {
                    rest.is_empty() && stem.replace('-', "_") == name.replace('-', "_")
                })
        };
        if built_in.lines().any(|line| is_it(Path::new(line))) {
            return Ok(());
        }
        let path = find(&self.modules, &is_it)
            .with_context(|| format!("kernel {} has no module {name}", self.name))?;
        for dependency in dependencies(&fs::read(&path)?) {
            self.collect(&dependency, order)?;
        }
        if !order.contains(&path) {
            order.push(path);
        }
        Ok(())
    }
}

/// The number that grows with every Debian revision.
fn revision(package: &str) -> u32 {
    package.split('-').nth(3).and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn unpacked(folder: &Path) -> Option<Kernel> {
    let mut packages: Vec<_> =
        fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    packages
        .sort_by_key(|path| revision(path.file_name().and_then(|name| name.to_str()).unwrap_or_default()));
    let package = packages.into_iter().rev().find(|path| path.join("boot").is_dir())?;
    let modules =
        fs::read_dir(package.join("lib/modules")).ok()?.find_map(|entry| Some(entry.ok()?.path()))?;
    let name = modules.file_name()?.to_str()?.to_owned();
    let image = package.join("boot").join(format!("vmlinuz-{name}"));
    image.exists().then_some(Kernel { name, image, modules })
}

fn find(folder: &Path, is_it: &impl Fn(&Path) -> bool) -> Option<PathBuf> {
    for entry in fs::read_dir(folder).ok()?.filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            if let Some(found) = find(&path, is_it) {
                return Some(found);
            }
        } else if is_it(&path) {
            return Some(path);
        }
    }
    None
}

/// What a module says of itself in its `.modinfo` section: the package has no `modules.dep`, which depmod
/// writes at installation.
fn dependencies(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|window| window == KEY) else { return Vec::new() };
    let value = module[at + KEY.len()..].split(|octet| *octet == 0).next().unwrap_or_default();
    String::from_utf8_lossy(value).split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{dependencies, revision};

    #[test]
    fn dependencies_stand_in_the_module() {
        assert_eq!(dependencies(b"x\0license=GPL\0depends=llc,stp\0name=bridge\0"), ["llc", "stp"]);
        assert!(dependencies(b"\0depends=\0name=veth\0").is_empty());
    }

    #[test]
    fn newer_kernels_have_higher_numbers() {
        assert!(revision("linux-image-6.1.0-100-cloud-amd64") > revision("linux-image-6.1.0-56-cloud-amd64"));
    }
}
