//! Files that messages share: read at the start, and looked through for one message.

use std::collections::HashMap;
use std::io;

use super::{Recovery, at_once};
use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;
use crate::spool::batch::set_slot_aside;
use crate::spool::bundle::{self, Listed, Slot};
use crate::spool::error::{Result, SpoolError};
use crate::spool::file_system::FileSystem;
use crate::spool::place::{Place, Places, Side, id_of, id_of_new_bundle};
use crate::spool::room::FoundBundle;
use crate::spool::stored::{self, Stored, Wanted};

/// Reads all of a message whether it has a file of its own or shares one.
pub(crate) fn find(
    file_system: &dyn FileSystem,
    places: &Places,
    place: Place,
    id: MessageId,
) -> Result<Stored> {
    let slots = if place == Place::Active { bundled(file_system, places)? } else { Vec::new() };
    if let Some((_, slot)) = slots.into_iter().find(|(found, _)| *found == id) {
        match stored::read_slot(file_system, places, id, slot, Wanted::All) {
            // It has got a file of its own meanwhile.
            Err(SpoolError::NotFound { .. }) => {}
            stored => return stored,
        }
    }
    stored::read(file_system, places, place, id, Wanted::All)
}

/// Messages that share a file with others, and where. What cannot be read tells nothing here.
pub(crate) fn bundled(file_system: &dyn FileSystem, places: &Places) -> Result<Vec<(MessageId, Slot)>> {
    let mut found = Vec::new();
    for id in bundles(file_system, places)? {
        let Ok(file) = file_system.open(&places.bundle(id)) else { continue };
        let Ok(Some(listed)) = bundle::list(id, file.as_ref()) else { continue };
        found.extend(listed.iter().filter(|listed| listed.is_there).map(|listed| (listed.id, listed.slot)));
    }
    Ok(found)
}

/// Files that messages share, by their names.
fn bundles(file_system: &dyn FileSystem, places: &Places) -> Result<Vec<MessageId>> {
    let folder = places.bundles();
    match file_system.list(&folder) {
        Ok(names) => Ok(names.iter().filter_map(|name| id_of(name)).collect()),
        // A spool of an earlier version has none.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(SpoolError::of(&folder, error)),
    }
}

/// What a bundle holds; `None` if its table is damaged.
type Contents = Option<Vec<(Listed, Result<Stored>)>>;

/// Reads a bundle at once.
fn contents(file_system: &dyn FileSystem, places: &Places, bundle: MessageId) -> Result<Contents> {
    let path = places.bundle(bundle);
    let failed = |error| SpoolError::of(&path, error);
    let mut file = file_system.open(&path).map_err(failed)?;
    // What the disk does not give back as a whole is read one by one.
    if let Ok(octets) = bundle::read(file.as_ref(), 0, file.len()) {
        file = Box::new(octets);
    }
    let Some(listed) = bundle::list(bundle, file.as_ref()).map_err(failed)? else {
        return Ok(None);
    };
    let understood = |listed: Listed| {
        let stored = stored::of_slot(file.as_ref(), &path, listed.id, listed.slot, Wanted::Known);
        (listed, stored)
    };
    Ok(Some(listed.into_iter().map(understood).collect()))
}

/// Reads what is known of messages that share a file with others.
pub fn read_bundled(
    file_system: &dyn FileSystem,
    places: &Places,
) -> Result<Vec<(MessageId, Result<QueuedMessage>)>> {
    let mut found = Vec::new();
    for bundle in bundles(file_system, places)? {
        // Of one that is gone by now, or that a start will take apart, nothing is told here.
        let Ok(Some(contents)) = contents(file_system, places, bundle) else { continue };
        let there = contents.into_iter().filter(|(listed, _)| listed.is_there);
        found.extend(there.map(|(listed, stored)| (listed.id, stored.map(|stored| stored.message))));
    }
    Ok(found)
}

impl Recovery<'_> {
    /// Reads the files that messages share. A message that has a file of its own has been changed since.
    pub(super) fn bundles(&mut self, newest: &mut HashMap<MessageId, (Place, Stored)>) -> Result<()> {
        let folder = self.places.bundles();
        let mut ours = Vec::new();
        for name in self.list(&folder)? {
            let path = folder.join(&name);
            match id_of(&name) {
                // A receiver is about to name it.
                None if id_of_new_bundle(&name).is_some() => {}
                None => self.foreign(path, "it has no name that the spool gives"),
                Some(bundle) if self.is_ours(&path)? => ours.push(bundle),
                Some(_) => {}
            }
        }
        let (file_system, places) = (self.file_system, self.places);
        let contents = at_once::map(&ours, |bundle| contents(file_system, places, *bundle));
        for (bundle, contents) in ours.into_iter().zip(contents) {
            let path = self.places.bundle(bundle);
            let contents = match contents {
                Ok(Some(contents)) => contents,
                Ok(None) => {
                    self.take_apart(bundle, newest)?;
                    continue;
                }
                // A receiver could not sync it, and took it back.
                Err(SpoolError::Io { why, .. }) if why.kind() == io::ErrorKind::NotFound => continue,
                // It is sound for all that one knows, and is read at the next start.
                Err(error) if error.is_shortage() => return Err(error),
                // The others are not to suffer for one that the disk does not give back.
                Err(SpoolError::Io { why, .. }) => {
                    self.put_away(bundle)?;
                    let why = format!("the file that it shares with others cannot be read: {why}");
                    self.recovered.damaged.push((bundle, why));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let known = contents.iter().map(|(listed, _)| listed.slot.mark).collect();
            let mut left = 0;
            for (Listed { id, slot, is_there }, read) in contents {
                if !is_there {
                    continue;
                }
                match read {
                    _ if newest.contains_key(&id) => self.mark(slot)?,
                    Ok(stored) => {
                        left += 1;
                        newest.insert(id, (Place::Active, stored));
                    }
                    Err(error @ SpoolError::OtherVersion { .. }) => return Err(error),
                    Err(error) if error.is_shortage() => return Err(error),
                    Err(error) => {
                        let why = match error {
                            SpoolError::Damaged { why, .. } => why,
                            SpoolError::Io { why, .. } => format!("the control file cannot be read: {why}"),
                            error => error.to_string(),
                        };
                        // What cannot be read cannot be copied either; it stays, and is told of at each start.
                        left += u32::from(set_slot_aside(self.file_system, self.places, id, slot).is_err());
                        self.recovered.damaged.push((id, why));
                    }
                }
            }
            if left == 0 {
                self.remove(&path)?;
            } else {
                self.recovered.bundles.push(FoundBundle { bundle, known, left });
            }
        }
        Ok(())
    }

    /// Names what an earlier receiver had written to the end and had no time to name, or had named without that having
    /// outlasted a loss of power; removes what it had not.
    pub(super) fn new_bundles(&mut self) -> Result<()> {
        let folder = self.places.bundles();
        for name in self.list(&folder)? {
            let path = folder.join(&name);
            let Some(bundle) = id_of_new_bundle(&name) else { continue };
            if !self.is_ours(&path)? {
                continue;
            }
            let is_ended = self.file_system.open(&path).and_then(|file| bundle::is_ended(file.as_ref()));
            // Of what the disk does not give back, whoever reads it tells.
            if is_ended.unwrap_or(true) {
                let named = self.file_system.rename(&path, &self.places.bundle(bundle));
                named.map_err(|error| SpoolError::of(&path, error))?;
            } else {
                self.remove(&path)?;
            }
        }
        Ok(())
    }

    /// Moves a bundle out of the way, for somebody to look at.
    fn put_away(&self, bundle: MessageId) -> Result<()> {
        let path = self.places.bundle(bundle);
        let put_away = || {
            self.file_system.rename(&path, &self.places.corrupt().join(format!("{bundle}.bundle")))?;
            self.file_system.sync_folder(&self.places.corrupt())?;
            self.file_system.sync_folder(&self.places.bundles())
        };
        put_away().map_err(|error| SpoolError::of(&path, error))
    }

    fn mark(&self, slot: Slot) -> Result<()> {
        let path = self.places.bundle(slot.bundle);
        let mark = || self.file_system.mark(&path, &[slot.mark], bundle::GONE)?.sync();
        mark().map_err(|error| SpoolError::of(&path, error))
    }

    /// Gives the messages files of their own that can be found in a shared one whose table is damaged, and puts that out of
    /// the way. Which of them are finished is not known any more: they are rather delivered twice than lost.
    fn take_apart(
        &mut self,
        bundle: MessageId,
        newest: &mut HashMap<MessageId, (Place, Stored)>,
    ) -> Result<()> {
        let (path, place) = (self.places.bundle(bundle), Place::Active);
        let failed = |error| SpoolError::of(&path, error);
        let file = self.file_system.open(&path).map_err(failed)?;
        let octets = bundle::read(file.as_ref(), 0, file.len()).map_err(failed)?;
        let found = bundle::search(&octets);
        let count = found.len();
        for (number, (id, range)) in found.into_iter().enumerate() {
            if newest.contains_key(&id) {
                continue;
            }
            let (temporary, named) =
                (self.places.new_control(id, Side::Dequeuer, number as u64), self.places.control(place, id));
            let write = || {
                let mut file = self.file_system.create(&temporary)?;
                file.write(octets.get(range).unwrap_or_default())?;
                file.sync()?;
                self.file_system.rename(&temporary, &named)
            };
            write().map_err(|error| SpoolError::of(&named, error))?;
            newest
                .insert(id, (place, stored::read(self.file_system, self.places, place, id, Wanted::Known)?));
        }
        self.file_system.sync_folder(&self.places.folder(place)).map_err(failed)?;
        self.put_away(bundle)?;
        let why = format!("the table of the file that it shares with others; {count} of them can be read");
        self.recovered.damaged.push((bundle, why));
        Ok(())
    }
}
