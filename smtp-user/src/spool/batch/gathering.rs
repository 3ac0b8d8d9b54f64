//! What several tasks of a round have in common is done once: new messages share a file, and so do marks in such a file.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Content, Outcome, Task};
use crate::model::session_id::MessageId;
use crate::spool::bundle::{self, Slot};
use crate::spool::error::{Result, SpoolError, again};

/// What became of one task: which of those that are left does it, and where its message stands then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    by: usize,
    slot: Option<Slot>,
}

/// Puts tasks together. Gives for each who does it.
pub(super) fn gather(tasks: Vec<Task>) -> (Vec<Task>, Vec<Origin>) {
    let new: Vec<(MessageId, &[u8])> = tasks.iter().filter_map(shared_file).collect();
    let (mut octets, mut slots) = (None, Vec::new());
    if new.len() > 1 {
        let (all, places) = bundle::encode(&new);
        (octets, slots) = (Some(all), places);
    }
    let mut slots = slots.into_iter();
    let mut left: Vec<Task> = Vec::with_capacity(tasks.len());
    let mut origins = Vec::with_capacity(tasks.len());
    let (mut bundle, mut marks): (Option<usize>, HashMap<MessageId, usize>) = (None, HashMap::new());
    for task in tasks {
        let slot = shared_file(&task).and_then(|_| slots.next());
        let by = match (&task, slot) {
            (_, Some(slot)) => *bundle.get_or_insert_with(|| {
                left.push(Task::Bundle {
                    first: slot.bundle,
                    octets: Arc::new(octets.take().unwrap_or_default()),
                });
                left.len() - 1
            }),
            (Task::Remove { slot: Some(of), .. }, None) => {
                let by = *marks.entry(of.bundle).or_insert_with(|| {
                    left.push(Task::Mark { bundle: of.bundle, places: Vec::new() });
                    left.len() - 1
                });
                if let Some(Task::Mark { places, .. }) = left.get_mut(by) {
                    places.push(of.mark);
                }
                by
            }
            _ => {
                left.push(task);
                left.len() - 1
            }
        };
        origins.push(Origin { by, slot });
    }
    (left, origins)
}

/// The control file of a new message that may share a file with others.
fn shared_file(task: &Task) -> Option<(MessageId, &[u8])> {
    match task {
        Task::Commit { content: Content::Together(file), message, may_share: true, .. } => {
            Some((message.id, file.as_slice()))
        }
        _ => None,
    }
}

/// Tells each task what became of it.
pub(super) fn give_back(origins: &[Origin], outcomes: Vec<Result<()>>) -> Vec<Outcome> {
    let mut left: Vec<Option<Result<()>>> = outcomes.into_iter().map(Some).collect();
    let mut outcome = |origin: &Origin| match left.get_mut(origin.by) {
        Some(place) => match place.take().unwrap_or(Err(SpoolError::Closed)) {
            Ok(()) => {
                *place = Some(Ok(()));
                Ok(origin.slot)
            }
            Err(error) => {
                *place = Some(Err(copy(&error)));
                Err(error)
            }
        },
        None => Err(SpoolError::Closed),
    };
    origins.iter().map(&mut outcome).collect()
}

/// The same error for others: what several tasks have in common fails by the disk alone.
fn copy(error: &SpoolError) -> SpoolError {
    match error {
        SpoolError::NoSpace => SpoolError::NoSpace,
        SpoolError::Io { path, why } => SpoolError::Io { path: path.clone(), why: again(why) },
        _ => SpoolError::Closed,
    }
}
