//! What is in the folder of the quarantine.

use crate::model::session_id::MessageId;
use crate::quarantine::entry::Entry;
pub use crate::spool::recovery::Foreign;

/// What is there.
#[derive(Debug, Default)]
pub struct Listing {
    /// Messages, oldest first.
    pub entries: Vec<Entry>,
    /// Messages whose entries cannot be read, and why.
    pub damaged: Vec<(MessageId, String)>,
    /// Files that are not the quarantine's; nobody touched them.
    pub foreign: Vec<Foreign>,
}

/// What was found at the start.
#[derive(Debug, Default)]
pub struct Opened {
    /// Messages.
    pub messages: usize,
    /// Files of what was never finished, or finished and not removed any more.
    pub removed: u64,
    /// Messages whose entries cannot be read, and why; they are left where they are.
    pub damaged: Vec<(MessageId, String)>,
    /// Files that are not the quarantine's; nobody touched them.
    pub foreign: Vec<Foreign>,
}
