//! A safe copy in place of a part.

use sha2::{Digest as _, Sha256};

use super::No;
use crate::action::extract::CleanedMember;
use crate::action::rewrite::{Entity, charset};
use crate::event::session_event::PartRecord;
use crate::inspect::config::Rewriting;
use crate::inspect::inspector::Inspector;
use crate::model::decision::MessageAction;
use crate::wire::hexadecimal::hexadecimal;
use crate::worker::error::WorkerError;
use crate::worker::protocol::Copied;

/// Members of an archive that are told of.
const MOST_MEMBERS: usize = 50;

/// What came of it.
pub(super) enum Cleaned {
    /// The part is safe as it is.
    Needless,
    /// A copy, and how it differs.
    Copy {
        with: Entity,
        /// In a few words.
        how: String,
        sha256: String,
        /// Of an archive, what out of which members.
        members: Vec<CleanedMember>,
    },
    /// There is none, and why.
    Impossible(String),
}

/// Has a safe copy of a part made. Whoever makes it may fail, and that says nothing of what is in the part.
pub(super) async fn cleaned(
    inspector: &Inspector,
    content: Option<Vec<u8>>,
    own: Option<&PartRecord>,
    header: &[u8],
    members: &[String],
) -> Result<Cleaned, WorkerError> {
    let Some(content) = content else {
        return Ok(Cleaned::Impossible("it is too large, or not to be had alone".to_owned()));
    };
    let media_type = own.map_or("", |part| part.media_type.as_str());
    let (copied, octets) = inspector.copy(media_type, charset(header), members, content).await?;
    let sha256 = || hexadecimal(&Sha256::digest(&octets));
    Ok(match copied {
        Copied::Needless => Cleaned::Needless,
        Copied::Impossible(why) => Cleaned::Impossible(why),
        Copied::Text { .. } => match std::str::from_utf8(&octets) {
            Ok(text) => {
                let name = own.and_then(|part| part.names.first()).map_or("", String::as_str);
                let with = Entity::text(header, name, text);
                Cleaned::Copy { with, how: "as plain text".to_owned(), sha256: sha256(), members: Vec::new() }
            }
            Err(_) => Cleaned::Impossible("its text is none".to_owned()),
        },
        Copied::Copy { removed, members, .. } => match Entity::copy(header, &octets) {
            Some(with) => {
                Cleaned::Copy { with, how: format!("without {removed}"), sha256: sha256(), members }
            }
            None => Cleaned::Impossible("its header section is not plain text".to_owned()),
        },
    })
}

/// What was taken out of which members of a part, one by one.
pub(super) fn texts(part: &str, members: &[CleanedMember]) -> Vec<String> {
    let text = |member: &CleanedMember| {
        let CleanedMember { place, removed, sha256, copy_sha256 } = member;
        format!("part {part}/{place}: without {removed}; SHA-256 {sha256}, of the copy {copy_sha256}")
    };
    let mut texts: Vec<String> = members.iter().take(MOST_MEMBERS).map(text).collect();
    if members.len() > MOST_MEMBERS {
        texts.push(format!("and {} more members of part {part}", members.len() - MOST_MEMBERS));
    }
    texts
}

/// What follows if nobody made it: what is configured, or another attempt where it is the gateway's own trouble.
pub(super) fn not_copied(error: &WorkerError, rewriting: &Rewriting) -> No {
    let why = match error {
        WorkerError::Died { .. } => "a worker ended over the safe copy of a part",
        WorkerError::Killed => "a worker was killed over the safe copy of a part",
        WorkerError::TimedOut => "a safe copy of a part was not made in time",
        WorkerError::Poisonous => "the safe copy of a part has ended workers before",
        WorkerError::Start { .. } => "no worker can be started that makes safe copies",
        WorkerError::Crowded => "too many safe copies that take long are being made",
    };
    let is_ours = matches!(error, WorkerError::Start { .. } | WorkerError::Killed | WorkerError::Crowded);
    let action = if is_ours { MessageAction::Defer } else { rewriting.not_possible.clone() };
    No::Impossible { why, action }
}
