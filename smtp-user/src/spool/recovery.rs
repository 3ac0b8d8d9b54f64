//! What an earlier process left behind: complete messages are queued, what was not finished is removed, what is damaged
//! is set aside with an alarm, and what is not the spool's is named and left alone.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::message_octets::MessageOctets;
use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;
use crate::spool::batch::set_aside;
use crate::spool::bundle::Slot;
use crate::spool::error::{Result, SpoolError};
use crate::spool::file_system::{FileSystem, FoundKind};
use crate::spool::place::{KNOWN, Place, Places, Side, Unfinished, id_of};
use crate::spool::room::FoundBundle;
use crate::spool::stored::{self, Stored, Wanted};

mod at_once;
mod bundles;

pub use self::bundles::read_bundled;
pub(crate) use self::bundles::{bundled, find};

/// What was found at the start.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Messages there are, and where they stand.
    pub messages: Vec<(Place, QueuedMessage)>,
    /// Those of them that stand in one file with their octets, and where they do if they share it with others.
    pub(crate) together: HashMap<MessageId, Option<Slot>>,
    /// Files that messages share.
    pub(crate) bundles: Vec<FoundBundle>,
    /// Files of what was never finished, or finished and not removed any more.
    pub removed: u64,
    /// Damaged messages, now in `corrupt`.
    pub damaged: Vec<(MessageId, String)>,
    /// Files that are not the spool's; nobody touched them.
    pub foreign: Vec<Foreign>,
}

/// A file that is not the spool's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Where.
    pub path: PathBuf,
    /// Why it is taken for none of the spool's.
    pub why: String,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is left alone: {}", self.path.display(), self.why)
    }
}

/// Reads what is known of a message.
pub fn read_control(
    file_system: &dyn FileSystem,
    places: &Places,
    place: Place,
    id: MessageId,
) -> Result<QueuedMessage> {
    Ok(stored::read(file_system, places, place, id, Wanted::Known)?.message)
}

/// Reads a message's octets, wherever they stand; nobody has compared them with their checksum.
pub fn read_octets(
    file_system: &dyn FileSystem,
    places: &Places,
    place: Place,
    id: MessageId,
) -> Result<Box<dyn MessageOctets>> {
    let stored = find(file_system, places, place, id)?;
    if stored.is_together {
        return Ok(Box::new(stored.octets));
    }
    let path = places.body(id);
    file_system.open(&path).map_err(|error| SpoolError::of(&path, error))
}

/// Looks through the folder, for the dequeuer; a receiver may be at work in it.
pub(crate) fn recover(file_system: &dyn FileSystem, places: &Places) -> Result<Recovered> {
    let owner = file_system.look(places.root()).map_err(|error| SpoolError::of(places.root(), error))?.owner;
    let mut work = Recovery { file_system, places, owner, recovered: Recovered::default() };
    work.root()?;
    // In this order: octets that the receiver has named have their control file beside, and later in its place.
    let bodies = work.list(&places.bodies())?;
    let begun = work.incoming()?;
    let mut newest = work.controls()?;
    work.bundles(&mut newest)?;
    work.bodies(bodies, &begun, newest)?;
    Ok(work.recovered)
}

/// Clears away what an earlier receiver has left, for the next one; a dequeuer may be at work in the folder. Gives how
/// many messages there are that count against the limit.
pub(crate) fn recover_intake(file_system: &dyn FileSystem, places: &Places) -> Result<u64> {
    let owner = file_system.look(places.root()).map_err(|error| SpoolError::of(places.root(), error))?.owner;
    let mut work = Recovery { file_system, places, owner, recovered: Recovered::default() };
    for name in work.list(&places.incoming())? {
        let path = places.incoming().join(&name);
        let Some(left) = Unfinished::of(&name).filter(|left| left.side() == Side::Receiver) else { continue };
        if !work.is_ours(&path)? {
            continue;
        }
        if let Unfinished::Control(_, id) = left
            && !Place::ALL.iter().any(|place| file_system.look(&places.control(*place, id)).is_ok())
        {
            // It never had its name; nobody was promised anything.
            let _ = file_system.remove(&places.body(id));
        }
        work.remove(&path)?;
    }
    work.new_bundles()?;
    let mut count = 0;
    for place in [Place::Active, Place::Deferred] {
        count += work.list(&places.folder(place))?.iter().filter(|name| id_of(name).is_some()).count() as u64;
    }
    Ok(count + bundled(file_system, places)?.len() as u64)
}

/// Whose a file is.
enum Whose {
    Ours,
    /// It is gone: the other process had no more use for it.
    Nobodys,
    /// Somebody else's, for this reason.
    Foreign(String),
}

fn whose(file_system: &dyn FileSystem, owner: u32, path: &Path) -> Result<Whose> {
    let found = match file_system.look(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Whose::Nobodys),
        found => found.map_err(|error| SpoolError::of(path, error))?,
    };
    Ok(match found.kind {
        FoundKind::File if found.owner == owner => Whose::Ours,
        FoundKind::File => Whose::Foreign(format!("it belongs to user {}", found.owner)),
        FoundKind::Folder => Whose::Foreign("it is a folder".to_owned()),
        FoundKind::Other => Whose::Foreign("it is no ordinary file".to_owned()),
    })
}

/// What a name among the control files turned out to be.
enum Control {
    Foreign(String),
    Gone,
    Read(MessageId, Box<Result<Stored>>),
}

struct Recovery<'f> {
    file_system: &'f dyn FileSystem,
    places: &'f Places,
    owner: u32,
    recovered: Recovered,
}

impl Recovery<'_> {
    fn list(&self, folder: &Path) -> Result<Vec<String>> {
        let mut names = self.file_system.list(folder).map_err(|error| SpoolError::of(folder, error))?;
        names.sort_unstable();
        Ok(names)
    }

    fn foreign(&mut self, path: PathBuf, why: &str) {
        self.recovered.foreign.push(Foreign { path, why: why.to_owned() });
    }

    /// Whether a file is one that the spool made; if not, takes note of it.
    fn is_ours(&mut self, path: &Path) -> Result<bool> {
        match whose(self.file_system, self.owner, path)? {
            Whose::Ours => Ok(true),
            Whose::Nobodys => Ok(false),
            Whose::Foreign(why) => {
                self.foreign(path.to_owned(), &why);
                Ok(false)
            }
        }
    }

    fn root(&mut self) -> Result<()> {
        for name in self.list(self.places.root())? {
            if !KNOWN.contains(&name.as_str()) && name != "lost+found" {
                self.foreign(self.places.root().join(name), "the spool has no such file");
            }
        }
        Ok(())
    }

    /// Nothing there was ever promised to anybody. Gives the messages that a receiver is about to name.
    fn incoming(&mut self) -> Result<HashSet<MessageId>> {
        let folder = self.places.incoming();
        let mut begun = HashSet::new();
        for name in self.list(&folder)? {
            let path = folder.join(&name);
            match Unfinished::of(&name) {
                None => self.foreign(path, "it has no name that the spool gives"),
                Some(Unfinished::Control(Side::Receiver, id)) => {
                    begun.insert(id);
                }
                Some(left) if left.side() == Side::Receiver => {}
                Some(_) if self.is_ours(&path)? => self.remove(&path)?,
                Some(_) => {}
            }
        }
        Ok(begun)
    }

    fn remove(&mut self, path: &Path) -> Result<()> {
        self.recovered.removed += 1;
        self.file_system.remove(path).map_err(|error| SpoolError::of(path, error))
    }

    /// Reads the control files; of each message, the newest is meant.
    fn controls(&mut self) -> Result<HashMap<MessageId, (Place, Stored)>> {
        let mut newest: HashMap<MessageId, (Place, Stored)> = HashMap::new();
        let mut damaged = Vec::new();
        for place in Place::ALL {
            let folder = self.places.folder(place);
            let names = self.list(&folder)?;
            let (file_system, places, owner) = (self.file_system, self.places, self.owner);
            let read = |name: &String| -> Control {
                let Some(id) = id_of(name) else {
                    return Control::Foreign("it has no name that the spool gives".to_owned());
                };
                match whose(file_system, owner, &places.control(place, id)) {
                    Ok(Whose::Ours) => Control::Read(
                        id,
                        Box::new(stored::read(file_system, places, place, id, Wanted::Known)),
                    ),
                    Ok(Whose::Nobodys) => Control::Gone,
                    Ok(Whose::Foreign(why)) => Control::Foreign(why),
                    Err(error) => Control::Read(id, Box::new(Err(error))),
                }
            };
            for (name, control) in names.iter().zip(at_once::map(&names, read)) {
                let path = folder.join(name);
                let (id, message) = match control {
                    Control::Foreign(why) => {
                        self.foreign(path, &why);
                        continue;
                    }
                    Control::Gone => continue,
                    Control::Read(id, message) => (id, *message),
                };
                let message = match message {
                    Ok(stored) => stored,
                    // A receiver could not sync it, and took it back.
                    Err(SpoolError::NotFound { .. }) => continue,
                    Err(SpoolError::Damaged { why, .. }) => {
                        damaged.push((place, id, why));
                        continue;
                    }
                    // It is sound for all that one knows, and is read at the next start.
                    Err(error) if error.is_shortage() => return Err(error),
                    // The others are not to suffer for one that the disk does not give back.
                    Err(SpoolError::Io { why, .. }) => {
                        damaged.push((place, id, format!("the control file cannot be read: {why}")));
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                match newest.remove(&id) {
                    Some((earlier, other)) if other.message.version > message.message.version => {
                        self.remove(&path)?;
                        newest.insert(id, (earlier, other));
                    }
                    Some((earlier, _)) => {
                        self.remove(&self.places.control(earlier, id))?;
                        newest.insert(id, (place, message));
                    }
                    None => {
                        newest.insert(id, (place, message));
                    }
                }
            }
        }
        for (place, id, why) in damaged {
            // An older version that is sound does not make up for it: what came after is not known.
            if let Some((other, _)) = newest.remove(&id) {
                set_aside(self.file_system, self.places, id, other)?;
            }
            self.set_aside(place, id, why)?;
        }
        Ok(newest)
    }

    fn set_aside(&mut self, place: Place, id: MessageId, why: String) -> Result<()> {
        set_aside(self.file_system, self.places, id, place)?;
        self.recovered.damaged.push((id, why));
        Ok(())
    }

    /// Pairs control files and octets.
    fn bodies(
        &mut self,
        names: Vec<String>,
        begun: &HashSet<MessageId>,
        newest: HashMap<MessageId, (Place, Stored)>,
    ) -> Result<()> {
        let folder = self.places.bodies();
        for name in names {
            let path = folder.join(&name);
            match id_of(&name) {
                None => self.foreign(path, "it has no name that the spool gives"),
                Some(id) if newest.contains_key(&id) || begun.contains(&id) => {}
                // Of a message that was not complete, or is finished.
                Some(_) => {
                    if self.is_ours(&path)? {
                        self.remove(&path)?;
                    }
                }
            }
        }
        let mut messages: Vec<_> = newest.into_values().collect();
        messages.sort_unstable_by_key(|(_, stored)| stored.message.id);
        let mut waiting = Vec::with_capacity(messages.len());
        for (place, stored) in messages {
            let message = &stored.message;
            if message.is_finished() {
                // The daemon ended between the last word about it and its removal.
                self.remove(&self.places.control(place, message.id))?;
                let _ = self.file_system.remove(&self.places.body(message.id));
                continue;
            }
            waiting.push((place, stored));
        }
        let wrong = at_once::map(&waiting, |(_, stored)| {
            // Of one file it was seen when it was read.
            if stored.is_together { Ok(None) } else { self.wrong_with_body(&stored.message) }
        });
        for ((place, stored), wrong) in waiting.into_iter().zip(wrong) {
            if let Some(why) = wrong? {
                self.set_aside(place, stored.message.id, why)?;
                continue;
            }
            if stored.is_together {
                self.recovered.together.insert(stored.message.id, stored.slot);
            }
            self.recovered.messages.push((place, stored.message));
        }
        Ok(())
    }

    /// What can be seen without reading them; they are read before they are sent.
    fn wrong_with_body(&self, message: &QueuedMessage) -> Result<Option<String>> {
        let path = self.places.body(message.id);
        let found = match self.file_system.look(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Some("its octets are missing".to_owned()));
            }
            Err(error) => return Err(SpoolError::of(&path, error)),
        };
        Ok(match found.kind {
            FoundKind::File if found.owner != self.owner => {
                Some(format!("its octets belong to user {}", found.owner))
            }
            FoundKind::File if found.octets != message.octets => {
                Some(format!("{} octets where there were {}", found.octets, message.octets))
            }
            FoundKind::File => None,
            _ => Some("its octets are no ordinary file".to_owned()),
        })
    }
}
