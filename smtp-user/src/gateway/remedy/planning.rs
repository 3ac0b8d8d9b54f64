//! What becomes of a message that was judged, worked out before anything is kept, banned, sent or answered. So whoever only
//! wants to know what would happen asks here as well.

use super::rewriting::{self, No, Rewritten};
use super::{Means, headers, note};
use crate::action::clk::LockKey;
use crate::event::session_event::SessionEvent;
use crate::inspect::judgement::Judgement;
use crate::model::decision::MessageAction;
use crate::model::session_id::MessageId;
use crate::transport::held_message::HeldMessage;

/// What becomes of a message.
#[derive(Debug)]
pub(crate) struct Planned {
    /// With the action that is to be taken.
    pub(crate) judgement: Judgement,
    /// What goes on in its place.
    pub(crate) new: Option<Rewritten>,
    /// What is to be recorded of it besides.
    pub(crate) events: Vec<SessionEvent>,
}

/// Makes the message that goes on, if the judgement or a rule on its header asks for one, and finds out what follows if there
/// can be none.
pub(crate) async fn plan(
    mut judgement: Judgement,
    message: &HeldMessage,
    id: MessageId,
    lock_key: Option<&LockKey>,
    means: Means<'_>,
) -> Planned {
    let (mut new, mut events) = (None, Vec::new());
    if judgement.decision.action == MessageAction::Rewrite {
        match rewriting::rewrite(lock_key, &judgement, message, id, means).await {
            Ok(rewritten) => new = Some(rewritten),
            Err(No::Needless) => {
                judgement.decision.action = MessageAction::Pass;
                events.push(note(
                    "nothing_to_clean",
                    "the parts have nothing in them that a safe copy leaves out",
                ));
            }
            Err(No::Judged(again)) => {
                judgement.decision = *again;
                judgement.rule = None;
            }
            Err(No::Impossible { why, action }) => {
                judgement.decision.action = action;
                events.push(note("not_rewritten", why));
            }
        }
    }
    if judgement.decision.action.passes() && !means.header.is_empty() {
        let goes_on = new.as_ref().map_or(message, |new| &new.held);
        match headers::rewrite(goes_on, means).await {
            Ok(None) | Err(No::Needless) => {}
            Ok(Some(header)) => {
                new = Some(match new {
                    Some(before) => header.behind(before),
                    None => header,
                });
            }
            Err(No::Judged(again)) => judgement.decision = *again,
            Err(No::Impossible { why, action }) => {
                new = None;
                judgement.decision.action = action;
                why.clone_into(&mut judgement.decision.why);
                events.push(note("header_not_rewritten", why));
            }
        }
    }
    if new.is_some() || judgement.decision.action != MessageAction::Pass {
        judgement = judgement.with_digest(message).await;
    }
    Planned { judgement, new, events }
}
