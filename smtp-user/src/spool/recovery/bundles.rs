//! Files that messages share: read at the start, and looked through for one message.

use std::collections::HashMap;
use std::io;

use super::Recovery;
use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;
use crate::spool::batch::set_slot_aside;
use crate::spool::bundle::{self, Listed, Slot};
use crate::spool::error::{Result, SpoolError};
use crate::spool::file_system::FileSystem;
use crate::spool::place::{Place, Places, Side, id_of};
use crate::spool::room::FoundBundle;
use crate::spool::stored::{self, Stored, Wanted};

/// Reads a message whether it has a file of its own or shares one.
pub(crate) fn find(
    file_system: &dyn FileSystem,
    places: &Places,
    place: Place,
    id: MessageId,
    wanted: Wanted,
) -> Result<Stored> {
    let slots = if place == Place::Active { bundled(file_system, places)? } else { Vec::new() };
    if let Some((_, slot)) = slots.into_iter().find(|(found, _)| *found == id) {
        match stored::read_slot(file_system, places, id, slot, wanted) {
            // It has got a file of its own meanwhile.
            Err(SpoolError::NotFound { .. }) => {}
            stored => return stored,
        }
    }
    stored::read(file_system, places, place, id, wanted)
}

/// Messages that share a file with others, and where. What cannot be read tells nothing here.
pub(crate) fn bundled(file_system: &dyn FileSystem, places: &Places) -> Result<Vec<(MessageId, Slot)>> {
    let folder = places.bundles();
    // A spool of an earlier version has none.
    let names = match file_system.list(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        names => names.map_err(|error| SpoolError::of(&folder, error))?,
    };
    let mut found = Vec::new();
    for id in names.iter().filter_map(|name| id_of(name)) {
        let Ok(file) = file_system.open(&places.bundle(id)) else { continue };
        let Ok(Some(listed)) = bundle::list(id, file.as_ref()) else { continue };
        found.extend(listed.iter().filter(|listed| listed.is_there).map(|listed| (listed.id, listed.slot)));
    }
    Ok(found)
}

/// Reads what is known of messages that share a file with others.
pub fn read_bundled(
    file_system: &dyn FileSystem,
    places: &Places,
) -> Result<Vec<(MessageId, Result<QueuedMessage>)>> {
    let read = |(id, slot)| {
        let stored = stored::read_slot(file_system, places, id, slot, Wanted::Known);
        (id, stored.map(|stored| stored.message))
    };
    Ok(bundled(file_system, places)?.into_iter().map(read).collect())
}

impl Recovery<'_> {
    /// Reads the files that messages share. A message that has a file of its own has been changed since.
    pub(super) fn bundles(&mut self, newest: &mut HashMap<MessageId, (Place, Stored)>) -> Result<()> {
        let folder = self.places.bundles();
        for name in self.list(&folder)? {
            let path = folder.join(&name);
            let Some(bundle) = id_of(&name) else {
                self.foreign(path, "it has no name that the spool gives");
                continue;
            };
            if !self.is_ours(&path)? {
                continue;
            }
            let failed = |error| SpoolError::of(&path, error);
            let file = self.file_system.open(&path).map_err(failed)?;
            let Some(listed) = bundle::list(bundle, file.as_ref()).map_err(failed)? else {
                drop(file);
                self.take_apart(bundle, newest)?;
                continue;
            };
            let known = listed.iter().map(|listed| listed.slot.mark).collect();
            let mut left = 0;
            for Listed { id, slot, .. } in listed.into_iter().filter(|listed| listed.is_there) {
                let read = stored::read_slot(self.file_system, self.places, id, slot, Wanted::Known);
                match read {
                    Ok(_) if newest.contains_key(&id) => self.mark(slot)?,
                    Ok(stored) => {
                        left += 1;
                        newest.insert(id, (Place::Active, stored));
                    }
                    Err(error @ SpoolError::OtherVersion { .. }) => return Err(error),
                    Err(error) => {
                        let why = match error {
                            SpoolError::Damaged { why, .. } => why,
                            SpoolError::Io { source, .. } => {
                                format!("the control file cannot be read: {source}")
                            }
                            error => error.to_string(),
                        };
                        set_slot_aside(self.file_system, self.places, id, slot)?;
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
        let put_away = || {
            self.file_system.sync_folder(&self.places.folder(place))?;
            self.file_system.rename(&path, &self.places.corrupt().join(format!("{bundle}.bundle")))?;
            self.file_system.sync_folder(&self.places.corrupt())?;
            self.file_system.sync_folder(&self.places.bundles())
        };
        put_away().map_err(failed)?;
        let why = format!("the table of the file that it shares with others; {count} of them can be read");
        self.recovered.damaged.push((bundle, why));
        Ok(())
    }
}
