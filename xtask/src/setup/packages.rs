//! System packages: which, why, how each is recognised, and their installation with apt.
//!
//! A package is recognised by a file or program of its own rather than by the package manager, so that the
//! check costs microseconds and also holds on systems where the same thing came from elsewhere.

use std::path::Path;

use anyhow::{Result, bail};

use super::services::Quiet;
use crate::root::{Root, line};
use crate::workspace::find_program;

/// A Debian package.
pub(crate) struct Package {
    /// Its name for apt.
    pub(crate) name: &'static str,
    /// What it is for, for people.
    pub(crate) why: &'static str,
    group: Group,
    probe: Probe,
}

/// Packages that are needed together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// For building and running.
    Base,
    /// For the lab, the demo, the tests and the measurements.
    Lab,
    /// For the tests on other kernels.
    Emulator,
    /// Mail servers and engines that the scenarios and the measurements of mail meet.
    Peers,
    /// A peer of the measurements that brings half of Perl along; no test meets it.
    Slow,
}

/// What shows that a package is there.
enum Probe {
    /// A program in the search path.
    Program(&'static str),
    /// A file.
    File(&'static str),
}

impl Package {
    /// Its service, when it is one that must not run on this machine by itself.
    pub(crate) fn services(&self) -> &'static [&'static str] {
        match self.name {
            "postfix" => &["postfix"],
            "clamav-daemon" => &["clamav-daemon.socket", "clamav-daemon", "clamav-freshclam"],
            "c-icap" => &["c-icap"],
            "unbound" => &["unbound", "unbound-resolvconf"],
            "haproxy" => &["haproxy"],
            "clamsmtp" => &["clamsmtp"],
            "amavisd-new" => &["amavis", "amavis-mc"],
            _ => &[],
        }
    }

    /// Whether it is there.
    pub(crate) fn is_there(&self) -> bool {
        match self.probe {
            Probe::Program(name) => find_program(name).is_some(),
            Probe::File(path) => Path::new(path).exists(),
        }
    }
}

/// What building and running needs.
pub(crate) const BUILD: &[Group] = &[Group::Base];
/// Everything.
pub(crate) const ALL: &[Group] = &[Group::Base, Group::Lab, Group::Emulator, Group::Peers, Group::Slow];

const fn program(name: &'static str, program: &'static str, group: Group, why: &'static str) -> Package {
    Package { name, why, group, probe: Probe::Program(program) }
}

const fn file(name: &'static str, path: &'static str, why: &'static str) -> Package {
    Package { name, why, group: Group::Base, probe: Probe::File(path) }
}

const fn lab_file(name: &'static str, path: &'static str, why: &'static str) -> Package {
    Package { name, why, group: Group::Lab, probe: Probe::File(path) }
}

const PACKAGES: &[Package] = &[
    program("iproute2", "ip", Group::Base, "ip and tc: interfaces, routes, namespaces"),
    program("ethtool", "ethtool", Group::Lab, "device offloads in the lab"),
    program("nftables", "nft", Group::Lab, "proof of who forwarded; peers of the measurements"),
    program("iperf3", "iperf3", Group::Lab, "bulk TCP and UDP"),
    program("netcat-openbsd", "nc", Group::Lab, "single connections"),
    program("iputils-ping", "ping", Group::Lab, "reachability"),
    program("iputils-tracepath", "tracepath", Group::Lab, "path MTU"),
    program("tcpdump", "tcpdump", Group::Lab, "captures"),
    program("bpftool", "bpftool", Group::Lab, "a second opinion on programs and maps"),
    program("swaks", "swaks", Group::Lab, "SMTP by hand"),
    program("postfix", "postfix", Group::Peers, "a mail server at either end; a peer of the measurements"),
    program("clamav-daemon", "clamd", Group::Peers, "an engine"),
    program("c-icap", "c-icap", Group::Peers, "an engine"),
    Package {
        name: "libc-icap-mod-virus-scan",
        why: "what c-icap scans with",
        group: Group::Peers,
        probe: Probe::File("/usr/share/doc/libc-icap-mod-virus-scan/copyright"),
    },
    program("unbound", "unbound", Group::Peers, "a validating resolver"),
    program("ldnsutils", "ldns-signzone", Group::Peers, "signs the zones of tests"),
    program("haproxy", "haproxy", Group::Peers, "a peer of the measurements"),
    program("clamsmtp", "clamsmtpd", Group::Peers, "a peer of the measurements"),
    program("amavisd-new", "amavisd", Group::Slow, "a peer of the measurements"),
    lab_file("libnet-ssleay-perl", "/usr/share/doc/libnet-ssleay-perl/copyright", "TLS for swaks"),
    program("openssl", "openssl", Group::Lab, "a TLS client by another hand"),
    program("python3", "python3", Group::Peers, "its smtplib, a mail client by another hand"),
    program("qemu-system-x86", "qemu-system-x86_64", Group::Emulator, "runs other kernels"),
    program(
        "dmsetup",
        "dmsetup",
        Group::Emulator,
        "records what a file system writes, in the emulated machine",
    ),
    program("e2fsprogs", "mkfs.ext4", Group::Emulator, "ext4 in the emulated machine"),
    program("xfsprogs", "mkfs.xfs", Group::Emulator, "XFS in the emulated machine"),
    program("busybox-static", "busybox", Group::Emulator, "user space of the emulated machine"),
];

/// What compiles the kernel programs, when no nightly toolchain does.
pub(crate) const COMPILER: &[Package] = &[
    file("rustc-web", "/usr/bin/rustc", "the Rust compiler whose LLVM fits bpf-linker"),
    file("cargo-web", "/usr/bin/cargo", "its cargo"),
    file(
        "libstd-rust-web-dev-bpf",
        "/usr/lib/rustlib/bpfel-unknown-none/lib",
        "core for the BPF target, prebuilt",
    ),
];

/// What builds bpf-linker.
pub(crate) const LINKER: &[Package] = &[
    file("llvm-22-dev", "/usr/lib/llvm-22/bin/llvm-config", "LLVM that bpf-linker is built on"),
    file("libpolly-22-dev", "/usr/lib/llvm-22/lib/libPolly.a", "a part of LLVM that bpf-linker links"),
];

/// All packages of some groups.
pub(crate) fn of(groups: &[Group]) -> impl Iterator<Item = &'static Package> {
    PACKAGES.iter().filter(move |package| groups.contains(&package.group))
}

/// Packages of some groups that are not there.
pub(crate) fn missing(groups: &[Group]) -> Vec<&'static Package> {
    of(groups).filter(|package| !package.is_there()).collect()
}

/// Installs packages with apt, saying what and why first.
pub(crate) fn install(missing: &[&Package]) -> Result<()> {
    println!("Missing system packages:");
    for package in missing {
        println!("  {:<24} {}", package.name, package.why);
    }
    let names: Vec<_> = missing.iter().map(|package| package.name).collect();
    if find_program("apt-get").is_none() {
        bail!("this system has no apt-get; install the equivalents of: {}", names.join(" "));
    }
    let root = Root::detect();
    if root == Root::None {
        bail!(
            "installing needs root and there is no sudo; as root, run: apt-get update && apt-get install -y --no-install-recommends {}",
            names.join(" ")
        );
    }
    println!("Installing them with apt-get{}.", if root == Root::Sudo { " through sudo" } else { "" });
    let services: Vec<_> = missing.iter().flat_map(|package| package.services().iter().copied()).collect();
    let quiet = Quiet::begin(root, &services)?;
    apt(root, &["apt-get", "-qq", "update"])?;
    // `--no-remove`: Debian's own rustc and cargo conflict with the packages used here; that is the owner's choice.
    let mut install = vec!["apt-get", "-qq", "install", "-y", "--no-install-recommends", "--no-remove"];
    install.extend(&names);
    apt(root, &install)?;
    drop(quiet);
    if let Some(package) = missing.iter().find(|package| !package.is_there()) {
        bail!("apt-get installed {}, but what it should bring is still not found", package.name);
    }
    Ok(())
}

/// Installs packages by name that something which is only unpacked needs.
pub(crate) fn install_quietly(names: &[String]) -> Result<()> {
    let mut install = vec!["apt-get", "-qq", "install", "-y", "--no-install-recommends", "--no-remove"];
    install.extend(names.iter().map(String::as_str));
    apt(Root::detect(), &install)
}

fn apt(root: Root, arguments: &[&str]) -> Result<()> {
    let mut words = vec!["DEBIAN_FRONTEND=noninteractive"];
    words.extend(arguments);
    let mut command = root.command("env", &words)?;
    // apt's chatter about every unpacked file hides what matters; errors stay.
    let output = command.output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().filter(|l| l.starts_with("E:")).collect::<Vec<_>>().join(" ");
        bail!(
            "apt-get failed: {said} Is there a network, and a package source with these packages (Debian 12 with its updates)? By hand: {}",
            line(&command)
        );
    }
    Ok(())
}
