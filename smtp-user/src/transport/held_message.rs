//! A message between its last octet from the originator and its first to the next hop.
//!
//! It stays in memory up to a bound and moves to an unlinked file beyond it, so that a message of any size
//! costs the same memory. The bound is higher for as many messages at a time as the memory that they share suffices
//! for, since a file costs more than the octets do. The file has no name: a daemon that is killed leaves nothing behind.

mod memory;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::model::message_octets::MessageOctets;
pub use crate::transport::held_message::memory::MessageMemory;
use crate::transport::held_message::memory::{GRANT, Grant};

/// Where and how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldLimits {
    /// Octets of a message that stay in memory in any case.
    pub memory_bound: usize,
    /// For larger ones, as long as it lasts.
    pub memory: MessageMemory,
    /// Octets of a message at most.
    pub max_octets: u64,
    /// Folder of the files; its file system needs room for the messages of all sessions.
    pub folder: Arc<Path>,
}

impl HoldLimits {
    /// The default limits, with files in a folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            memory_bound: DEFAULT_MEMORY_BOUND,
            memory: MessageMemory::default(),
            max_octets: DEFAULT_MAX_OCTETS,
            folder: Arc::from(folder),
        }
    }
}

/// Octets of a message that stay in memory in any case: most mail without attachments.
pub const DEFAULT_MEMORY_BOUND: usize = 64 << 10;
/// Octets of a message at most: 100 MiB.
pub const DEFAULT_MAX_OCTETS: u64 = 100 << 20;
/// Octets written to or read from the file at a time.
const BLOCK: usize = 128 << 10;
/// The same for a message that may use more memory: each time costs a change of threads.
const LARGE_BLOCK: usize = GRANT / 2;

/// A message that is held.
#[derive(Debug)]
pub struct HeldMessage {
    limits: HoldLimits,
    /// Octets that are not in the file; all of them without one.
    memory: Vec<u8>,
    /// Leave to keep more of it in memory.
    grant: Option<Grant>,
    file: Option<Arc<File>>,
    /// Octets in the file.
    written: u64,
    /// After an error there is no whole message to read any more.
    failed: bool,
}

impl HeldMessage {
    /// An empty message.
    pub fn new(limits: HoldLimits) -> Self {
        Self { limits, memory: Vec::new(), grant: None, file: None, written: 0, failed: false }
    }

    /// Octets so far.
    pub fn len(&self) -> u64 {
        self.written + self.memory.len() as u64
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds octets. After an error the message cannot be used any more.
    pub async fn append(&mut self, octets: &[u8]) -> Result<(), HoldError> {
        if self.failed {
            return Err(HoldError::Failed);
        }
        if self.len() + octets.len() as u64 > self.limits.max_octets {
            self.failed = true;
            return Err(HoldError::TooLarge { limit: self.limits.max_octets });
        }
        if self.file.is_none() && self.fits(self.memory.len() + octets.len()) {
            self.memory.extend_from_slice(octets);
            return Ok(());
        }
        for piece in octets.chunks(BLOCK) {
            self.memory.extend_from_slice(piece);
            if self.memory.len() >= self.block() {
                self.write().await?;
            }
        }
        Ok(())
    }

    /// Whether a message of this size stays in memory.
    fn fits(&mut self, octets: usize) -> bool {
        if octets <= self.limits.memory_bound {
            return true;
        }
        if self.grant.is_none() {
            self.grant = self.limits.memory.grant();
        }
        octets <= GRANT && self.grant.is_some()
    }

    /// Octets written to or read from the file at a time.
    const fn block(&self) -> usize {
        if self.grant.is_some() { LARGE_BLOCK } else { BLOCK }
    }

    /// Says that there is no more: brings what is in a file there whole, so that [`as_file`](Self::as_file)
    /// can give it away.
    pub async fn finish(&mut self) -> Result<(), HoldError> {
        if self.failed {
            return Err(HoldError::Failed);
        }
        let in_memory = self.file.is_none() && self.fits(self.memory.len());
        if in_memory || self.memory.is_empty() {
            return Ok(());
        }
        self.write().await
    }

    /// Reads the message from its start.
    pub fn reader(&self) -> HeldReader<'_> {
        HeldReader { message: self, offset: 0, block: Vec::new() }
    }

    /// The file that holds exactly this message; none while some of it is in memory.
    pub fn as_file(&self) -> Option<BorrowedFd<'_>> {
        match &self.file {
            Some(file) if self.memory.is_empty() && !self.failed => Some(file.as_fd()),
            _ => None,
        }
    }

    /// Moves what is in memory to the file, off the asynchronous threads.
    async fn write(&mut self) -> Result<(), HoldError> {
        let octets = std::mem::take(&mut self.memory);
        let (file, folder, offset) = (self.file.clone(), Arc::clone(&self.limits.folder), self.written);
        self.failed = true;
        let work = tokio::task::spawn_blocking(move || {
            let file = match file {
                Some(file) => file,
                None => Arc::new(tempfile::tempfile_in(&folder).map_err(HoldError::create)?),
            };
            file.write_all_at(&octets, offset).map_err(HoldError::write)?;
            Ok::<_, HoldError>((file, octets))
        });
        let (file, mut octets) = work.await.map_err(|_| HoldError::Failed)??;
        self.written += octets.len() as u64;
        octets.clear();
        (self.file, self.memory, self.failed) = (Some(file), octets, false);
        Ok(())
    }
}

impl MessageOctets for HeldMessage {
    fn len(&self) -> u64 {
        Self::len(self)
    }

    fn read_at(&self, offset: u64, room: &mut [u8]) -> io::Result<usize> {
        if self.failed {
            return Err(io::Error::other(HoldError::Failed));
        }
        match (&self.file, offset.checked_sub(self.written)) {
            (Some(file), None) => {
                let whole = usize::try_from(self.written - offset).unwrap_or(usize::MAX);
                let count = room.len().min(whole);
                file.read_at(room.get_mut(..count).unwrap_or_default(), offset)
            }
            (_, Some(offset)) => self.memory.read_at(offset, room),
            (None, None) => Ok(0),
        }
    }

    fn as_file(&self) -> Option<BorrowedFd<'_>> {
        Self::as_file(self)
    }
}

/// Reads a held message in chunks.
#[derive(Debug)]
pub struct HeldReader<'m> {
    message: &'m HeldMessage,
    offset: u64,
    block: Vec<u8>,
}

impl HeldReader<'_> {
    /// The next octets, at most 512 KiB unless more were held in memory; `None` is the end.
    pub async fn next_chunk(&mut self) -> Result<Option<&[u8]>, HoldError> {
        if self.message.failed {
            return Err(HoldError::Failed);
        }
        let Some(left) = self.message.written.checked_sub(self.offset).filter(|left| *left > 0) else {
            let start = usize::try_from(self.offset - self.message.written).unwrap_or(usize::MAX);
            let rest = self.message.memory.get(start..).unwrap_or_default();
            self.offset += rest.len() as u64;
            return Ok((!rest.is_empty()).then_some(rest));
        };
        let Some(file) = self.message.file.clone() else { return Err(HoldError::Failed) };
        let (mut block, offset) = (std::mem::take(&mut self.block), self.offset);
        let most = self.message.block();
        block.resize(usize::try_from(left).unwrap_or(most).min(most), 0);
        let work = tokio::task::spawn_blocking(move || {
            file.read_exact_at(&mut block, offset).map_err(|source| HoldError::Read { source })?;
            Ok::<_, HoldError>(block)
        });
        self.block = work.await.map_err(|_| HoldError::Failed)??;
        self.offset += self.block.len() as u64;
        Ok(Some(&self.block))
    }
}

/// Why a message cannot be held. None of them is the originator's fault but the size: 452 4.3.1, RFC 3463 §3.4.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// The file system is full, or the quota used up.
    #[error("no space for a message")]
    NoSpace,
    /// The originator sends more than it may.
    #[error("the message is larger than {limit} octets")]
    TooLarge {
        /// Octets at most.
        limit: u64,
    },
    /// The folder is missing, or not writable.
    #[error("no file for a message can be made")]
    Create {
        /// What the system says.
        source: io::Error,
    },
    /// A failing disk.
    #[error("a message cannot be written")]
    Write {
        /// What the system says.
        source: io::Error,
    },
    /// A failing disk.
    #[error("a message cannot be read back")]
    Read {
        /// What the system says.
        source: io::Error,
    },
    /// An earlier error, or the process is going down.
    #[error("the message is no longer whole")]
    Failed,
}

impl HoldError {
    fn create(source: io::Error) -> Self {
        if is_full(&source) { Self::NoSpace } else { Self::Create { source } }
    }

    fn write(source: io::Error) -> Self {
        if is_full(&source) { Self::NoSpace } else { Self::Write { source } }
    }

    /// A word for the record.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NoSpace => "no_space",
            Self::TooLarge { .. } => "too_large",
            Self::Create { .. } => "no_file",
            Self::Write { .. } => "write_failed",
            Self::Read { .. } => "read_failed",
            Self::Failed => "not_whole",
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests;
