//! A safe copy in place of a part.

use sha2::{Digest as _, Sha256};

use super::finding::Place;
use crate::action::extract::{ExtractError, extract, only_kind, text};
use crate::action::rewrite::{Entity, charset};
use crate::content::Kind;
use crate::content::detect::detect;
use crate::engine::hash_list::to_hex;
use crate::event::session_event::PartRecord;
use crate::inspect::config::{PageCopy, Rewriting};

/// Octets that are unpacked on the way to a copy.
const MAX_UNPACKED: u64 = 256 << 20;

/// What came of it.
pub(super) enum Cleaned {
    /// The part is safe as it is.
    Needless,
    /// A copy, and how it differs.
    Copy { with: Entity, how: String, sha256: String },
    /// There is none, and why.
    Impossible(String),
}

/// Makes a safe copy of a part.
pub(super) fn cleaned(
    place: &Place,
    own: Option<&PartRecord>,
    header: &[u8],
    rewriting: &Rewriting,
) -> Cleaned {
    let Some(content) = &place.content else {
        return Cleaned::Impossible("it is too large, or not to be had alone".to_owned());
    };
    let media_type = own.map_or("", |part| part.media_type.as_str());
    let kind = only_kind(&detect(content), media_type);
    if kind == Ok(Kind::Html) && rewriting.pages == PageCopy::Text {
        return match text(content, charset(header).as_deref()) {
            Ok(text) => {
                let name = own.and_then(|part| part.names.first()).map_or("", String::as_str);
                let sha256 = to_hex(&Sha256::digest(&text));
                Cleaned::Copy {
                    with: Entity::text(header, name, &text),
                    how: "as plain text".to_owned(),
                    sha256,
                }
            }
            Err(error) => Cleaned::Impossible(error.to_string()),
        };
    }
    match kind.and_then(|kind| extract(kind, content, &rewriting.weeds, MAX_UNPACKED)) {
        Ok(None) => Cleaned::Needless,
        Ok(Some(copy)) => match Entity::copy(header, &copy.octets) {
            Some(with) => {
                let how = format!("without {}", copy.removed);
                Cleaned::Copy { with, sha256: to_hex(&Sha256::digest(&copy.octets)), how }
            }
            None => Cleaned::Impossible("its header section is not plain text".to_owned()),
        },
        // Text and pictures have nothing in them that runs.
        Err(ExtractError::Kind(kind)) if kind.is_passive() => Cleaned::Needless,
        Err(error) => Cleaned::Impossible(error.to_string()),
    }
}
