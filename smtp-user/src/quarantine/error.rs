//! Why the quarantine cannot do what it should.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::session_id::MessageId;
use crate::spool::error::is_full;

/// Why the quarantine cannot do what it should. Each is the gateway's own trouble: a message that cannot be kept is put
/// off, never let go.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// A file, a symbolic link or something else stands where a folder is expected.
    #[error("{} is no folder (a symbolic link is none either)", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// Made by another user than the daemon runs as.
    #[error("{} belongs to user {owner}, and the daemon runs as user {user}", path.display())]
    WrongOwner {
        /// The path.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who the daemon is.
        user: u32,
    },
    /// Written by another version of this program.
    #[error("{} is of version {found}, and only version {known} is known", path.display())]
    OtherVersion {
        /// The path.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What is known.
        known: &'static str,
    },
    /// Below the floor, or nothing left at all.
    #[error("the quarantine's file system has too little room")]
    NoSpace,
    /// A failing disk.
    #[error("{} in the quarantine", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The message cannot be read where it is held.
    #[error("the message cannot be read back")]
    Held {
        /// What the system says.
        source: io::Error,
    },
    /// Mistyped, deleted or expired.
    #[error("there is no message {id} in quarantine")]
    NotThere {
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
    /// Somebody else releases or deletes it.
    #[error("somebody else is working on message {id}")]
    Busy {
        /// Which.
        id: MessageId,
    },
    /// The process is going down.
    #[error("the work was cut off")]
    Cut,
}

impl QuarantineError {
    /// Of what the system says about a path.
    pub(super) fn of(path: &Path, source: io::Error) -> Self {
        if is_full(&source) { Self::NoSpace } else { Self::Io { path: path.to_owned(), source } }
    }

    /// A word for the record.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotAFolder { .. } => "not_a_folder",
            Self::WrongOwner { .. } => "wrong_owner",
            Self::OtherVersion { .. } => "other_quarantine_version",
            Self::NoSpace => "no_space",
            Self::Io { .. } => "quarantine_io",
            Self::Held { .. } => "held_message_io",
            Self::NotThere { .. } => "not_in_quarantine",
            Self::Damaged { .. } => "damaged",
            Self::Busy { .. } => "in_use",
            Self::Cut => "cut_off",
        }
    }
}

/// Results of this module.
pub type Result<T> = std::result::Result<T, QuarantineError>;
