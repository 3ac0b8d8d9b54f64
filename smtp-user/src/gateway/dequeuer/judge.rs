//! Judges a message that was taken in before there was a verdict.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tracing::warn;

use super::shortage::AFTER_A_SHORTAGE;
use super::{Shared, millis};
use crate::event::session_event::SessionEvent;
use crate::inspect::inspection::Inspection;
use crate::inspect::inspector::Inspector;
use crate::inspect::judgement::Judgement;
use crate::model::decision::MessageAction;
use crate::model::message_octets::MessageOctets;
use crate::model::queued_message::QueuedMessage;
use crate::model::session_id::MessageId;
use crate::spool::error::SpoolError;
use crate::spool::place::Place;

/// How long a message waits whose engines gave no opinion, before they are asked again.
const AGAIN: Duration = Duration::from_mins(1);
const BLOCK: usize = 256 << 10;

/// Judges a message and writes the verdict down. It is delivered only behind that.
pub(super) async fn judge(shared: Arc<Shared>, id: MessageId) {
    if let Err(error) = attempt(&shared, id).await {
        if shared.is_short(&error) {
            shared.to_judge().insert((shared.now() + millis(AFTER_A_SHORTAGE), id));
            return;
        }
        warn!(message = %id, %error, "a message cannot be judged");
        again(&shared, id);
    }
}

/// Has a message judged later.
pub(super) fn again(shared: &Shared, id: MessageId) {
    shared.to_judge().insert((shared.now() + millis(AGAIN), id));
}

/// The same of a message whose engines gave no opinion: as soon as they are at work again, where one is down.
async fn again_when_back(shared: &Shared, id: MessageId, inspector: &Inspector, were_down: bool) {
    if !inspector.engines_are_at_work().await {
        shared.engines_down.store(true, Ordering::Relaxed);
        again(shared, id);
    } else if were_down {
        // It was asked about while they came back.
        shared.to_judge().insert((shared.now(), id));
    } else {
        again(shared, id);
    }
}

/// Has what waits for engines judged at once when all are at work.
pub(super) async fn look_for_engines(shared: Arc<Shared>) {
    for outlet in shared.setup().outlets.values() {
        if !outlet.inspector.engines_are_at_work().await {
            return;
        }
    }
    shared.engines_down.store(false, Ordering::Relaxed);
    let now = shared.now();
    let mut waiting = shared.to_judge();
    *waiting = std::mem::take(&mut *waiting).into_iter().map(|(due, id)| (due.min(now), id)).collect();
    drop(waiting);
    shared.wake.notify_one();
}

/// Has a message judged once more before it is delivered. Gives what is left of it.
pub(super) async fn forget_verdict(
    shared: &Shared,
    id: MessageId,
    why: &str,
) -> Option<(Place, QueuedMessage)> {
    let _changing = shared.changing(id).await;
    let (place, mut message) = shared.load(id).await.ok()?;
    message.judgement = None;
    if let Err(error) = shared.spool.update(&mut message, place).await {
        // It is not delivered under the old one, and not forgotten.
        warn!(message = %id, %error, "a message cannot be judged again now");
        again(shared, id);
        return None;
    }
    shared.record(&message, "unjudged", Vec::new(), why.to_owned());
    Some((place, message))
}

async fn attempt(shared: &Arc<Shared>, id: MessageId) -> Result<(), SpoolError> {
    let (place, message) = match shared.load(id).await {
        Err(SpoolError::NotFound { .. }) => return Ok(()),
        loaded => loaded?,
    };
    if message.judgement.is_some() || place == Place::Quarantine || message.hold.is_some() {
        shared.plan(place, &message);
        return Ok(());
    }
    let setup = shared.setup();
    let Some(outlet) = setup.outlet(&message) else {
        again(shared, id);
        return Ok(());
    };
    let (spool, of) = (shared.spool.clone(), message.clone());
    let mut inspection = outlet.inspector.begin();
    inspection.call(id);
    let read = tokio::task::spawn_blocking(move || {
        let body = spool.body(&of)?;
        let inspection = push_all(inspection, body.as_ref(), of.id)?;
        Ok::<_, SpoolError>((body, inspection))
    });
    let (body, inspection) = match read.await.unwrap_or(Err(SpoolError::Closed)) {
        Ok(read) => read,
        Err(SpoolError::Damaged { why, .. }) => {
            shared.set_aside(&message, &why).await;
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let were_down = shared.engines_down.load(Ordering::Relaxed);
    let judged = tokio::time::timeout(setup.scan_timeout, inspection.judge(body.as_ref())).await;
    let Ok(judgement) = judged else {
        shared.record(&message, "deferred", Vec::new(), "it was not judged in time".to_owned());
        again_when_back(shared, id, &outlet.inspector, were_down).await;
        return Ok(());
    };
    record(shared, &message, &judgement);
    if judgement.decision.action == MessageAction::Defer {
        again_when_back(shared, id, &outlet.inspector, were_down).await;
        return Ok(());
    }
    let passes = judgement.decision.action == MessageAction::Pass;
    let _changing = shared.changing(id).await;
    let (_, mut message) = shared.load(id).await?;
    message.judgement = Some(judgement.to_be_kept(shared.clock.unix_micros(), false));
    // It was accepted, so nobody is refused any more; and its sender may be forged, so nobody is told.
    let to = if !passes {
        Place::Quarantine
    } else if message.attempts > 0 {
        Place::Deferred
    } else {
        Place::Active
    };
    shared.spool.update(&mut message, to).await?;
    if !passes {
        shared.record(&message, "quarantined", Vec::new(), judgement.decision.why);
    }
    shared.plan(to, &message);
    Ok(())
}

fn push_all(
    mut inspection: Inspection,
    body: &dyn MessageOctets,
    id: MessageId,
) -> Result<Inspection, SpoolError> {
    let mut room = vec![0; BLOCK];
    let mut offset = 0;
    while offset < body.len() {
        let count = body
            .read_at(offset, &mut room)
            .map_err(|error| SpoolError::Damaged { id, why: error.to_string() })?;
        if count == 0 {
            return Err(SpoolError::Damaged { id, why: "it became shorter while it was read".to_owned() });
        }
        inspection.push(room.get(..count).unwrap_or_default());
        offset += count as u64;
    }
    Ok(inspection)
}

fn record(shared: &Shared, message: &QueuedMessage, judgement: &Judgement) {
    let emit = |event: SessionEvent| {
        shared.recorder.emit(message.id.session, Some(message.id.number), event);
    };
    judgement.parts.iter().cloned().map(SessionEvent::Part).for_each(emit);
    judgement.engines.iter().cloned().for_each(emit);
    emit(judgement.event());
}
