//! Has the message read a second time, by a reader that shares nothing with ours, and compares what both see (N14).
//!
//! A message that may hold messages within each other is read by a worker, since the reader goes as deep as they do;
//! any other in this process: a small one at once, a larger one aside.

use std::sync::Arc;

use crate::inspect::contents::LookError;
use crate::inspect::inspector::Shared;
use crate::model::message_octets::MessageOctets;
use crate::wire::mime::defect::{Defect, DefectKind};
use crate::wire::mime::part_header::PartSpan;
use crate::wire::mime::second_reader::{SeenPart, compare, may_nest, read};
use crate::worker::error::WorkerError;
use crate::worker::lane::Lane;
use crate::worker::protocol::Question;

/// Octets of a message that is read sooner than it is handed to another thread.
const SMALL: u64 = 64 << 10;
/// Octets that are read at a time.
const BLOCK: usize = 256 << 10;
/// Stack of a thread that reads what may go deep where there are no workers: it is taken up only as far as it is used.
const DEEP_STACK: usize = 256 << 20;

/// What the second reading came to.
pub(super) enum Second {
    /// Both see the same.
    Same,
    /// They do not, and where.
    Differs(Defect, String),
    /// It was not done, for this reason.
    Skipped(&'static str),
}

/// Reads a message again and compares. What is known to be read in two ways needs no second reader to say so.
pub(super) async fn second_reading(
    shared: &Arc<Shared>,
    message: &dyn MessageOctets,
    spans: Vec<PartSpan>,
    defects: &[(Defect, String)],
) -> Result<Second, LookError> {
    if defects.iter().any(|(defect, _)| defect.kind() != DefectKind::Unsupported) {
        return Ok(Second::Skipped("it can be read in two ways, or not to its end"));
    }
    if message.len() > shared.contents.max_part {
        return Ok(Second::Skipped("too large for a second reader"));
    }
    if message.len() <= SMALL {
        let octets = whole(message)?;
        if !may_nest(&octets) {
            let theirs = std::panic::catch_unwind(|| read(&octets)).map_err(|_| Failed);
            return Ok(told(&spans, theirs));
        }
    }
    let mut lane = shared.lanes.enter().await;
    let octets = whole(message)?;
    let shared = Arc::clone(shared);
    let reading = tokio::task::spawn_blocking(move || read_aside(&shared, octets, &mut lane));
    Ok(told(&spans, reading.await.unwrap_or(Ok(Err(Failed)))?))
}

fn told(spans: &[PartSpan], theirs: Theirs) -> Second {
    match theirs.map(|theirs| compare(spans, theirs.as_deref())) {
        Ok(None) => Second::Same,
        Ok(Some((defect, part))) => Second::Differs(defect, part),
        // It gave up on octets, and nobody knows what others make of them.
        Err(Failed) => Second::Differs(Defect::SecondReaderFails, "1".to_owned()),
    }
}

/// The reader failed over it.
struct Failed;

type Theirs = Result<Option<Vec<SeenPart>>, Failed>;

fn read_aside(shared: &Shared, octets: Vec<u8>, lane: &mut Lane) -> Result<Theirs, WorkerError> {
    if !may_nest(&octets) {
        return Ok(Ok(read(&octets)));
    }
    let Some(workers) = &shared.workers else {
        let thread = std::thread::Builder::new().stack_size(DEEP_STACK).spawn(move || read(&octets));
        let joined = thread.map_err(|source| WorkerError::Start { source })?.join();
        return Ok(joined.map_err(|_| Failed));
    };
    let question = Question {
        structure_only: true,
        part: "1".to_owned(),
        media_type: "message/rfc822".to_owned(),
        passwords: Vec::new(),
        limits: shared.contents,
        digests: shared.digests,
        lengths: vec![octets.len() as u64],
    };
    match workers.unpack(&question, &[octets], lane) {
        Ok(answers) => Ok(Ok(answers.into_iter().next().and_then(|answer| answer.parts))),
        Err(error) if error.is_final() => Ok(Err(Failed)),
        Err(error) => Err(error),
    }
}

fn whole(message: &dyn MessageOctets) -> std::io::Result<Vec<u8>> {
    let length = usize::try_from(message.len()).unwrap_or(usize::MAX);
    let (mut octets, mut filled) = (vec![0; length], 0);
    while let Some(room) = octets.get_mut(filled..).filter(|room| !room.is_empty()) {
        let most = room.len().min(BLOCK);
        match message.read_at(filled as u64, room.get_mut(..most).unwrap_or_default())? {
            0 => break,
            count => filled += count,
        }
    }
    octets.truncate(filled);
    Ok(octets)
}
