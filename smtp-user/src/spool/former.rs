//! Folders that were the spool's before: which they are is written down in the one that is it now, and what is left in
//! them is moved there.
//!
//! A message is in its new folder before it is taken out of the old one. Whoever is killed in between has it twice, and the
//! next one takes the old one away.

use std::io;
use std::path::{Path, PathBuf};

use tokio::task::JoinSet;

use crate::model::queued_message::QueuedMessage;
use crate::spool::config::Config;
use crate::spool::error::{Result, SpoolError};
use crate::spool::file_system::FileSystem;
use crate::spool::file_system::disk::Disk;
use crate::spool::folder;
use crate::spool::incoming::Incoming;
use crate::spool::place::{Place, Places, Side};
use crate::spool::store::Spool;

/// What became of the messages in a former folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// They are in the new one.
    pub messages: u64,
    /// They are damaged, and in the old one's `corrupt`.
    pub damaged: u64,
}

/// Messages that are moved at a time: they share what a write to the disk costs.
const AT_A_TIME: usize = 64;
/// Octets that are copied at a time.
const BLOCK: usize = 256 << 10;

/// The folders that were the spool's before and may have messages left. Blocks on the disk.
pub fn list(places: &Places) -> Result<Vec<PathBuf>> {
    list_on(&Disk, places)
}

/// Writes down that a folder was the spool's before. Blocks on the disk.
pub fn add(places: &Places, former: &Path) -> Result<()> {
    change(&Disk, places, |all| {
        if !all.iter().any(|known| known == former) {
            all.push(former.to_owned());
        }
    })
}

/// Writes down that nothing is left in one. Blocks on the disk.
pub fn forget(places: &Places, former: &Path) -> Result<()> {
    change(&Disk, places, |all| all.retain(|known| known != former))
}

pub(crate) fn list_on(file_system: &dyn FileSystem, places: &Places) -> Result<Vec<PathBuf>> {
    let path = places.former();
    let failed = |error| SpoolError::of(&path, error);
    let file = match file_system.open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file.map_err(failed)?,
    };
    let mut text = vec![0; usize::try_from(file.len()).unwrap_or(0)];
    let count = file.read_at(0, &mut text).map_err(failed)?;
    serde_json::from_slice(text.get(..count).unwrap_or_default()).map_err(|error| failed(error.into()))
}

pub(crate) fn change(
    file_system: &dyn FileSystem,
    places: &Places,
    change: impl FnOnce(&mut Vec<PathBuf>),
) -> Result<()> {
    let before = list_on(file_system, places)?;
    let mut after = before.clone();
    change(&mut after);
    if after == before {
        return Ok(());
    }
    let (path, new) = (places.former(), places.new_former());
    let write = || {
        // Of somebody who did not come to its end.
        if file_system.look(&new).is_ok() {
            file_system.remove(&new)?;
        }
        if after.is_empty() {
            file_system.remove(&path)?;
        } else {
            let mut file = file_system.create(&new)?;
            file.write(&serde_json::to_vec(&after)?)?;
            file.sync()?;
            file_system.rename(&new, &path)?;
        }
        file_system.sync_folder(places.root())
    };
    write().map_err(|error| SpoolError::of(&path, error))
}

/// Moves every message of a folder that nobody works on into the spool, to the same place in it. Messages that cannot be
/// moved stay where they are, and the first reason is given.
pub async fn move_all(from: &Path, to: &Spool) -> Result<Moved> {
    let config = Config::within(from);
    let opening = tokio::task::spawn_blocking(move || {
        // Whoever takes mail in there would tell nobody.
        let lock = folder::claim(&config.folder, Side::Receiver)?;
        Spool::open(&config).map(|opened| (lock, opened))
    });
    let (_lock, (former, found)) = opening.await.map_err(|_| SpoolError::Closed)??;
    move_found(&former, found.messages, found.damaged.len() as u64, to).await
}

/// The same of what was found in a spool that is open.
pub(crate) async fn move_found(
    from: &Spool,
    found: Vec<(Place, QueuedMessage)>,
    damaged: u64,
    to: &Spool,
) -> Result<Moved> {
    let mut moved = Moved { messages: 0, damaged };
    let mut moving = JoinSet::new();
    let mut left = found.into_iter();
    let mut failed = None;
    loop {
        while moving.len() < AT_A_TIME
            && failed.is_none()
            && let Some((place, message)) = left.next()
        {
            moving.spawn(move_one(from.clone(), to.clone(), place, message));
        }
        match moving.join_next().await {
            None => return failed.map_or(Ok(moved), Err),
            Some(Ok(Ok(()))) => moved.messages += 1,
            Some(Ok(Err(SpoolError::Damaged { .. }))) => moved.damaged += 1,
            Some(Ok(Err(error))) => failed = failed.or(Some(error)),
            Some(Err(_)) => failed = failed.or(Some(SpoolError::Closed)),
        }
    }
}

async fn move_one(from: Spool, to: Spool, place: Place, message: QueuedMessage) -> Result<()> {
    let id = message.id;
    let (source, target) = (from.clone(), to.clone());
    let copying = tokio::task::spawn_blocking(move || {
        let incoming = copy(&source, &target, &message)?;
        Ok((incoming, message))
    });
    match copying.await.map_err(|_| SpoolError::Closed)? {
        Ok((incoming, message)) => to.commit(incoming, message, place).await?,
        // Somebody was killed when it had been moved.
        Err(SpoolError::Exists { .. }) => {}
        Err(error @ SpoolError::Damaged { .. }) => {
            from.set_aside(id).await?;
            return Err(error);
        }
        Err(error) => return Err(error),
    }
    from.remove(id).await
}

fn copy(from: &Spool, to: &Spool, message: &QueuedMessage) -> Result<Incoming> {
    let mut incoming = to.begin_own(message.id)?;
    let octets = from.body(message)?;
    let mut room = vec![0; BLOCK];
    let mut offset = 0;
    while offset < octets.len() {
        let path = from.places().body(message.id);
        let count = octets.read_at(offset, &mut room).map_err(|error| SpoolError::of(&path, error))?;
        if count == 0 {
            let why = "it became shorter while it was read".to_owned();
            return Err(SpoolError::Damaged { id: message.id, why });
        }
        incoming.write(room.get(..count).unwrap_or_default())?;
        offset += count as u64;
    }
    Ok(incoming)
}
