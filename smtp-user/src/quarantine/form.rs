//! Entries as octets: JSON behind the heading that control files of the spool have too.

use crate::model::session_id::MessageId;
use crate::quarantine::entry::Entry;
use crate::spool::control::{ControlError, content, with_heading};

/// Why octets are no entry.
#[derive(Debug)]
pub(super) enum FormError {
    /// It is whole and sound for another version of this program.
    Version(String),
    /// It is not.
    Damaged(String),
}

/// The octets of an entry.
pub(super) fn encode(entry: &Entry) -> Result<Vec<u8>, String> {
    let text = serde_json::to_vec(entry).map_err(|error| error.to_string())?;
    Ok(with_heading(VERSION, &text))
}

/// Reads the octets of a message's entry.
pub(super) fn decode(octets: &[u8], id: MessageId) -> Result<Entry, FormError> {
    let text = content(octets, VERSION).map_err(|error| match error {
        ControlError::Version { found } => FormError::Version(found),
        error => FormError::Damaged(error.to_string()),
    })?;
    let entry: Entry = serde_json::from_slice(text).map_err(|error| FormError::Damaged(error.to_string()))?;
    if entry.id != id {
        return Err(FormError::Damaged(format!("the entry is that of message {}", entry.id)));
    }
    if entry.recipients.is_empty() {
        return Err(FormError::Damaged("it has no recipient".to_owned()));
    }
    Ok(entry)
}

/// Octets of an entry at most: 100,000 parts and recipients do not come to half of it.
pub(super) const MAX_OCTETS: u64 = 128 << 20;
/// The `q` tells an entry from a control file that went astray.
pub(super) const VERSION: &str = "q1";
