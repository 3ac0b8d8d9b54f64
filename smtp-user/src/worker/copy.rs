//! Makes a safe copy, as a plain function; also called in this process, where there are no workers.

use crate::action::extract::{ExtractError, only_kind, safe_copy, text};
use crate::content::Kind;
use crate::content::detect::detect;
use crate::worker::protocol::{Copied, Original, Pages};

/// Makes a safe copy of a part: what came of it, and its octets.
pub fn copy(original: &Original, octets: &[u8]) -> (Copied, Vec<u8>) {
    let kind = only_kind(&detect(octets), &original.media_type);
    if let (Ok(Kind::Html), Pages::Text { charset }) = (&kind, &original.pages) {
        return match text(octets, charset.as_deref()) {
            Ok(text) => (Copied::Text { length: text.len() as u64 }, text.into_bytes()),
            Err(error) => (Copied::Impossible(error.to_string()), Vec::new()),
        };
    }
    let Original { media_type, members, weeds, limits, .. } = original;
    match safe_copy(octets, media_type, members, weeds, limits) {
        Ok((_, Some(copy))) => {
            let length = copy.octets.len() as u64;
            (Copied::Copy { removed: copy.removed, members: copy.members, length }, copy.octets)
        }
        Ok((_, None)) => (Copied::Needless, Vec::new()),
        // Text and pictures have nothing in them that runs.
        Err(ExtractError::Kind(kind)) if kind.is_passive() => (Copied::Needless, Vec::new()),
        Err(error) => (Copied::Impossible(error.to_string()), Vec::new()),
    }
}
