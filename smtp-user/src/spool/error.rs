//! Why the spool cannot do what it should.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::session_id::MessageId;
use crate::model::shortage::is_shortage;

/// Why the spool cannot do what it should. Each is the gateway's own trouble: 451 or 452, never 5yz.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Not made yet, or its file system is not mounted.
    #[error("there is no spool folder {}: make it, or mount what it is on", path.display())]
    NoFolder {
        /// The path.
        path: PathBuf,
    },
    /// A file, a symbolic link or something else stands where a folder is expected.
    #[error(
        "{} is no folder (a symbolic link is none either): name the folder itself as `rundir`, or move this away",
        path.display()
    )]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// Made by another user than the daemon runs as.
    #[error(
        "{} belongs to user {owner}, and the daemon runs as user {user}: `chown` it, or name another folder as `rundir`",
        path.display()
    )]
    WrongOwner {
        /// The path.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who the daemon is.
        user: u32,
    },
    /// Another folder was meant.
    #[error(
        "{} is no spool: it has `{found}` in it, and no file `format`; name another folder as `rundir`",
        path.display()
    )]
    NotASpool {
        /// The path.
        path: PathBuf,
        /// A name found there.
        found: String,
    },
    /// Written by another version of this program.
    #[error(
        "the spool {} is of format `{found}`, and this program knows `{known}` only: let the one that wrote it deliver what \
         is there, or name another folder as `rundir`",
        path.display()
    )]
    OtherVersion {
        /// The path.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What is known.
        known: &'static str,
    },
    /// A daemon works on it, or `postern queue` does.
    #[error("another process works on the spool {}: two gateways need two folders (`rundir`)", path.display())]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// `spool_limit`.
    #[error("there are {limit} messages in the spool, as many as there may be")]
    Full {
        /// The limit.
        limit: u64,
    },
    /// Below a floor, or nothing left at all.
    #[error("the spool's file system has too little room")]
    NoSpace,
    /// A write failed before, and whether the disk can be relied on is not known.
    #[error("the spool takes no mail since a write failed")]
    ReadOnly,
    /// Somebody removed it, or it was delivered.
    #[error("there is no message {id} in the spool")]
    NotFound {
        /// Which.
        id: MessageId,
    },
    /// Two messages of one name: a mistake of the caller.
    #[error("there is a message {id} in the spool already")]
    Exists {
        /// Which.
        id: MessageId,
    },
    /// Somebody else changed it since it was read.
    #[error("message {id} was changed meanwhile")]
    Stale {
        /// Which.
        id: MessageId,
    },
    /// A failing disk, or somebody's hand.
    #[error("message {id} is damaged: {why}")]
    Damaged {
        /// Which.
        id: MessageId,
        /// What is wrong.
        why: String,
    },
    /// A failing disk.
    #[error("{} in the spool: {why}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// The daemon is going down.
    #[error("the spool is closed")]
    Closed,
}

impl SpoolError {
    /// Of what the system says about a path.
    pub(crate) fn of(path: &Path, why: io::Error) -> Self {
        if is_full(&why) { Self::NoSpace } else { Self::Io { path: path.to_owned(), why } }
    }

    /// Whether the system had no descriptors, memory or threads for it: that says nothing about the spool.
    pub(crate) fn is_shortage(&self) -> bool {
        matches!(self, Self::Io { why, .. } if is_shortage(why))
    }

    /// A word for the record.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NoFolder { .. } => "no_spool_folder",
            Self::NotAFolder { .. } => "not_a_folder",
            Self::WrongOwner { .. } => "wrong_owner",
            Self::NotASpool { .. } => "not_a_spool",
            Self::OtherVersion { .. } => "other_spool_version",
            Self::InUse { .. } => "spool_in_use",
            Self::Full { .. } => "spool_limit",
            Self::NoSpace => "no_space",
            Self::ReadOnly => "spool_read_only",
            Self::NotFound { .. } => "not_in_spool",
            Self::Exists { .. } => "in_spool_already",
            Self::Stale { .. } => "changed_meanwhile",
            Self::Damaged { .. } => "damaged",
            Self::Io { .. } => "spool_io",
            Self::Closed => "spool_closed",
        }
    }
}

/// Whether an error says that there is no room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// An error of the system once more. It cannot be had twice; its number, or its kind and text can.
pub(crate) fn again(error: &io::Error) -> io::Error {
    let number = error.raw_os_error().map(io::Error::from_raw_os_error);
    number.unwrap_or_else(|| io::Error::new(error.kind(), error.to_string()))
}

/// Results of this module.
pub type Result<T> = std::result::Result<T, SpoolError>;
