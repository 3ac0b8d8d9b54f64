//! The folder made ready for the daemon, and cleared of what an earlier one did not finish.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use crate::quarantine::SOCKET;
use crate::quarantine::error::{QuarantineError, Result};
use crate::quarantine::found::{Foreign, Opened};
use crate::quarantine::store::Store;
use crate::spool::file_system::FoundKind;
use crate::spool::file_system::lock_file::try_lock;
use crate::spool::place::{id_of, id_of_new};

/// Makes the folder, for its owner's eyes only; `None` if another daemon has it, which then does the clearing.
pub(super) fn claim(root: &Path) -> Result<Option<File>> {
    let failed = |error| QuarantineError::of(root, error);
    match fs::symlink_metadata(root) {
        Ok(found) if !found.is_dir() => return Err(QuarantineError::NotAFolder { path: root.to_owned() }),
        Ok(found) => {
            let (owner, user) = (found.uid(), rustix::process::geteuid().as_raw());
            if owner != user {
                return Err(QuarantineError::WrongOwner { path: root.to_owned(), owner, user });
            }
            if found.mode() & 0o077 != 0 {
                fs::set_permissions(root, Permissions::from_mode(0o700)).map_err(failed)?;
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(failed)?;
            if let Some(parent) = root.parent() {
                File::open(parent).and_then(|folder| folder.sync_all()).map_err(failed)?;
            }
        }
        Err(error) => return Err(failed(error)),
    }
    let path = root.join(LOCK);
    try_lock(&path).map_err(|error| QuarantineError::of(&path, error))
}

/// Makes the sub-folders and, if nobody else works here, clears away what has no entry.
pub(super) fn prepare(store: &Store, is_alone: bool) -> Result<Opened> {
    let Store { file_system, paths, .. } = store;
    let mut made = false;
    for folder in [paths.entries(), paths.bodies(), paths.incoming()] {
        match file_system.look(&folder) {
            Ok(found) if found.kind != FoundKind::Folder => {
                return Err(QuarantineError::NotAFolder { path: folder });
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                file_system.make_folder(&folder).map_err(|error| QuarantineError::of(&folder, error))?;
                made = true;
            }
            Err(error) => return Err(QuarantineError::of(&folder, error)),
        }
    }
    if made {
        file_system.sync_folder(&paths.root).map_err(|error| QuarantineError::of(&paths.root, error))?;
    }
    let mut opened = Opened::default();
    if is_alone {
        clear(store, &mut opened)?;
    }
    let listing = store.list()?;
    opened.messages = listing.entries.len();
    (opened.damaged, opened.foreign) = (listing.damaged, listing.foreign);
    Ok(opened)
}

fn clear(store: &Store, opened: &mut Opened) -> Result<()> {
    let Store { file_system, paths, .. } = store;
    let mut leftovers = Vec::new();
    for name in store.names(&paths.incoming())? {
        if id_of_new(&name).is_some() {
            leftovers.push(paths.incoming().join(name));
        }
    }
    for name in store.names(&paths.bodies())? {
        if let Some(id) = id_of(&name)
            && file_system.look(&paths.entry(id)).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        {
            leftovers.push(paths.body(id));
        }
    }
    for path in leftovers {
        if file_system.look(&path).is_ok_and(|found| found.kind == FoundKind::File) {
            file_system.remove(&path).map_err(|error| QuarantineError::of(&path, error))?;
            opened.removed += 1;
        }
    }
    Ok(())
}

/// Names what is not the quarantine's.
pub(super) fn look_around(store: &Store, foreign: &mut Vec<Foreign>) -> Result<()> {
    let paths = &store.paths;
    for name in store.names(&paths.root)? {
        if !KNOWN.contains(&name.as_str()) {
            let why = "the quarantine has no such file".to_owned();
            foreign.push(Foreign { path: paths.root.join(name), why });
        }
    }
    for (folder, is_ours) in [
        (paths.entries(), (|name| id_of(name).is_some()) as fn(&str) -> bool),
        (paths.bodies(), |name| id_of(name).is_some()),
        (paths.incoming(), |name| id_of_new(name).is_some()),
    ] {
        for name in store.names(&folder)? {
            let path = folder.join(&name);
            // Gone since the folder was read: nothing to be said of it.
            let Ok(found) = store.file_system.look(&path) else { continue };
            if !is_ours(&name) {
                foreign.push(Foreign { path, why: "it has no name that the quarantine gives".to_owned() });
            } else if found.kind != FoundKind::File {
                foreign.push(Foreign { path, why: "it is no ordinary file".to_owned() });
            }
        }
    }
    Ok(())
}

const LOCK: &str = "lock";
/// Names that stand in the folder itself.
const KNOWN: [&str; 5] = [LOCK, SOCKET, "entry", "body", "incoming"];
