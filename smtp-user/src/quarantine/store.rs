//! The quarantine as the rest of the gateway sees it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::model::message_octets::MessageOctets;
use crate::model::session_id::MessageId;
use crate::quarantine::claim::Claim;
use crate::quarantine::entry::{Entry, Release};
use crate::quarantine::error::{QuarantineError, Result};
use crate::quarantine::form::{self, FormError};
use crate::quarantine::found::{Listing, Opened};
use crate::quarantine::opening;
use crate::quarantine::writing::Writing;
use crate::spool::file_system::disk::Disk;
use crate::spool::file_system::{FileSystem, FoundKind};
use crate::spool::place::id_of;
use crate::wire::hexadecimal::hexadecimal;

/// The quarantine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) file_system: Arc<dyn FileSystem>,
    pub(super) paths: Paths,
    /// Says to other processes that a daemon puts messages here.
    _lock: Option<Arc<File>>,
}

/// The folder and the names in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paths {
    pub(super) root: PathBuf,
}

impl Paths {
    pub(super) fn entries(&self) -> PathBuf {
        self.root.join("entry")
    }

    pub(super) fn bodies(&self) -> PathBuf {
        self.root.join("body")
    }

    pub(super) fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }

    pub(super) fn entry(&self, id: MessageId) -> PathBuf {
        self.entries().join(id.to_string())
    }

    pub(super) fn body(&self, id: MessageId) -> PathBuf {
        self.bodies().join(id.to_string())
    }

    /// An entry that is being written. Only one version of it is at a time: whoever writes has the claim.
    pub(super) fn new_entry(&self, id: MessageId, version: u64) -> PathBuf {
        self.incoming().join(format!("{id}~{version}"))
    }
}

/// Octets that are read or copied at a time.
const BLOCK: usize = 256 << 10;

impl Store {
    /// Opens the quarantine for the daemon: its folder is made if it is not there, and what an earlier daemon did not
    /// finish is cleared away. Once in a process. Blocks on the disk.
    pub fn open(folder: &Path) -> Result<(Self, Opened)> {
        let lock = opening::claim(folder)?;
        let is_alone = lock.is_some();
        let store = Self { _lock: lock.map(Arc::new), ..Self::at(folder) };
        let opened = opening::prepare(&store, is_alone)?;
        Ok((store, opened))
    }

    /// For a command, which looks at what is there, releases and deletes, and makes nothing.
    pub fn at(folder: &Path) -> Self {
        Self::with(folder, Arc::new(Disk))
    }

    pub(super) fn with(folder: &Path, file_system: Arc<dyn FileSystem>) -> Self {
        Self { file_system, paths: Paths { root: folder.to_owned() }, _lock: None }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.paths.root
    }

    /// Puts a message there; gives its entry with size and checksum. When this returns `Ok`, no loss of power loses it;
    /// if not, nothing was promised and nothing stays. A message that is there already stays as it is.
    pub async fn keep(&self, mut entry: Entry, message: &dyn MessageOctets) -> Result<Entry> {
        let (store, id, octets) = (self.clone(), entry.id, message.len());
        let begun = aside(move || Writing::begin(store, id, octets)).await?;
        let Some(mut writing) = begun else { return self.get(id) };
        let (mut digest, mut offset) = (Sha256::new(), 0);
        while offset < octets {
            let mut block = vec![0; BLOCK];
            let count =
                message.read_at(offset, &mut block).map_err(|source| QuarantineError::Held { source })?;
            if count == 0 {
                return Err(QuarantineError::Held { source: io::ErrorKind::UnexpectedEof.into() });
            }
            block.truncate(count);
            digest.update(&block);
            offset += count as u64;
            writing = aside(move || writing.write(&block)).await?;
        }
        (entry.octets, entry.sha256) = (octets, hexadecimal(&digest.finalize()));
        (entry.version, entry.release) = (1, Release::Held);
        aside(move || writing.finish(&entry).map(|()| entry)).await
    }

    /// Everything that is there. Blocks on the disk.
    pub fn list(&self) -> Result<Listing> {
        let mut listing = Listing::default();
        opening::look_around(self, &mut listing.foreign)?;
        for name in self.names(&self.paths.entries())? {
            let Some(id) = id_of(&name) else { continue };
            if self.file_system.look(&self.paths.entry(id)).is_ok_and(|found| found.kind != FoundKind::File) {
                // It is named among the foreign ones.
                continue;
            }
            match self.get(id) {
                Ok(entry) => listing.entries.push(entry),
                Err(QuarantineError::Damaged { id, why }) => listing.damaged.push((id, why)),
                // Deleted since the folder was read.
                Err(QuarantineError::NotThere { .. }) => {}
                Err(error) => listing.damaged.push((id, error.to_string())),
            }
        }
        listing.entries.sort_by_key(|entry| (entry.kept, entry.id));
        Ok(listing)
    }

    /// One message's entry. Blocks on the disk.
    pub fn get(&self, id: MessageId) -> Result<Entry> {
        let path = self.paths.entry(id);
        let file = self.file_system.open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => QuarantineError::NotThere { id },
            _ => QuarantineError::of(&path, error),
        })?;
        if file.len() > form::MAX_OCTETS {
            return Err(QuarantineError::Damaged { id, why: format!("an entry of {} octets", file.len()) });
        }
        let mut octets = Vec::new();
        read(file.as_ref(), &path, |block| octets.extend_from_slice(block))?;
        form::decode(&octets, id).map_err(|error| match error {
            FormError::Version(found) => QuarantineError::OtherVersion { path, found, known: form::VERSION },
            FormError::Damaged(why) => QuarantineError::Damaged { id, why },
        })
    }

    /// Opens a message's octets, after having read them once and compared. Blocks on the disk.
    pub fn body(&self, entry: &Entry) -> Result<Box<dyn MessageOctets>> {
        let id = entry.id;
        let path = self.paths.body(id);
        let damaged = |why: &str| QuarantineError::Damaged { id, why: why.to_owned() };
        let body = self.file_system.open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => damaged("its octets are missing"),
            io::ErrorKind::InvalidInput => damaged("its octets are no ordinary file"),
            _ => QuarantineError::of(&path, error),
        })?;
        let mut digest = Sha256::new();
        read(body.as_ref(), &path, |block| digest.update(block))?;
        if body.len() != entry.octets || hexadecimal(&digest.finalize()) != entry.sha256 {
            return Err(damaged("its octets are not those that were put into quarantine"));
        }
        Ok(body)
    }

    /// Claims a message, so that nobody else releases or deletes it. Blocks on the disk, not on others.
    pub fn claim(&self, id: MessageId) -> Result<Claim> {
        Claim::take(self, id)
    }

    /// Forgets what has been here long enough, except what is being released; how many messages those were. One that
    /// cannot be deleted does not keep the others. Blocks on the disk.
    pub fn expire(&self, now: u64) -> Result<usize> {
        let mut count = 0;
        for entry in self.list()?.entries {
            if entry.expires > now || matches!(entry.release, Release::Releasing { .. }) {
                continue;
            }
            match self.claim(entry.id).and_then(Claim::delete) {
                Ok(()) => count += 1,
                Err(error) => {
                    tracing::debug!(%error, message = %entry.id, "a message stays in quarantine for now");
                }
            }
        }
        Ok(count)
    }

    /// Names in a folder, in order; none if there is no such folder.
    pub(super) fn names(&self, folder: &Path) -> Result<Vec<String>> {
        match self.file_system.list(folder) {
            Ok(mut names) => {
                names.sort_unstable();
                Ok(names)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(QuarantineError::of(folder, error)),
        }
    }
}

fn read(file: &dyn MessageOctets, path: &Path, mut each: impl FnMut(&[u8])) -> Result<()> {
    let mut room = vec![0; BLOCK];
    let mut offset = 0;
    while offset < file.len() {
        let count = file.read_at(offset, &mut room).map_err(|error| QuarantineError::of(path, error))?;
        if count == 0 {
            break;
        }
        each(room.get(..count).unwrap_or_default());
        offset += count as u64;
    }
    Ok(())
}

/// Work that waits for the disk, off the asynchronous threads.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| QuarantineError::Cut)?
}
