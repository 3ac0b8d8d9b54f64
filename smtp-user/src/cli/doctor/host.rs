//! Checks of the machine, whatever is loaded.

use std::fs;
use std::path::Path;

use rustix::fs::statfs;

use crate::cli::doctor::Check;
use crate::packet_path::object;
use crate::packet_path::pins::Pins;

/// All of them.
pub(super) fn checks(pins: &Pins) -> Vec<Check> {
    vec![rights(), kernel(), btf(), jit(), bpf_file_system(pins), programs()]
}

fn rights() -> Check {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let held = effective_capabilities(&status);
    let missing: Vec<&str> =
        CAPABILITIES.into_iter().filter(|(_, bit)| held >> bit & 1 == 0).map(|(name, _)| name).collect();
    if missing.is_empty() {
        Check::ok("rights", "The capabilities to load and attach kernel programs are there.")
    } else {
        Check::fail("rights", format!("{} missing: run as root.", missing.join(", ")))
    }
}

/// What loading and attaching needs, by bit number (`capabilities(7)`).
const CAPABILITIES: [(&str, u32); 3] = [("CAP_NET_ADMIN", 12), ("CAP_PERFMON", 38), ("CAP_BPF", 39)];

pub(super) fn effective_capabilities(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0)
}

fn kernel() -> Check {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    match kernel_version(release) {
        None => Check::warn("kernel", format!("The version of the kernel ({release:?}) cannot be read.")),
        Some(version) if version < OLDEST_KERNEL => Check::fail(
            "kernel",
            format!("Linux {release} is older than {}.{}.", OLDEST_KERNEL.0, OLDEST_KERNEL.1),
        ),
        Some(version) if version < TCX_KERNEL => Check::ok(
            "kernel",
            format!("Linux {release}: no TCX (6.6), so TC programs attach as clsact filters."),
        ),
        Some(_) => Check::ok("kernel", format!("Linux {release}: TC programs attach as TCX links.")),
    }
}

/// Oldest kernel that is tested: Debian 12's.
const OLDEST_KERNEL: (u32, u32) = (6, 1);
/// First kernel with TCX.
const TCX_KERNEL: (u32, u32) = (6, 6);

pub(super) fn kernel_version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn btf() -> Check {
    if Path::new("/sys/kernel/btf/vmlinux").exists() {
        Check::ok("btf", "The kernel describes its types (/sys/kernel/btf/vmlinux).")
    } else {
        Check::warn(
            "btf",
            "/sys/kernel/btf/vmlinux is missing: the kernel was built without CONFIG_DEBUG_INFO_BTF.",
        )
    }
}

fn jit() -> Check {
    match fs::read_to_string("/proc/sys/net/core/bpf_jit_enable").as_deref().map(str::trim) {
        Ok("0") => Check::warn(
            "jit",
            "Kernel programs are interpreted, which is slow: sysctl net.core.bpf_jit_enable=1.",
        ),
        Ok(_) => Check::ok("jit", "Kernel programs are compiled."),
        // Other network namespaces than the first do not show it.
        Err(_) => {
            Check::ok("jit", "The switch (net.core.bpf_jit_enable) is not visible here; kernels have it on.")
        }
    }
}

fn bpf_file_system(pins: &Pins) -> Check {
    let parent = pins.dir().parent().unwrap_or(Path::new("/"));
    let is_bpf = statfs(parent).is_ok_and(|fs| u32::try_from(fs.f_type & 0xffff_ffff) == Ok(BPF_FS_MAGIC));
    if is_bpf {
        Check::ok("bpffs", format!("{} is a BPF file system.", parent.display()))
    } else {
        Check::fail(
            "bpffs",
            format!("{} is no BPF file system: mount -t bpf bpf /sys/fs/bpf.", parent.display()),
        )
    }
}

/// Magic number of a BPF file system (`BPF_FS_MAGIC`).
const BPF_FS_MAGIC: u32 = 0xcafe_4a11;

fn programs() -> Check {
    match object::object() {
        Ok(object) => {
            Check::ok("programs", format!("The kernel programs are built in ({} octets).", object.len()))
        }
        Err(error) => Check::fail("programs", super::sentence(&error)),
    }
}
