//! What the daemon and the dequeuer say to each other: one value a line, as JSON, with octets behind it where it says so.
//! Whoever may open the socket may also write to the spool, so nobody is asked who they are.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::model::session_id::MessageId;
use crate::spool::bundle::Slot;
use crate::spool::news::TakenIn;

/// Raised with each change of what is said here.
pub const VERSION: u32 = 3;

/// How often the dequeuer says how far it is, also when nothing has changed: whoever hears nothing knows that it hangs.
pub const BEAT: Duration = Duration::from_millis(500);

/// What the daemon says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tell {
    /// What to work by. Nothing is judged or delivered before this was said for the first time.
    Configure(Configuration),
    /// These messages were taken in; their control files follow behind this line, in the same order.
    TakenIn(Vec<Notice>),
    /// Enough: what is in flight is waited for a while.
    Stop,
}

/// That a message was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Which.
    pub id: MessageId,
    /// Octets of its control file that follow; 0 if it is to be read from the disk.
    pub octets: usize,
    /// Where it stands if it shares a file with others.
    pub slot: Option<Slot>,
}

impl Notice {
    fn of(message: &TakenIn) -> Self {
        let octets = message.file.as_ref().map_or(0, |file| file.len());
        Self { id: message.id, octets, slot: message.slot }
    }
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
#[serde(rename_all = "snake_case")]
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

/// Tells of messages that were taken in, with their files as far as they are known.
pub async fn tell(to: &mut (impl AsyncWrite + Unpin), messages: &[TakenIn]) -> io::Result<()> {
    let mut all = serde_json::to_vec(&Tell::TakenIn(messages.iter().map(Notice::of).collect()))?;
    all.push(b'\n');
    for message in messages {
        all.extend_from_slice(message.file.as_deref().map_or(&[], Vec::as_slice));
    }
    to.write_all(&all).await
}

/// Octets of a control file that are told at most.
const MOST: usize = 16 << 20;

/// Hears the files of messages that were told of. Whoever drops this before it is done loses what it has read.
pub async fn hear_files(
    from: &mut (impl AsyncBufRead + Unpin),
    notices: &[Notice],
) -> io::Result<Vec<TakenIn>> {
    let mut heard = Vec::with_capacity(notices.len());
    for Notice { id, octets, slot } in notices.iter().copied() {
        if octets == 0 {
            heard.push(TakenIn::to_be_read(id, slot));
            continue;
        }
        if octets > MOST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a control file that is too long"));
        }
        let mut file = vec![0; octets];
        from.read_exact(&mut file).await?;
        heard.push(TakenIn { id, file: Some(Arc::new(file)), slot });
    }
    Ok(heard)
}

/// Hears what the daemon says; none if it says nothing more. Whoever drops this before it is done loses what it has read
/// of a line.
pub async fn hear(from: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> io::Result<Option<Tell>> {
    line.clear();
    if from.read_until(b'\n', line).await? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(line)?))
}

/// Says a value.
pub async fn write(to: &mut (impl AsyncWrite + Unpin), value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line).await
}

#[cfg(test)]
mod tests;
