//! A safe copy in place of a part.

use sha2::{Digest as _, Sha256};

use super::finding::Place;
use crate::action::extract::{ExtractError, Removed, Weeds, extract, only_kind};
use crate::action::rewrite::Entity;
use crate::content::detect::detect;
use crate::engine::hash_list::to_hex;
use crate::event::session_event::PartRecord;

/// Octets that are unpacked on the way to a copy.
const MAX_UNPACKED: u64 = 256 << 20;

/// What came of it.
pub(super) enum Cleaned {
    /// The part is safe as it is.
    Needless,
    /// A copy.
    Copy { with: Entity, removed: Removed, sha256: String },
    /// There is none, and why.
    Impossible(String),
}

/// Makes a safe copy of a part.
pub(super) fn cleaned(place: &Place, own: Option<&PartRecord>, header: &[u8], weeds: &Weeds) -> Cleaned {
    let Some(content) = &place.content else {
        return Cleaned::Impossible("it is too large, or not to be had alone".to_owned());
    };
    let media_type = own.map_or("", |part| part.media_type.as_str());
    let copy =
        only_kind(&detect(content), media_type).and_then(|kind| extract(kind, content, weeds, MAX_UNPACKED));
    match copy {
        Ok(None) => Cleaned::Needless,
        Ok(Some(copy)) => match Entity::copy(header, &copy.octets) {
            Some(with) => {
                Cleaned::Copy { with, sha256: to_hex(&Sha256::digest(&copy.octets)), removed: copy.removed }
            }
            None => Cleaned::Impossible("its header section is not plain text".to_owned()),
        },
        // Text and pictures have nothing in them that runs.
        Err(ExtractError::Kind(kind)) if kind.is_passive() => Cleaned::Needless,
        Err(error) => Cleaned::Impossible(error.to_string()),
    }
}
