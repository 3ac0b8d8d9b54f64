//! Has the message read a second time, by a reader that shares nothing with ours, and compares what both see (N14).
//!
//! A message that may hold messages within each other is read by a worker, since the reader goes as deep as they do;
//! any other in this process: a small one at once, a larger one aside. The middle of long bodies is left out.

use std::sync::Arc;

use crate::inspect::contents::LookError;
use crate::inspect::inspector::Shared;
use crate::model::message_octets::MessageOctets;
use crate::wire::mime::condensed::{BLOCK, Condensed, Places};
use crate::wire::mime::defect::{Defect, DefectKind};
use crate::wire::mime::part_header::PartSpan;
use crate::wire::mime::second_reader::{SeenPart, compare, may_nest, read};
use crate::worker::error::WorkerError;
use crate::worker::lane::Lane;
use crate::worker::protocol::Question;

/// Octets that are read sooner than they are handed to another thread.
const SMALL: usize = 64 << 10;
/// Octets of a message that are taken at a time.
const READ: usize = 16 * BLOCK;
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
    let Some(condensed) = condensed(message, shared.contents.max_part)? else {
        return Ok(Second::Skipped("too large for a second reader"));
    };
    let (octets, places) = condensed.into_parts();
    if octets.len() <= SMALL && !may_nest(&octets) {
        let theirs = std::panic::catch_unwind(|| read(&octets)).map_err(|_| Failed);
        return Ok(told(&spans, theirs, &places));
    }
    let mut lane = shared.lanes.enter().await;
    let shared = Arc::clone(shared);
    let reading = tokio::task::spawn_blocking(move || read_aside(&shared, octets, &mut lane));
    Ok(told(&spans, reading.await.unwrap_or(Ok(Err(Failed)))?, &places))
}

fn told(spans: &[PartSpan], theirs: Theirs, places: &Places) -> Second {
    let in_message = |part: SeenPart| SeenPart {
        body: places.in_message(part.body.start)..places.in_message(part.body.end),
    };
    let theirs =
        theirs.map(|theirs| theirs.map(|theirs| theirs.into_iter().map(in_message).collect::<Vec<_>>()));
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

/// What may be structure in a message, if it is not more than this.
fn condensed(message: &dyn MessageOctets, most: u64) -> std::io::Result<Option<Condensed>> {
    let (mut condensed, mut offset) = (Condensed::default(), 0);
    let mut room = vec![0; usize::try_from(message.len()).unwrap_or(usize::MAX).min(READ)];
    loop {
        let count = message.read_at(offset, &mut room)?;
        let octets = room.get(..count).unwrap_or_default();
        octets.chunks(BLOCK).for_each(|block| condensed.push(block));
        offset += count as u64;
        if condensed.octets().len() as u64 > most {
            return Ok(None);
        }
        if count == 0 || offset >= message.len() {
            return Ok(Some(condensed));
        }
    }
}
