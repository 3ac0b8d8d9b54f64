//! What the writer does at a time: several messages share each sync of a folder.
//!
//! Every new control file is written beside and synced, and the octets of new messages too, several at a time, since a
//! file system does in one go what is asked of it at the same time; then octets get their names and their folder is
//! synced, the control files get their names, their folders are synced, and what is done is done. Only then are older control files removed.
//! A message is removed control file first, and its octets when that is for good: whatever is left of it is no message
//! any more.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;
use crate::spool::control;
use crate::spool::error::{Result, SpoolError};
use crate::spool::file_system::{FileSystem, NewFile};
use crate::spool::place::{Place, Places, Side};

/// One thing to be done.
#[derive(Debug)]
pub(crate) enum Task {
    /// A new message; its octets are written and not synced.
    Commit { body: Box<dyn NewFile>, message: Box<QueuedMessage>, to: Place },
    /// Another version of a control file.
    Update { message: Box<QueuedMessage>, from: Place, to: Place },
    /// A message is finished.
    Remove { id: MessageId, from: Place },
    /// A message is damaged.
    SetAside { id: MessageId, from: Place },
}

/// Where a control file is to go, or was.
struct Step {
    /// Where it is, of one that is to go somewhere.
    temporary: Option<PathBuf>,
    named: PathBuf,
    folder: PathBuf,
}

/// Files that are synced at the same time.
const AT_A_TIME: usize = 32;

fn at(path: &Path, done: std::io::Result<()>) -> Result<()> {
    done.map_err(|error| SpoolError::of(path, error))
}

/// Does things; gives for each whether it is done for good.
pub(crate) fn run(
    file_system: &dyn FileSystem,
    places: &Places,
    side: Side,
    serial: &mut u64,
    mut tasks: Vec<Task>,
) -> Vec<Result<()>> {
    let (mut steps, mut outcomes): (Vec<Option<Step>>, Vec<Result<()>>) =
        prepare_all(file_system, places, side, serial, &mut tasks).into_iter().unzip();
    // Only now, when the control file stands beside: by it, whoever finds octets without a control file knows why.
    for (task, outcome) in tasks.iter().zip(&mut outcomes) {
        if let Task::Commit { message, .. } = task
            && outcome.is_ok()
        {
            let body = places.body(message.id);
            *outcome = at(&body, file_system.rename(&places.new_body(message.id, side), &body));
        }
    }
    let is_commit = |task: &Task| matches!(task, Task::Commit { .. });
    if tasks.iter().zip(&outcomes).any(|(task, outcome)| is_commit(task) && outcome.is_ok()) {
        let bodies = places.bodies();
        if let Err(error) = file_system.sync_folder(&bodies) {
            for (_, outcome) in tasks.iter().zip(&mut outcomes).filter(|(task, _)| is_commit(task)) {
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
        if outcome.is_ok() {
            folders.insert(step.folder.clone(), None);
        }
    }
    for (folder, failed) in &mut folders {
        *failed = file_system.sync_folder(folder).err();
    }
    for ((task, step), outcome) in tasks.iter().zip(&steps).zip(&mut outcomes) {
        let Some(step) = step else { continue };
        if outcome.is_ok()
            && let Some(Some(error)) = folders.get(&step.folder)
        {
            fail(outcome, &step.folder, error);
        }
        clean_up(file_system, places, side, task, step, outcome.is_ok());
    }
    outcomes
}

type Prepared = (Option<Step>, Result<()>);

/// Does for each task what can be done before folders are synced, for several at the same time.
fn prepare_all(
    file_system: &dyn FileSystem,
    places: &Places,
    side: Side,
    serial: &mut u64,
    tasks: &mut [Task],
) -> Vec<Prepared> {
    let mut numbered: Vec<(u64, &mut Task)> = (*serial + 1..).zip(tasks).collect();
    *serial += numbered.len() as u64;
    let share = numbered.len().div_ceil(AT_A_TIME).max(1);
    let prepare_some = |some: &mut [(u64, &mut Task)]| -> Vec<Prepared> {
        some.iter_mut().map(|(number, task)| prepare(file_system, places, side, *number, task)).collect()
    };
    let Some((first, others)) = numbered.split_at_mut_checked(share) else {
        return prepare_some(&mut numbered);
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = others
            .chunks_mut(share)
            .map(|some| (some.len(), scope.spawn(move || prepare_some(some))))
            .collect();
        let mut prepared = prepare_some(first);
        for (count, thread) in others {
            let lost = || (0..count).map(|_| (None, Err(SpoolError::Closed))).collect();
            prepared.extend(thread.join().unwrap_or_else(|_| lost()));
        }
        prepared
    })
}

fn prepare(
    file_system: &dyn FileSystem,
    places: &Places,
    side: Side,
    number: u64,
    task: &mut Task,
) -> Prepared {
    let beside = |id: MessageId| places.new_control(id, side, number);
    match task {
        Task::Commit { body, message, to } => {
            let synced = at(&places.new_body(message.id, side), body.sync());
            written(file_system, places, beside(message.id), message, *to, synced)
        }
        Task::Update { message, to, .. } => {
            written(file_system, places, beside(message.id), message, *to, Ok(()))
        }
        Task::Remove { id, from } => {
            let (named, folder) = (places.control(*from, *id), places.folder(*from));
            let outcome = at(&named, file_system.remove(&named));
            (Some(Step { temporary: None, named, folder }), outcome)
        }
        Task::SetAside { id, from } => (None, set_aside(file_system, places, *id, *from)),
    }
}

/// Writes a control file beside its place.
fn written(
    file_system: &dyn FileSystem,
    places: &Places,
    temporary: PathBuf,
    message: &QueuedMessage,
    to: Place,
    before: Result<()>,
) -> Prepared {
    let id = message.id;
    let outcome = before.and_then(|()| {
        let octets =
            control::encode(message).map_err(|error| SpoolError::Damaged { id, why: error.to_string() })?;
        let write = || {
            let mut file = file_system.create(&temporary)?;
            file.write(&octets)?;
            file.sync()
        };
        at(&temporary, write())
    });
    let step = Step { temporary: Some(temporary), named: places.control(to, id), folder: places.folder(to) };
    (Some(step), outcome)
}

/// Removes what is of no use any more. What cannot be removed now is at the next start: of two control files the newer
/// one is meant.
fn clean_up(file_system: &dyn FileSystem, places: &Places, side: Side, task: &Task, step: &Step, done: bool) {
    match task {
        Task::Update { message, from, to } if done && from != to => {
            let _ = file_system.remove(&places.control(*from, message.id));
        }
        Task::Remove { id, .. } if done => {
            let _ = file_system.remove(&places.body(*id));
        }
        Task::Commit { message, .. } if !done => {
            let _ = file_system.remove(&step.named);
            let _ = file_system.remove(&places.body(message.id));
            let _ = file_system.remove(&places.new_body(message.id, side));
            // Last: it says whose the octets are.
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

/// Moves what there is of a message out of the way, for somebody to look at.
pub(crate) fn set_aside(
    file_system: &dyn FileSystem,
    places: &Places,
    id: MessageId,
    from: Place,
) -> Result<()> {
    let corrupt = places.corrupt();
    let control = places.control(from, id);
    // First the octets: without a control file they would be taken for those of a message that is gone.
    let moved = file_system.rename(&places.body(id), &corrupt.join(format!("{id}.body")));
    if let Err(error) = moved
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(SpoolError::of(&places.body(id), error));
    }
    file_system
        .rename(&control, &corrupt.join(format!("{id}.{}", from.name())))
        .and_then(|()| file_system.sync_folder(&corrupt))
        .map_err(|error| SpoolError::of(&control, error))
}

fn fail(outcome: &mut Result<()>, path: &Path, error: &std::io::Error) {
    if outcome.is_ok() {
        // An error cannot be had twice; its kind and text can.
        *outcome = Err(SpoolError::of(path, std::io::Error::new(error.kind(), error.to_string())));
    }
}
