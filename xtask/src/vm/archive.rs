//! Writes the kernel's archive format for an initial file system: cpio, "newc". Uncompressed; the kernel
//! takes it as it is. See `Documentation/driver-api/early-userspace/buffer-format.rst` of Linux.

use std::collections::BTreeSet;
use std::path::{Component, Path};

/// An archive under construction.
#[derive(Default)]
pub(crate) struct Archive {
    octets: Vec<u8>,
    entries: u32,
    folders: BTreeSet<String>,
}

impl Archive {
    /// Adds a folder and those above it, once.
    pub(crate) fn folder(&mut self, path: &str) {
        let mut so_far = String::new();
        for part in Path::new(path).components() {
            let Component::Normal(part) = part else { continue };
            if !so_far.is_empty() {
                so_far.push('/');
            }
            so_far.push_str(&part.to_string_lossy());
            if self.folders.insert(so_far.clone()) {
                self.entry(&so_far, FOLDER | 0o755, &[], 0);
            }
        }
    }

    /// Adds a file that may be executed, and its folder.
    pub(crate) fn file(&mut self, path: &str, content: &[u8]) {
        let path = path.trim_start_matches('/');
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.folder(folder);
        }
        self.entry(path, FILE | 0o755, content, 0);
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, path: &str, to: &str) {
        let path = path.trim_start_matches('/');
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.folder(folder);
        }
        self.entry(path, LINK | 0o777, to.as_bytes(), 0);
    }

    /// Adds the console, without which `/init` has no output.
    pub(crate) fn console(&mut self) {
        self.folder("dev");
        self.entry("dev/console", CHARACTER_DEVICE | 0o600, &[], 1);
    }

    /// Ends the archive.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[], 0);
        self.octets
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8], device_minor: u32) {
        self.entries += 1;
        let device_major =
            if mode & CHARACTER_DEVICE == CHARACTER_DEVICE && device_minor > 0 { 5 } else { 0 };
        let fields = [
            self.entries,
            mode,
            0,
            0,
            1,
            0,
            content.len() as u32,
            0,
            0,
            device_major,
            device_minor,
            name.len() as u32 + 1,
            0,
        ];
        self.octets.extend_from_slice(b"070701");
        for field in fields {
            self.octets.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.octets.extend_from_slice(name.as_bytes());
        self.octets.push(0);
        self.pad();
        self.octets.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.octets.resize(self.octets.len().next_multiple_of(4), 0);
    }
}

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

#[cfg(test)]
mod tests {
    use super::Archive;

    #[test]
    fn entries_are_aligned_and_folders_come_first() {
        let mut archive = Archive::default();
        archive.file("/a/b", b"x");
        archive.file("/a/c", b"yz");
        let octets = archive.finish();
        assert_eq!(octets.len() % 4, 0);
        let text = String::from_utf8_lossy(&octets);
        assert_eq!(text.matches("070701").count(), 4);
        assert!(text.find("a\0") < text.find("a/b\0"));
        assert!(text.ends_with("TRAILER!!!\0\0\0\0") || text.contains("TRAILER!!!\0"));
    }
}
