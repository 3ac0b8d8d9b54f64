//! Why something with the packet path failed, and what to do about it.

use std::path::PathBuf;

use crate::policy::compile::CompileError;
use crate::policy::rule_text::RuleTextError;

/// A failure of the packet path.
#[derive(Debug, thiserror::Error)]
pub enum PacketPathError {
    /// Built where the BPF compiler or linker was missing.
    #[error(
        "this binary was built without the kernel programs ({reason}); run `cargo xtask setup`, then build again"
    )]
    NoObject {
        /// What was missing at build time.
        reason: &'static str,
    },
    /// Not root, and not enough capabilities.
    #[error("not allowed to {what}: run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON")]
    NoRights {
        /// What was tried.
        what: String,
    },
    /// `/sys/fs/bpf` is not mounted, or the folder is elsewhere.
    #[error("{} is not in a BPF file system; mount one: mount -t bpf bpf /sys/fs/bpf", dir.display())]
    NoBpfFileSystem {
        /// The folder.
        dir: PathBuf,
    },
    /// Nothing was ever loaded, or it was stopped.
    #[error("nothing is loaded under {}; start with `postern run`", dir.display())]
    NotLoaded {
        /// The folder.
        dir: PathBuf,
    },
    /// The maps were made by another version.
    #[error(
        "the maps under {} have layout {found}, this binary speaks {expected}; their flows cannot be taken over: \
         run `postern stop --pin-dir {}` first", dir.display(), dir.display()
    )]
    OtherVersion {
        /// The folder.
        dir: PathBuf,
        /// Layout of the maps.
        found: u32,
        /// Ours.
        expected: u32,
    },
    /// Another daemon has this folder.
    #[error("another `postern run` (process {pid}) has {}; stop it first: postern stop --pin-dir {}", dir.display(), dir.display())]
    Busy {
        /// The folder.
        dir: PathBuf,
        /// Its process.
        pid: u32,
    },
    /// The kernel refused a map, or one is damaged.
    #[error("map {name}: {source}")]
    Map {
        /// Name of the map.
        name: &'static str,
        /// What the kernel said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The kernel refused the object or a program, mostly for being too old.
    #[error("the kernel refuses the program {name}: {source}")]
    Program {
        /// Name of the program.
        name: String,
        /// What the kernel said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A name that is misspelt, or a device in another network namespace.
    #[error("there is no interface {name:?} here{}", suggestion.as_ref().map_or(String::new(), |s| format!("; did you mean {s:?}?")))]
    NoInterface {
        /// The name.
        name: String,
        /// One that exists.
        suggestion: Option<String>,
    },
    /// Somebody else's program is on the device.
    #[error(
        "interface {name} already has an XDP program (id {program}) that is not ours; take it off \
         (ip link set dev {name} xdp off) or set hook = \"tc\""
    )]
    ForeignXdp {
        /// The interface.
        name: String,
        /// Id of the program.
        program: u32,
    },
    /// The driver has no native XDP, or not with these settings.
    #[error("interface {name} takes no XDP program ({reason}); set hook = \"tc\" or \"auto\"")]
    NoXdp {
        /// The interface.
        name: String,
        /// What the kernel said.
        reason: String,
    },
    /// The kernel refused to attach.
    #[error("cannot attach to {name}: {reason}")]
    Attach {
        /// The interface.
        name: String,
        /// What the kernel said.
        reason: String,
    },
    /// The port table has no slot for it.
    #[error("interface {name} finds no room in the port table: {reason}")]
    NoPort {
        /// The interface.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// A file or folder under the pin folder.
    #[error("{}: {source}", path.display())]
    Pin {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The kernel's routing, neighbour or link tables cannot be read.
    #[error("cannot read the kernel's {what}: {reason}")]
    Netlink {
        /// Which table.
        what: &'static str,
        /// What the kernel said.
        reason: String,
    },
    /// The rules are too many for a table.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The text of the rules is damaged, or too long.
    #[error("the rules in the maps: {0}")]
    RuleText(#[from] RuleTextError),
}

impl PacketPathError {
    /// A failed operation on a map.
    pub fn map(name: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Map { name, source: source.into() }
    }
}

/// Result of everything here.
pub type Result<T, E = PacketPathError> = std::result::Result<T, E>;

/// Whether an error of the system, anywhere in the chain, says that rights are missing.
pub fn is_permission(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::PermissionDenied
        {
            return true;
        }
        next = error.source();
    }
    false
}
