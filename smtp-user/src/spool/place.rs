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

/// Which of the two processes that share a spool something belongs to. Each clears away only what is its own: the other
/// one may be at work on the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Takes messages in.
    Receiver,
    /// Does everything else.
    Dequeuer,
}

impl Side {
    const fn letter(self) -> char {
        match self {
            Self::Receiver => 'r',
            Self::Dequeuer => 'd',
        }
    }
}

/// What a file in `incoming` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// A control file.
    Control(Side, MessageId),
    /// Octets of a message.
    Body(Side),
    /// Neither; nobody needs it any more.
    Probe(Side),
}

impl Unfinished {
    /// By a file's name; none if it is one that is not given here.
    pub fn of(name: &str) -> Option<Self> {
        let side_of = |text: &str| match text.strip_prefix(Side::Receiver.letter()) {
            Some(_) => Side::Receiver,
            None => Side::Dequeuer,
        };
        if let Some(rest) = name.strip_prefix(PROBE) {
            return Some(Self::Probe(side_of(rest)));
        }
        let (id, rest) = name.split_once(SERIAL)?;
        let (id, side) = (id_of(id)?, side_of(rest));
        // Names without a letter are of a time when one process did everything.
        let rest = rest.strip_prefix([Side::Receiver.letter(), Side::Dequeuer.letter()]).unwrap_or(rest);
        if rest == NEW_BODY {
            return Some(Self::Body(side));
        }
        rest.parse::<u64>().ok().map(|_| Self::Control(side, id))
    }

    /// Whose it is.
    pub const fn side(self) -> Side {
        match self {
            Self::Control(side, _) | Self::Body(side) | Self::Probe(side) => side,
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

    /// The file that whoever works on messages locks: one dequeuer at a time, or a command while there is none.
    pub fn lock(&self) -> PathBuf {
        self.root.join(LOCK)
    }

    /// The file that whoever takes messages in locks: one receiver at a time.
    pub fn receiver_lock(&self) -> PathBuf {
        self.root.join(RECEIVER_LOCK)
    }

    /// The file that says that this is a spool, and of which version.
    pub fn format(&self) -> PathBuf {
        self.root.join(FORMAT)
    }

    /// Where the dequeuer takes orders.
    pub fn socket(&self) -> PathBuf {
        self.root.join(SOCKET)
    }

    /// Where the receiver tells the dequeuer what it has taken in.
    pub fn link(&self) -> PathBuf {
        self.root.join(LINK)
    }

    /// The file that names folders which were the spool's before this one.
    pub fn former(&self) -> PathBuf {
        self.root.join(FORMER)
    }

    /// The same while it is being written.
    pub fn new_former(&self) -> PathBuf {
        self.root.join(NEW_FORMER)
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

    /// Messages that were taken in together.
    pub fn bundles(&self) -> PathBuf {
        self.root.join(BUNDLE)
    }

    /// Those that were taken in with this one.
    pub fn bundle(&self, first: MessageId) -> PathBuf {
        self.bundles().join(first.to_string())
    }

    /// The same while it is being made: its receiver's.
    pub fn new_bundle(&self, first: MessageId) -> PathBuf {
        self.bundles().join(format!("{first}{NEW_BUNDLE}"))
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
    pub fn new_control(&self, id: MessageId, side: Side, serial: u64) -> PathBuf {
        self.incoming().join(format!("{id}{SERIAL}{}{serial}", side.letter()))
    }

    /// Octets of a message that are being written.
    pub fn new_body(&self, id: MessageId, side: Side) -> PathBuf {
        self.incoming().join(format!("{id}{SERIAL}{}{NEW_BODY}", side.letter()))
    }

    /// A file that is written to see whether the disk can be written to.
    pub fn probe(&self, side: Side) -> PathBuf {
        self.incoming().join(format!("{PROBE}{}", side.letter()))
    }

    /// Every sub-folder.
    pub fn sub_folders(&self) -> Vec<PathBuf> {
        let mut all = vec![self.incoming(), self.bodies(), self.bundles(), self.corrupt()];
        all.extend(Place::ALL.map(|place| self.folder(place)));
        all
    }
}

/// Names that stand in a spool's folder itself.
pub const KNOWN: [&str; 14] = [
    LOCK,
    RECEIVER_LOCK,
    FORMAT,
    SOCKET,
    LINK,
    FORMER,
    NEW_FORMER,
    INCOMING,
    BODY,
    BUNDLE,
    CORRUPT,
    "active",
    "deferred",
    "quarantine",
];

/// The message that a file is of, if its name is one that is given here.
pub fn id_of(name: &str) -> Option<MessageId> {
    name.parse::<MessageId>().ok().filter(|id| id.to_string() == name)
}

/// The message that a file is of which is written beside its place, in a folder that one process works on.
pub fn id_of_new(name: &str) -> Option<MessageId> {
    let (id, serial) = name.split_once(SERIAL)?;
    serial.parse::<u64>().ok()?;
    id_of(id)
}

/// The first message of a file that several are to share, if that is being made under this name, or was.
pub fn id_of_new_bundle(name: &str) -> Option<MessageId> {
    id_of(name.strip_suffix(NEW_BUNDLE)?)
}

const LOCK: &str = "lock";
const RECEIVER_LOCK: &str = "receiver.lock";
const LINK: &str = "link";
const PROBE: &str = "probe";
const NEW_BODY: &str = "body";
const FORMAT: &str = "format";
const SOCKET: &str = "socket";
const FORMER: &str = "former";
const NEW_FORMER: &str = "former.new";
const INCOMING: &str = "incoming";
const BODY: &str = "body";
const BUNDLE: &str = "bundle";
const CORRUPT: &str = "corrupt";
const SERIAL: char = '~';
const NEW_BUNDLE: &str = "~r";
