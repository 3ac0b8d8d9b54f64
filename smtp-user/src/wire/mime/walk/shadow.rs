//! Header sections that have been cut, read on as some readers do.

use crate::wire::mime::header_section::looks_like_mime_field;

/// Reads on in a header section that has been cut, as some readers do; `true` if there is a MIME field in it.
pub(super) fn look_in_shadow(shadow: &mut Option<Vec<u8>>, octets: &[u8]) -> bool {
    for piece in octets.split_inclusive(|octet| *octet == b'\n') {
        let Some(line) = shadow else { return false };
        let room = SHADOW_LINE.saturating_sub(line.len());
        line.extend_from_slice(piece.get(..piece.len().min(room)).unwrap_or_default());
        if !piece.ends_with(b"\n") {
            return false;
        }
        if line.iter().all(|octet| matches!(octet, b'\r' | b'\n')) {
            *shadow = None;
        } else if looks_like_mime_field(line) {
            *shadow = None;
            return true;
        } else {
            line.clear();
        }
    }
    false
}

/// Octets at the start of a line that tell a MIME field.
const SHADOW_LINE: usize = 128;
