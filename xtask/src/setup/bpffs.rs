//! The BPF file system, where the programs and maps are pinned at run time.

use std::fs;

use anyhow::Result;

use crate::root::Root;

/// Where it is looked for.
pub(crate) const MOUNT_POINT: &str = "/sys/fs/bpf";

/// Whether it is mounted.
pub(crate) fn is_mounted() -> bool {
    fs::read_to_string("/proc/self/mounts").is_ok_and(|mounts| {
        mounts.lines().any(|line| {
            let mut words = line.split(' ').skip(1);
            words.next() == Some(MOUNT_POINT) && words.next() == Some("bpf")
        })
    })
}

/// Mounts it, as root.
pub(crate) fn mount() -> Result<()> {
    println!("Mounting bpffs on {MOUNT_POINT}: programs and maps are pinned there.");
    Root::detect().run("mount", &["-t", "bpf", "bpf", MOUNT_POINT])
}
