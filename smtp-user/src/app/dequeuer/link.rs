//! What the daemon and the dequeuer say to each other: one value a line, as JSON. Whoever may open the socket may also
//! write to the spool, so nobody is asked who they are.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::model::session_id::MessageId;

/// Raised with each change of what is said here.
pub const VERSION: u32 = 2;

/// How often the dequeuer says how far it is, also when nothing has changed: whoever hears nothing knows that it hangs.
pub const BEAT: Duration = Duration::from_millis(500);

/// What the daemon says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "tell", rename_all = "snake_case")]
pub enum Tell {
    /// What to work by. Nothing is judged or delivered before this was said for the first time.
    Configure(Configuration),
    /// These messages were taken in.
    TakenIn {
        /// Which.
        ids: Vec<MessageId>,
    },
    /// Enough: what is in flight is waited for a while.
    Stop,
}

/// What to work by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Where the configuration was read from: paths in it are meant from there.
    pub file: PathBuf,
    /// Its text. The file may be another one by now, or wrong.
    pub text: String,
    /// Text of the packet rules that are active, which may be others; empty where nobody asks for them.
    pub rules: String,
}

/// What the dequeuer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum Say {
    /// Who it is; the first thing that it says.
    Hello {
        /// Of what is said here.
        version: u32,
        /// The file that it was started from.
        program: Program,
        /// Its process.
        pid: i32,
    },
    /// How far it is. Said whenever that changes, and with every [`BEAT`].
    Status {
        /// How many of the messages that were told are in its care, or were found to be gone. Counted from the hello.
        taken: u64,
        /// Messages in its care that count against the limit.
        count: u64,
    },
}

/// The file that a process was started from, also after another one got its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    device: u64,
    inode: u64,
}

impl Program {
    /// This one.
    pub fn this() -> io::Result<Self> {
        let file = fs::metadata("/proc/self/exe")?;
        Ok(Self { device: file.dev(), inode: file.ino() })
    }
}

/// Says a value.
pub async fn write(to: &mut (impl AsyncWrite + Unpin), value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line).await
}
