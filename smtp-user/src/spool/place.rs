//! Where the parts of a message stand within the spool's folder.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::model::session_id::MessageId;

/// How a message stands: the sub-folder of its control file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Complete, and before its first attempt or in it.
    Active,
    /// Tried, and to be tried again.
    Deferred,
    /// Kept from delivery by policy.
    Quarantine,
}

impl Place {
    /// All of them. Of two control files for one message that are equally new, the one in the later place is meant.
    pub const ALL: [Self; 3] = [Self::Active, Self::Deferred, Self::Quarantine];

    /// The sub-folder's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deferred => "deferred",
            Self::Quarantine => "quarantine",
        }
    }
}

/// The spool's folder and the names in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    root: PathBuf,
}

impl Places {
    /// Of a folder.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file that one daemon at a time locks.
    pub fn lock(&self) -> PathBuf {
        self.root.join(LOCK)
    }

    /// The file that says that this is a spool, and of which version.
    pub fn format(&self) -> PathBuf {
        self.root.join(FORMAT)
    }

    /// Where the daemon takes orders.
    pub fn socket(&self) -> PathBuf {
        self.root.join(SOCKET)
    }

    /// Control files of a place.
    pub fn folder(&self, place: Place) -> PathBuf {
        self.root.join(place.name())
    }

    /// What is being written.
    pub fn incoming(&self) -> PathBuf {
        self.root.join(INCOMING)
    }

    /// Octets of messages.
    pub fn bodies(&self) -> PathBuf {
        self.root.join(BODY)
    }

    /// What is damaged.
    pub fn corrupt(&self) -> PathBuf {
        self.root.join(CORRUPT)
    }

    /// A message's control file.
    pub fn control(&self, place: Place, id: MessageId) -> PathBuf {
        self.folder(place).join(id.to_string())
    }

    /// A message's octets.
    pub fn body(&self, id: MessageId) -> PathBuf {
        self.bodies().join(id.to_string())
    }

    /// A control file that is being written; `serial` tells it from others of the same message.
    pub fn new_control(&self, id: MessageId, serial: u64) -> PathBuf {
        self.incoming().join(format!("{id}{SERIAL}{serial}"))
    }

    /// Every sub-folder.
    pub fn sub_folders(&self) -> Vec<PathBuf> {
        let mut all = vec![self.incoming(), self.bodies(), self.corrupt()];
        all.extend(Place::ALL.map(|place| self.folder(place)));
        all
    }
}

/// Names that stand in a spool's folder itself.
pub const KNOWN: [&str; 9] =
    [LOCK, FORMAT, SOCKET, INCOMING, BODY, CORRUPT, "active", "deferred", "quarantine"];

/// The message that a file is of, if its name is one that is given here.
pub fn id_of(name: &str) -> Option<MessageId> {
    name.parse::<MessageId>().ok().filter(|id| id.to_string() == name)
}

/// The message that a file in `incoming` is of.
pub fn id_of_new(name: &str) -> Option<MessageId> {
    let (id, serial) = name.split_once(SERIAL)?;
    serial.parse::<u64>().ok()?;
    id_of(id)
}

const LOCK: &str = "lock";
const FORMAT: &str = "format";
const SOCKET: &str = "socket";
const INCOMING: &str = "incoming";
const BODY: &str = "body";
const CORRUPT: &str = "corrupt";
const SERIAL: char = '~';
