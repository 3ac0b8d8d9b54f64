//! A file system whose room is what the test says.

use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statvfs::statvfs;

/// It is in memory, and gone with this value.
#[derive(Debug)]
pub struct SmallDisk {
    at: PathBuf,
}

/// What there is none of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// Room for octets.
    Octets,
    /// Room for names.
    Files,
}

/// As much as a daemon wants to see before it takes mail, and more; what is not used takes no memory.
const OCTETS: u64 = 1 << 30;
const FILES: u64 = 100_000;
/// Times that somebody else may be quicker.
const TRIES: u32 = 1000;

impl SmallDisk {
    /// Mounts one with plenty of room on a folder, which is made for it.
    ///
    /// # Panics
    ///
    /// When it cannot be mounted.
    pub fn new(at: &Path) -> Self {
        std::fs::create_dir_all(at).expect("the folder can be made");
        let options = format!("mode=700,size={OCTETS},nr_inodes={FILES}");
        mount(Some("postern-test"), at, Some("tmpfs"), MsFlags::empty(), Some(options.as_str()))
            .expect("a file system in memory can be mounted");
        Self { at: at.to_owned() }
    }

    /// Takes away all the room of a kind that is not in use.
    ///
    /// # Panics
    ///
    /// When it grows faster than one can look.
    #[track_caller]
    pub fn fill(&self, shortage: Shortage) {
        let is_full = (0..TRIES).any(|_| {
            let room = statvfs(&self.at).expect("the file system is there");
            let size = match shortage {
                Shortage::Octets => {
                    // None at all would be as much as there is memory.
                    let used = (room.blocks() - room.blocks_free()).max(1);
                    format!("size={}", used * room.fragment_size())
                }
                Shortage::Files => format!("nr_inodes={}", room.files() - room.files_free()),
            };
            self.change(&size)
        });
        assert!(is_full, "the file system cannot be filled");
    }

    /// Gives it back.
    ///
    /// # Panics
    ///
    /// When that cannot be.
    pub fn give_room(&self) {
        assert!(self.change(&format!("size={OCTETS},nr_inodes={FILES}")), "the room cannot be given back");
    }

    /// Whether it was done: nothing that is in use can be taken away.
    fn change(&self, options: &str) -> bool {
        mount(None::<&str>, &self.at, None::<&str>, MsFlags::MS_REMOUNT, Some(options)).is_ok()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A process that is about to end may still use it.
        let _ = umount2(&self.at, MntFlags::MNT_DETACH);
    }
}
