//! A message with parts replaced: made from where the message is held, held likewise, and judged again.

mod cleaning;
mod finding;

use sha2::{Digest as _, Sha256};

use self::cleaning::{Cleaned, cleaned, not_copied, texts as texts_of_members};
use self::finding::{Found, Place};
use crate::action::clk::{self, LockKey};
use crate::action::notice::{self, Template};
use crate::action::rewrite::{Edit, Entity, Piece, plan};
use crate::event::session_event::{PartRecord, SessionEvent};
use crate::gateway::remedy::Means;
use crate::gateway::remedy::signatures::{DKIM, SIGNED, has_dkim, is_signed_content};
use crate::inspect::config::Rewriting;
use crate::inspect::judgement::Judgement;
use crate::inspect::ruled::{Change, Replacement};
use crate::model::decision::{Decision, MessageAction};
use crate::model::message_octets::MessageOctets as _;
use crate::model::session_id::MessageId;
use crate::transport::held_message::{HeldMessage, HoldError};
use crate::wire::hexadecimal::hexadecimal;
use crate::wire::mime::walk::Walker;

/// A rewritten message that may pass.
#[derive(Debug)]
pub(crate) struct Rewritten {
    pub(crate) held: HeldMessage,
    /// Its octets.
    pub(super) octets: u64,
    /// Of those octets, hexadecimal.
    pub(super) sha256: String,
    /// What was done, one by one.
    pub(super) changes: Vec<String>,
    /// Signatures that no longer hold.
    pub(super) broken: Vec<String>,
    /// What was done, for the trace field.
    pub(super) done: Vec<String>,
}

impl Rewritten {
    /// The same with what was done before.
    pub(super) fn behind(mut self, mut before: Self) -> Self {
        before.changes.append(&mut self.changes);
        before.done.append(&mut self.done);
        self.broken.retain(|word| !before.broken.contains(word));
        before.broken.append(&mut self.broken);
        Self { changes: before.changes, broken: before.broken, done: before.done, ..self }
    }

    /// For the record.
    pub(crate) fn event(&self) -> SessionEvent {
        SessionEvent::Rewritten {
            changes: self.changes.clone(),
            broken: self.broken.clone(),
            octets: self.octets,
            sha256: self.sha256.clone(),
        }
    }

    /// For the trace fields.
    pub(crate) fn trace(&self) -> String {
        let broken = if self.broken.is_empty() {
            String::new()
        } else {
            format!("; no longer valid: {}", self.broken.join(", "))
        };
        format!("{}{broken}", self.done.join("; "))
    }
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum No {
    /// There is nothing in its parts that would have to go.
    Needless,
    /// What came out may not pass either.
    Judged(Box<Decision>),
    /// It cannot be made, is not what it should be, or may not be made.
    Impossible {
        /// Why.
        why: &'static str,
        /// What follows.
        action: MessageAction,
    },
}

/// Why it cannot be made; what follows is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cannot(pub(super) &'static str);

impl Cannot {
    /// What follows is configured.
    fn no(self, rewriting: &Rewriting) -> No {
        No::Impossible { why: self.0, action: rewriting.not_possible.clone() }
    }
}

impl From<HoldError> for Cannot {
    fn from(error: HoldError) -> Self {
        Self(error.name())
    }
}

/// Octets that are copied at a time.
const BLOCK: usize = 256 << 10;
/// Numbers of parts that a trace field takes.
const MOST_NUMBERS: usize = 20;

/// Makes the message that goes on.
pub(super) async fn rewrite(
    lock_key: Option<&LockKey>,
    judgement: &Judgement,
    old: &HeldMessage,
    id: MessageId,
    means: Means<'_>,
) -> Result<Rewritten, No> {
    let rewriting = means.inspector.rewriting();
    let impossible = |cannot: Cannot| cannot.no(rewriting);
    let found = find(old, &judgement.changes, means).await.map_err(impossible)?;
    let mut broken = Vec::new();
    for (has, word, action, why) in [
        (is_signed(&found, judgement), SIGNED, &rewriting.signed, "a signature covers the part"),
        (has_dkim(old), DKIM, &rewriting.dkim, "the message has a DKIM signature"),
    ] {
        if has && *action != MessageAction::Rewrite {
            return Err(No::Impossible { why, action: action.clone() });
        }
        if has {
            broken.push(word.to_owned());
        }
    }
    let (edits, changes) = edits(lock_key, judgement, (old, found), id, means).await?;
    if edits.is_empty() {
        return Err(No::Needless);
    }
    let replaced: Vec<String> = edits.iter().map(|edit| edit.span.number.clone()).collect();
    let pieces =
        plan(old.len(), edits).map_err(|_| impossible(Cannot("its parts have no places of their own")))?;
    let held = write(old, pieces, means, None).await.map_err(impossible)?;
    let again = judge_again(&held, replaced.clone(), means).await.map_err(impossible)?;
    match again.decision.action {
        MessageAction::Pass => {}
        MessageAction::Rewrite => return Err(impossible(Cannot("it would have to be rewritten again"))),
        _ => return Err(No::Judged(Box::new(again.decision))),
    }
    // Where there was nothing else, a locked part and its notice stand beside each other for the whole.
    let others = rest(&judgement.parts, &replaced);
    if !others.is_empty() && others != rest(&again.parts, &replaced) {
        return Err(impossible(Cannot("other parts would not be what they were")));
    }
    Ok(Rewritten {
        held,
        octets: again.octets,
        sha256: again.sha256,
        changes,
        broken,
        done: vec![done(&replaced)],
    })
}

/// Finds the parts that are to be replaced.
async fn find(old: &HeldMessage, changes: &[Change], means: Means<'_>) -> Result<Found, Cannot> {
    let mut found = Found::new(changes);
    let mut walker = Walker::new(means.inspector.limits());
    let mut reader = old.reader();
    while let Some(octets) = reader.next_chunk().await? {
        walker.push(octets, &mut found);
    }
    walker.finish(&mut found);
    if !walker.defects().is_empty() {
        return Err(Cannot("its form is not certain"));
    }
    found.settle()
}

fn is_signed(found: &Found, judgement: &Judgement) -> bool {
    let is_content =
        |number: &str| judgement.parts.iter().any(|part| part.part == number && is_signed_content(part));
    found.places().any(|place| place.span.is_signed || is_content(&place.span.number))
}

/// What is replaced by what, and in a few words.
async fn edits(
    lock_key: Option<&LockKey>,
    judgement: &Judgement,
    (old, found): (&HeldMessage, Found),
    id: MessageId,
    means: Means<'_>,
) -> Result<(Vec<Edit>, Vec<String>), No> {
    let rewriting = means.inspector.rewriting();
    let (mut edits, mut texts) = (Vec::new(), Vec::new());
    for mut place in found.into_places() {
        let header = read(old, place.span.header.start, place.span.header.end);
        let header = header.map_err(|cannot| cannot.no(rewriting))?;
        let own = judgement.parts.iter().find(|part| part.part == place.span.number);
        let (mut change, mut why) = (place.change.clone(), None);
        if change.by == Replacement::Copy {
            let copied = cleaned(means.inspector, place.content.take(), own, &header, &change.members).await;
            match copied.map_err(|error| not_copied(&error, rewriting))? {
                // What was found in it is still there.
                Cleaned::Needless if change.excuses => {
                    change.by = Replacement::Notice;
                    why = Some("something was found in it, and there is nothing to take out".to_owned());
                }
                Cleaned::Needless => continue,
                Cleaned::Copy { with, how, sha256, members } => {
                    texts.push(format!("{}: {how}; the copy has SHA-256 {sha256}", change.text()));
                    texts.extend(texts_of_members(&change.part, &members));
                    edits.push(Edit { span: place.span, header, with });
                    continue;
                }
                Cleaned::Impossible(reason) => {
                    change.by = Replacement::Notice;
                    why = Some(format!("no safe copy can be made of it: {reason}"));
                }
            }
        }
        let names = own.map_or(&[][..], |part| part.names.as_slice());
        let name = names.iter().find(|name| !name.contains("=?")).or(names.first());
        let name = name.map_or("", String::as_str);
        let Place { span, content, .. } = place;
        let with = replacement(lock_key, &rewriting.notice, &change, why.as_deref(), name, content, id);
        let with = with.await.map_err(|cannot| cannot.no(rewriting))?;
        texts.push(why.map_or_else(|| change.text(), |why| format!("{}: {why}", change.text())));
        edits.push(Edit { span, header, with });
    }
    Ok((edits, texts))
}

/// What was done, for the trace field.
fn done(numbers: &[String]) -> String {
    let shown: Vec<&str> = numbers.iter().take(MOST_NUMBERS).map(String::as_str).collect();
    let more = if numbers.len() > MOST_NUMBERS { " and others" } else { "" };
    format!("part {}{more} replaced", shown.join(", "))
}

/// What comes in place of a part, which has a name of its own besides that of what the rule is about.
async fn replacement(
    lock_key: Option<&LockKey>,
    notice: &Template,
    change: &Change,
    why: Option<&str>,
    own_name: &str,
    content: Option<Vec<u8>>,
    id: MessageId,
) -> Result<Entity, Cannot> {
    let message = id.to_string();
    let within = if change.name == own_name || own_name.is_empty() || change.name.is_empty() {
        String::new()
    } else {
        format!("{} in {own_name}", change.name)
    };
    let name = match (within.is_empty(), own_name.is_empty()) {
        (false, _) => within.as_str(),
        (true, false) => own_name,
        (true, true) => change.name.as_str(),
    };
    let cause = why.unwrap_or(if change.found.is_empty() {
        "files of this kind may not pass"
    } else {
        "something was found in it"
    });
    let is_locked = change.by == Replacement::Locked;
    let about = notice::Facts {
        is_locked,
        cause,
        name,
        media_type: &change.media_type,
        found: &change.found,
        message: &message,
    };
    if !is_locked {
        return Ok(Entity::notice(notice, &about));
    }
    let key = lock_key.ok_or(Cannot("there is no key to lock with"))?.clone();
    let content = content.ok_or(Cannot("a part is too large to be locked, or not to be had alone"))?;
    // Nothing in the content is read, so it is no worker's business: the key stays in this process.
    let (nonce, file_name) = (chance()?, own_name.to_owned());
    let locking = tokio::task::spawn_blocking(move || clk::lock(&key, nonce, &file_name, &content));
    let Ok(Ok(file)) = locking.await else { return Err(Cannot("the cipher does not work")) };
    let boundary = format!("=_postern_{}", hexadecimal(&chance::<16>()?));
    Ok(Entity::locked(notice, &about, own_name, &file, &boundary))
}

fn chance<const N: usize>() -> Result<[u8; N], Cannot> {
    let mut octets = [0; N];
    aws_lc_rs::rand::fill(&mut octets).map_err(|_| Cannot("the system has no chance to give"))?;
    Ok(octets)
}

/// Parts that were not replaced: their numbers and what is in them.
fn rest<'p>(parts: &'p [PartRecord], replaced: &[String]) -> Vec<(&'p str, &'p str, u64)> {
    let is_replaced = |part: &str| {
        replaced.iter().any(|number| {
            part.strip_prefix(number.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/']))
        })
    };
    parts
        .iter()
        .filter(|part| !is_replaced(&part.part))
        .map(|part| (part.part.as_str(), part.sha256.as_str(), part.octets))
        .collect()
}

/// Puts the pieces together; what is written goes by a digest, if one is wanted.
pub(super) async fn write(
    old: &HeldMessage,
    pieces: Vec<Piece>,
    means: Means<'_>,
    mut digest: Option<&mut Sha256>,
) -> Result<HeldMessage, Cannot> {
    let mut new = HeldMessage::new(means.hold.clone());
    let mut seen = |octets: &[u8]| {
        if let Some(digest) = &mut digest {
            digest.update(octets);
        }
    };
    for piece in pieces {
        match piece {
            Piece::Insert(octets) => {
                seen(&octets);
                new.append(&octets).await?;
            }
            Piece::Copy(range) => {
                let mut at = range.start;
                while at < range.end {
                    let end = range.end.min(at + BLOCK as u64);
                    let octets = read(old, at, end)?;
                    seen(&octets);
                    new.append(&octets).await?;
                    at = end;
                }
            }
        }
    }
    new.finish().await?;
    Ok(new)
}

async fn judge_again(
    new: &HeldMessage,
    replaced: Vec<String>,
    means: Means<'_>,
) -> Result<Judgement, Cannot> {
    let mut inspection = means.inspector.begin_again(replaced);
    let mut reader = new.reader();
    while let Some(octets) = reader.next_chunk().await? {
        inspection.push(octets);
    }
    let judged = tokio::time::timeout(means.limit, Box::pin(inspection.judge(new))).await;
    judged.map_err(|_| Cannot("it could not be judged again in time"))
}

pub(super) fn read(message: &HeldMessage, start: u64, end: u64) -> Result<Vec<u8>, Cannot> {
    let length = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
    let mut octets = vec![0; length];
    match message.fill_at(start, &mut octets) {
        Ok(filled) if filled == length => Ok(octets),
        Ok(_) | Err(_) => Err(Cannot("the message cannot be read back")),
    }
}
