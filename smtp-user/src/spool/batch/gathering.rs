//! What several tasks of a round have in common is done once: new messages share a file, and so do marks in such a file.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::{Content, Outcome, Task};
use crate::model::session_id::MessageId;
use crate::spool::bundle::{self, Slot};
use crate::spool::error::{Result, SpoolError};

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
pub(super) fn give_back(origins: &[Origin], outcomes: &[Result<()>]) -> Vec<Outcome> {
    let outcome = |origin: &Origin| match outcomes.get(origin.by) {
        Some(Ok(())) => Ok(origin.slot),
        Some(Err(error)) => Err(again(error)),
        None => Err(SpoolError::Closed),
    };
    origins.iter().map(outcome).collect()
}

/// The same error once more: an error of the system cannot be had twice; its kind and text can.
fn again(error: &SpoolError) -> SpoolError {
    match error {
        SpoolError::NoSpace => SpoolError::NoSpace,
        SpoolError::NotFound { id } => SpoolError::NotFound { id: *id },
        SpoolError::Damaged { id, why } => SpoolError::Damaged { id: *id, why: why.clone() },
        SpoolError::Io { path, source } => {
            // Whoever asks the system for a number gets the one it gave.
            let number = source.raw_os_error().map(io::Error::from_raw_os_error);
            let source = number.unwrap_or_else(|| io::Error::new(source.kind(), source.to_string()));
            SpoolError::Io { path: path.clone(), source }
        }
        _ => SpoolError::Closed,
    }
}
