//! What the writer does at a time: several messages share each sync of a folder.
//!
//! Every new control file is written beside; then all of them are synced at the same time, with the files of octets that
//! stand apart, since a file system does in one go what is asked of it at once. Then such octets get their names and their
//! folder is synced, the control files get their names, their folders are synced, and what is done is done. Only then are
//! older control files removed.
//! A message is removed control file first, and its octets when that is for good: whatever is left of it is no message
//! any more.
//!
//! A file that several new messages share stands in its folder from the beginning, under another name; it is synced at the
//! same time as that folder, and the name that it gets then need not last. A message leaves it by a mark that is synced.

mod gathering;
mod setting_aside;
mod task;

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::error;

use self::gathering::{gather, give_back};
pub(crate) use self::setting_aside::{set_aside, set_slot_aside};
pub(crate) use self::task::{Content, Outcome, Task};
use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;
use crate::spool::bundle::{GONE, THERE};
use crate::spool::control;
use crate::spool::error::{Result, SpoolError, again};
use crate::spool::file_system::{FileSystem, Unsynced};
use crate::spool::place::{Places, Side};
use crate::spool::room::Entry;
use crate::spool::stored::{self, Wanted};
use crate::spool::syncers::Syncers;

/// Where a file is to go, or was.
struct Step {
    /// Where it is, of one that is to go somewhere.
    temporary: Option<PathBuf>,
    /// What is to be synced before it goes there, until it is.
    unsynced: Vec<Box<dyn Unsynced>>,
    named: PathBuf,
    /// Where names change that are to last then.
    folder: Option<PathBuf>,
}

fn at(path: &Path, done: std::io::Result<()>) -> Result<()> {
    done.map_err(|error| SpoolError::of(path, error))
}

/// Does things; gives for each whether it is done for good.
pub(crate) fn run(
    file_system: &dyn FileSystem,
    syncers: &Syncers,
    places: &Places,
    side: Side,
    serial: &mut u64,
    tasks: Vec<Task>,
) -> Vec<Outcome> {
    let (tasks, origins) = gather(tasks);
    give_back(&origins, run_each(file_system, syncers, places, side, serial, tasks))
}

fn run_each(
    file_system: &dyn FileSystem,
    syncers: &Syncers,
    places: &Places,
    side: Side,
    serial: &mut u64,
    mut tasks: Vec<Task>,
) -> Vec<Result<()>> {
    let mut steps: Vec<Option<Step>> = Vec::with_capacity(tasks.len());
    let mut outcomes: Vec<Result<()>> = Vec::with_capacity(tasks.len());
    for task in &mut tasks {
        *serial += 1;
        let (step, outcome) = prepare(file_system, places, side, *serial, task);
        steps.push(step);
        outcomes.push(outcome);
    }
    sync_files(syncers, places, side, &mut tasks, &mut steps, &mut outcomes);
    // Only now, when the control file stands beside: by it, whoever finds octets without a control file knows why.
    for (task, outcome) in tasks.iter().zip(&mut outcomes).filter(|(task, _)| is_apart(task)) {
        if let Task::Commit { message, .. } = task
            && outcome.is_ok()
        {
            let body = places.body(message.id);
            *outcome = at(&body, file_system.rename(&places.new_body(message.id, side), &body));
        }
    }
    if tasks.iter().zip(&outcomes).any(|(task, outcome)| is_apart(task) && outcome.is_ok()) {
        let bodies = places.bodies();
        if let Err(error) = file_system.sync_folder(&bodies) {
            for (_, outcome) in tasks.iter().zip(&mut outcomes).filter(|(task, _)| is_apart(task)) {
                fail(outcome, &bodies, &error);
            }
        }
    }
    let mut folders: HashMap<PathBuf, Option<std::io::Error>> = HashMap::new();
    for (step, outcome) in steps.iter_mut().zip(&mut outcomes) {
        let (Some(step), Ok(())) = (step, &*outcome) else { continue };
        if let Some(temporary) = &step.temporary {
            *outcome = at(&step.named, file_system.rename(temporary, &step.named));
        }
        if outcome.is_ok()
            && let Some(folder) = &step.folder
        {
            folders.insert(folder.clone(), None);
        }
    }
    for (folder, failed) in &mut folders {
        *failed = file_system.sync_folder(folder).err();
    }
    for (step, outcome) in steps.iter().zip(&mut outcomes) {
        if let Some(Step { folder: Some(folder), .. }) = step
            && let Some(Some(error)) = folders.get(folder)
        {
            fail(outcome, folder, error);
        }
    }
    leave_slots(file_system, syncers, places, &tasks, &outcomes);
    for ((task, step), outcome) in tasks.iter().zip(&steps).zip(&outcomes) {
        if let Some(step) = step {
            clean_up(file_system, places, side, task, step, outcome.is_ok());
        }
    }
    outcomes
}

/// Marks messages that have got a file of their own as gone from the one that they shared. That is to last as well: when
/// their own files are removed, nothing may bring them back.
fn leave_slots(
    file_system: &dyn FileSystem,
    syncers: &Syncers,
    places: &Places,
    tasks: &[Task],
    outcomes: &[Result<()>],
) {
    let mut left: HashMap<MessageId, Vec<u64>> = HashMap::new();
    for (task, outcome) in tasks.iter().zip(outcomes) {
        if let Task::Update { from: Entry { slot: Some(slot), .. }, .. } = task
            && outcome.is_ok()
        {
            left.entry(slot.bundle).or_default().push(slot.mark);
        }
    }
    let (mut files, mut failed) = (Vec::new(), Vec::new());
    for (number, (bundle, marks)) in left.iter().enumerate() {
        match file_system.mark(&places.bundle(*bundle), marks, GONE) {
            Ok(file) => files.push((number, file)),
            Err(error) => failed.push(error),
        }
    }
    let count = files.len();
    let synced = syncers.sync(files);
    if synced.len() < count {
        failed.push(std::io::Error::other("a sync came to no outcome"));
    }
    failed.extend(synced.into_iter().filter_map(|(_, done)| done.err()));
    for error in failed {
        // What was asked for is done. Whoever restarts from here may find messages once more that were delivered.
        error!(%error, "a file that messages share cannot be marked: some may be delivered twice after a restart");
    }
}

/// Whether a message is new and its octets stand in a file of their own.
fn is_apart(task: &Task) -> bool {
    matches!(task, Task::Commit { content: Content::Apart(_), .. })
}

/// Syncs every new file, all at the same time.
fn sync_files(
    syncers: &Syncers,
    places: &Places,
    side: Side,
    tasks: &mut [Task],
    steps: &mut [Option<Step>],
    outcomes: &mut [Result<()>],
) {
    // Of each file, whose outcome it is and where it stands.
    let (mut origins, mut files) = (Vec::new(), Vec::new());
    for (index, ((task, step), outcome)) in tasks.iter_mut().zip(steps).zip(&*outcomes).enumerate() {
        let Some(step) = step.as_mut().filter(|_| outcome.is_ok()) else { continue };
        if let Task::Commit { content: Content::Apart(body), message, .. } = task
            && let Some(body) = body.take()
        {
            files.push((origins.len(), body as Box<dyn Unsynced>));
            origins.push((index, places.new_body(message.id, side)));
        }
        for unsynced in step.unsynced.drain(..) {
            files.push((origins.len(), unsynced));
            origins.push((index, step.named.clone()));
        }
    }
    let mut synced: Vec<Option<std::io::Result<()>>> = origins.iter().map(|_| None).collect();
    for (number, outcome) in syncers.sync(files) {
        if let Some(place) = synced.get_mut(number) {
            *place = Some(outcome);
        }
    }
    for ((index, path), done) in origins.into_iter().zip(synced) {
        let done = done.map_or(Err(SpoolError::Closed), |done| at(&path, done));
        if let Some(outcome) = outcomes.get_mut(index).filter(|outcome| outcome.is_ok()) {
            *outcome = done;
        }
    }
}

/// Does for a task what can be done before anything is synced.
fn prepare(
    file_system: &dyn FileSystem,
    places: &Places,
    side: Side,
    number: u64,
    task: &Task,
) -> (Option<Step>, Result<()>) {
    let write = |temporary: PathBuf, content: Result<Arc<Vec<u8>>>, named, folder| {
        let written = content.and_then(|content| written(file_system, &temporary, &content));
        let (unsynced, outcome) = match written {
            Ok(file) => (vec![file], Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        (Some(Step { temporary: Some(temporary), unsynced, named, folder: Some(folder) }), outcome)
    };
    let (message, to) = match task {
        Task::Commit { message, to, .. } | Task::Update { message, to, .. } => (message, *to),
        Task::Remove { id, from, .. } => {
            let (named, folder) = (places.control(*from, *id), places.folder(*from));
            let outcome = match file_system.remove(&named) {
                // Removed before, when it could not be made to last.
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                removed => at(&named, removed),
            };
            let step = Step { temporary: None, unsynced: Vec::new(), named, folder: Some(folder) };
            return (Some(step), outcome);
        }
        Task::SetAside { id, from, slot } => {
            let done = match slot {
                Some(slot) => set_slot_aside(file_system, places, *id, *slot),
                None => set_aside(file_system, places, *id, *from),
            };
            return (None, done);
        }
        Task::Bundle { first, octets } => {
            let (temporary, named) = (places.new_bundle(*first), places.bundle(*first));
            let (unsynced, outcome) = match written_beside(file_system, places, &temporary, octets) {
                Ok(both) => (both.into(), Ok(())),
                Err(error) => (Vec::new(), Err(error)),
            };
            return (Some(Step { temporary: Some(temporary), unsynced, named, folder: None }), outcome);
        }
        Task::Mark { bundle, places: marks } => {
            let named = places.bundle(*bundle);
            let (unsynced, outcome) = match file_system.mark(&named, marks, GONE) {
                Ok(file) => (vec![file], Ok(())),
                Err(error) => (Vec::new(), Err(SpoolError::of(&named, error))),
            };
            return (Some(Step { temporary: None, unsynced, named, folder: None }), outcome);
        }
    };
    let id = message.id;
    let content = content(file_system, places, task, message);
    write(places.new_control(id, side, number), content, places.control(to, id), places.folder(to))
}

/// A new file, yet to be synced.
fn written(file_system: &dyn FileSystem, path: &Path, octets: &[u8]) -> Result<Box<dyn Unsynced>> {
    let write = || {
        let mut file = file_system.create(path)?;
        file.write(octets)?;
        Ok(file as Box<dyn Unsynced>)
    };
    write().map_err(|error| SpoolError::of(path, error))
}

/// The same beside the file that it is to be, and the folder: both are synced at once, and the name that it gets then need
/// not last. By its last line whoever finds it under the first one knows that it is whole.
fn written_beside(
    file_system: &dyn FileSystem,
    places: &Places,
    path: &Path,
    octets: &[u8],
) -> Result<[Box<dyn Unsynced>; 2]> {
    let file = written(file_system, path, octets)?;
    let folder = places.bundles();
    let folder = file_system.open_folder(&folder).map_err(|error| SpoolError::of(&folder, error))?;
    Ok([file, folder])
}

/// What a message's file is to hold.
fn content(
    file_system: &dyn FileSystem,
    places: &Places,
    task: &Task,
    message: &QueuedMessage,
) -> Result<Arc<Vec<u8>>> {
    let id = message.id;
    let encoded = match task {
        Task::Commit { content: Content::Together(file), .. } => return Ok(Arc::clone(file)),
        Task::Update { from, .. } if from.is_together => {
            // Whoever sends them compares them.
            let stored = stored::read_entry(file_system, places, id, from, Wanted::All)?;
            control::encode_with(message, &stored.octets)
        }
        _ => control::encode(message),
    };
    encoded.map(Arc::new).map_err(|error| SpoolError::Damaged { id, why: error.to_string() })
}

/// Removes what is of no use any more. What cannot be removed now is at the next start: of two control files the newer
/// one is meant.
fn clean_up(file_system: &dyn FileSystem, places: &Places, side: Side, task: &Task, step: &Step, done: bool) {
    match task {
        Task::Update { message, from, to } if done && from.slot.is_none() && from.place != *to => {
            let _ = file_system.remove(&places.control(from.place, message.id));
        }
        // The older one is meant; this one would be found beside it, and after it.
        Task::Update { from, to, .. } if !done && (from.slot.is_some() || from.place != *to) => {
            let _ = file_system.remove(&step.named);
            remove_temporary(file_system, step);
        }
        Task::Remove { id, is_together: false, .. } if done => {
            let _ = file_system.remove(&places.body(*id));
        }
        Task::Commit { message, .. } if !done => {
            let _ = file_system.remove(&step.named);
            if is_apart(task) {
                let _ = file_system.remove(&places.body(message.id));
                let _ = file_system.remove(&places.new_body(message.id, side));
            }
            // Last: it says whose the octets are.
            remove_temporary(file_system, step);
        }
        // They are there as long as it is not certain that they are gone: whoever tries again finds them.
        Task::Mark { places: marks, .. } if !done => {
            let _ = file_system.mark(&step.named, marks, THERE);
        }
        Task::Bundle { .. } if !done => {
            let _ = file_system.remove(&step.named);
            remove_temporary(file_system, step);
        }
        _ if !done => remove_temporary(file_system, step),
        _ => {}
    }
}

fn remove_temporary(file_system: &dyn FileSystem, step: &Step) {
    if let Some(temporary) = &step.temporary {
        let _ = file_system.remove(temporary);
    }
}

fn fail(outcome: &mut Result<()>, path: &Path, error: &std::io::Error) {
    if outcome.is_ok() {
        *outcome = Err(SpoolError::of(path, again(error)));
    }
}
